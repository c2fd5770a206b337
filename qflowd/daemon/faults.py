"""Faults on request, for tests that kill a real daemon at a named place: `QFLOWD_FAULT=finish:before_commit:3:kill`."""

import os
import signal
import time

from qflowd.store.tx import Fault


def fault_from_environment() -> Fault | None:
    """The fault that `QFLOWD_FAULT` asks for: transaction, point, how many times it passes first, what happens.

    What happens: `kill` (SIGKILL to itself) or `pause:SECONDS`.
    """
    text = os.environ.get("QFLOWD_FAULT")
    if not text:
        return None
    transaction, point, number, what, *rest = text.split(":")
    passes = int(number)

    def fault(name: str, where: str) -> None:
        nonlocal passes
        if (name, where) != (transaction, point):
            return
        passes -= 1
        if passes == 0:
            if what == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            time.sleep(float(rest[0]) if rest else 0.0)

    return fault

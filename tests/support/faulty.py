"""`python -m tests.support.faulty run`: qflowd with faults at named places, `QFLOWD_FAULT=finish:before_commit:3:kill`.

`QFLOWD_FAULT_FROM`: nothing happens, and nothing is counted, before there is a file of this name.
`QFLOWD_FAULTY_SWEEP_PART`: rows that a sweep takes in one transaction, so that fewer make several parts.
"""

import itertools
import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import qflowd.daemon.main
from qflowd.cli import main
from qflowd.engine.commands import sweep
from qflowd.store.dialects.base import Retryable
from qflowd.store.tx import Fault


def fault_from_environment() -> Fault | None:
    """The faults that `QFLOWD_FAULT` asks for, comma between them: transaction, point, number, what happens.

    `kill`: SIGKILL to itself, the number-th time. `pause:FILE`: the number-th time, until there is such a file.
    `conflict`: as if the database had met a deadlock, every number-th time.
    """
    faults = [_read(text) for text in os.environ.get("QFLOWD_FAULT", "").split(",") if text]
    if not faults:
        return None
    begins_with = os.environ.get("QFLOWD_FAULT_FROM")

    def all_faults(name: str, where: str) -> None:
        if begins_with is None or Path(begins_with).exists():
            for fault in faults:
                fault(name, where)

    return all_faults


def _read(text: str) -> Callable[[str, str], None]:
    transaction, point, number, what, *rest = text.split(":")
    every = int(number)
    numbers = itertools.count(1)  # two threads may be at the same point

    def fault(name: str, where: str) -> None:
        if (name, where) != (transaction, point):
            return
        times = next(numbers)
        if what == "conflict" and times % every == 0:
            raise Retryable("a conflict on request")
        if times == every and what == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        while times == every and what == "pause" and not Path(rest[0]).exists():
            time.sleep(0.02)

    return fault


if __name__ == "__main__":
    sweep.PART = int(os.environ.get("QFLOWD_FAULTY_SWEEP_PART", sweep.PART))
    qflowd.daemon.main.main = partial(qflowd.daemon.main.main, fault=fault_from_environment())
    sys.exit(main())

"""Ways in which a database server is away, each for as long as a block lasts."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

from tests.support.servers import Server


@contextlib.contextmanager
def hanging(server: Server) -> Iterator[None]:
    """Its processes stand still: connections are open, and nothing is answered."""
    pids = [server.pid, *children(server.pid)]
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


@contextlib.contextmanager
def stopped(server: Server) -> Iterator[None]:
    """It ends at once, as after a crash, and is started again."""
    server.stop("immediate")
    try:
        yield
    finally:
        server.start()


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a session that has just ended
            os.kill(pid, number)

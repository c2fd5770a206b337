"""Processes that a task starts: they end with it."""

import contextlib
import os
import sys
import time
from operator import attrgetter

from qflowd.workers import linux

SOONEST_US = 20  # no process starts in less (a fork takes about 200): a task that was faster needs no look
_PATIENCE_S = 1.0
# Helpers of Python's process pools, with their pid and what they read: at its end they clean up behind us, and end.
_TRACKER = attrgetter("_resource_tracker._pid", "_resource_tracker._fd")
_HELPERS = {
    "multiprocessing.resource_tracker": _TRACKER,
    "multiprocessing.forkserver": attrgetter("_forkserver._forkserver_pid", "_forkserver._forkserver_alive_fd"),
    "joblib.externals.loky.backend.resource_tracker": _TRACKER,
}


def end_children() -> bool:
    """Kill and reap all descendants of this process but Python's helpers. False: none was alive any more.

    This process must be a subreaper. Gives up after a second. Costs a microsecond where there is no child at all.
    """
    if not _has_children():
        return False
    helpers = _helpers().keys()
    until = time.monotonic() + _PATIENCE_S
    has_killed = False
    while left := {child for pid in (os.getpid(), *helpers) for child in linux.children(pid)} - helpers:
        alive = [pid for pid in left if not _reap(pid)]
        if alive and time.monotonic() >= until:
            return True
        for pid in alive:
            linux.kill(pid)
        if alive:
            has_killed = True
            time.sleep(0.001)  # dying takes a moment; then what it had started comes to us
    return has_killed


def dismiss_helpers() -> None:
    """This process is about to end, and then they are killed: have them clean up now, such as shared memory."""
    helpers = _helpers()
    for fd in helpers.values():
        with contextlib.suppress(OSError):
            os.close(fd)
    until = time.monotonic() + _PATIENCE_S
    for pid in helpers:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < until:
                time.sleep(0.001)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _reap(pid: int) -> bool:
    """Take it off the kernel's list if it is dead. False: it is not, or is a helper's child, and not ours to reap."""
    try:
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    except ChildProcessError:
        return False


def _helpers() -> dict[int, int]:
    helpers = {}
    for name, pid_and_fd in _HELPERS.items():
        if (module := sys.modules.get(name)) is not None:
            with contextlib.suppress(AttributeError):  # it is being imported in another thread
                pid, fd = pid_and_fd(module)
                if pid and fd is not None:
                    helpers[pid] = fd
    return helpers

"""SQLite's alarm: the kernel tells of writes to the WAL, `data_version` of commits."""

import ctypes
import os
from collections.abc import Callable, Collection
from math import inf
from pathlib import Path

from qflowd.store.alarm import NOTHING, Alarm
from qflowd.store.clock import boottime
from qflowd.store.dialects.sqlite_connection import SqliteConnection

IN_MODIFY = 0x2


class SqliteAlarm(Alarm[SqliteConnection]):
    """Asks SQLite whether anybody has committed: no statement, no lock, only a look at shared memory.

    A commit is seen when the disk has it, some time after the kernel told of its writes. So after a write there is one
    look after another, each after a quarter of the time that has passed since. Where the kernel tells nothing it is polling.
    """

    SLOW_S = 2.0
    SOON_S, LATE_S = 0.0002, 0.02  # until the first look after a write, at least and at most
    QUIET_S = 0.01  # without a write: the next one is the first of its transaction
    SETTLED_S = 0.5  # what commits later than this after the watch began was written after it
    BLIND_S = 0.005  # between two looks without the kernel's help
    NAP_S = 0.004  # after a commit: others, our own among them, are to follow

    def __init__(self, file: Path, connect: Callable[[], SqliteConnection]) -> None:
        super().__init__(connect)
        self._file = file
        self._inotify: int | None = None
        self._written_at = -inf  # the last write that the kernel told of, or may have kept from us
        self._watched_at = inf
        self._has_told = False
        self._began_at = -inf  # the first of the writes under way
        self._seen = -1

    def wait(self, *, is_busy: bool) -> Collection[str]:
        if self._connection is None:
            # By the thread that waits: a connection belongs to one thread. While it is open, the WAL is not replaced.
            self._connection = self._connect()
            self._inotify = watch_writes(f"{os.path.realpath(self._file)}-wal")
            self._seen = self._connection.data_version()
            # A commit may be under way whose writes came before the watch: it is looked for as if they had come now.
            self._watched_at = self._written_at = boottime()
            return NOTHING
        until = boottime() + self.SLOW_S
        is_woken, _ = self.sleep(self.NAP_S)
        pause_s = 0.0
        while not is_woken:
            is_woken, is_written = self.sleep(pause_s, self._inotify)
            if is_written and self._inotify is not None:
                is_woken = self._await_commit(self._inotify) or is_woken
            if self._has_changed(self._connection) or boottime() >= until:
                break
            pause_s = min(self._patience_s(), until - boottime())
        return NOTHING

    def _await_commit(self, inotify: int) -> bool:
        """Sleep while others write, then drop the events: a commit is hundreds of writes, and the first is not a commit yet.

        Returns: whether `wake` was called meanwhile.
        """
        now = boottime()
        if now - self._written_at > self.QUIET_S:
            self._began_at = now
        is_woken, _ = self.sleep(min(self.LATE_S, max(self.SOON_S, (now - self._began_at) / 4)))
        os.read(inotify, 1 << 16)
        self._written_at, self._has_told = boottime(), True
        return is_woken

    def _has_changed(self, connection: SqliteConnection) -> bool:
        version = connection.data_version()
        if version == self._seen:
            return False
        self._seen = version
        if not self._has_told and boottime() > self._watched_at + self.SETTLED_S:
            self._close_inotify()  # a commit without a word: on this file system the kernel does not tell
        return True

    def _patience_s(self) -> float:
        if self._inotify is None:
            return self.BLIND_S
        return max(self.SOON_S, (boottime() - self._written_at) / 4)

    def _close_inotify(self) -> None:
        if self._inotify is not None:
            os.close(self._inotify)
            self._inotify = None

    def close(self) -> None:
        super().close()
        self._close_inotify()


def watch_writes(wal: str) -> int | None:
    """A descriptor that tells of writes to a file; None where this user has used up what the kernel grants."""
    libc = ctypes.CDLL(None)
    inotify: int = libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
    if inotify >= 0 and libc.inotify_add_watch(inotify, os.fsencode(wal), IN_MODIFY) >= 0:
        return inotify
    if inotify >= 0:
        os.close(inotify)
    return None

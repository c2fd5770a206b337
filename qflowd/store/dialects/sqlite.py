"""SQLite: what a daemon must know of the file."""

import contextlib
import ctypes
import os
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from qflowd.model.errors import StoreUnavailable, StoreUnsupported
from qflowd.store.alarm import Alarm
from qflowd.store.dialects.base import Connection, Dialect
from qflowd.store.dialects.sqlite_alarm import SqliteAlarm
from qflowd.store.dialects.sqlite_connection import SqliteConnection
from qflowd.store.dialects.sqlite_renderer import SqliteRenderer

# WAL needs shared memory, which remote file systems do not have: statfs f_type and name.
REMOTE_FILE_SYSTEMS = {
    0x6969: "NFS",
    0x517B: "SMB",
    0xFF534D42: "CIFS",
    0xFE534D42: "SMB2",
    0x01021997: "9P",
    0x00C36400: "Ceph",
    0x0BD00BD0: "Lustre",
    0x65735546: "FUSE",
}


CLOSE_S = 10.0  # for other processes to close a file whose log is to go
WRITE_BYTE = 120  # of the -shm file; the process that has it locked may write


class Sqlite(Dialect):
    """A file; the namespace is its name after ATTACH."""

    name = "sqlite"
    file: Path
    has_row_locks = False
    single_statement_commits = False  # a write that begins as a read can hit BUSY_SNAPSHOT: waiting does not help

    def __init__(self, url: str) -> None:
        self.url = url
        self.file = Path(unquote(urlsplit(url).path[1:]))
        self.renderer = SqliteRenderer()
        self._write_lock = threading.Lock()
        self._log_place: tuple[int, int] | None = None

    def connect(self, name: str = "") -> SqliteConnection:
        _refuse_remote(self.file.parent)
        _make_private(self.file)
        connection = SqliteConnection(self.file, self._write_lock, self.limits)
        self._log_place = self._log_place or _place(self._beside("-wal"))
        return connection

    def _beside(self, suffix: str) -> str:
        return os.path.realpath(self.file) + suffix

    def place(self) -> tuple[int, int] | None:
        return _place(str(self.file))

    def discard_log(self) -> None:
        """Rename the old file's log: the new one would replay it when opened, and it may hold the only copy of a commit."""
        wal, shm = self._beside("-wal"), self._beside("-shm")
        if self._log_place is None or _place(wal) != self._log_place:
            return  # it was replaced or removed along with the file
        until = time.monotonic() + CLOSE_S
        while pids := {pid for pid, _, _ in _locks(shm)}:
            if time.monotonic() > until:
                raise StoreUnavailable(
                    f"{self.file} was replaced while {', '.join(map(_process, sorted(pids)))} had it open: "
                    f"stop them, remove {wal} and {shm}, which belong to the old file, and start again"
                )
            time.sleep(0.05)
        with contextlib.suppress(FileNotFoundError):
            os.rename(wal, f"{wal}.old")  # noqa: PTH104
            os.unlink(shm)  # noqa: PTH108

    def lock_holders(self, connection: Connection) -> list[str]:
        """The kernel knows. Not asked by fcntl: closing the file that takes would drop our own locks on it."""
        locks = _locks(self._beside("-shm"))
        return [_process(pid) for pid, first, last in locks if first <= WRITE_BYTE <= last]

    def migration_lock(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE is the lock."""

    def has_schema(self, connection: Connection) -> bool:
        return bool(connection.script("SELECT 1 FROM qflow.sqlite_master WHERE name = 'migration'"))

    def as_script(self, statements: Sequence[str]) -> str:
        # For `sqlite3 FILE`, which opens it without a name.
        return super().as_script([statement.replace("qflow.", "") for statement in statements])

    def alarm(self) -> Alarm[Any]:
        return SqliteAlarm(self.file, self.connect)


def _place(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)  # noqa: PTH116 - before every transaction
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _locks(path: str) -> list[tuple[int, int, int]]:
    """Process, first and last byte of each lock on a file."""
    with contextlib.suppress(OSError, ValueError):  # a lock to the end of the file has no last byte
        if place := _place(path):
            lines = Path("/proc/locks").read_text().splitlines()
            locks = [line.split() for line in lines if f":{place[1]} " in line and "->" not in line]
            return [(int(lock[4]), int(lock[6]), int(lock[7])) for lock in locks]
    return []


def _process(pid: int) -> str:
    with contextlib.suppress(OSError):
        command = Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        return f"process {pid} ({command[:100]})"
    return f"process {pid}"


def _make_private(file: Path) -> None:
    """A new file is its owner's alone; SQLite gives -wal and -shm the same mode. An existing one is not touched.

    The umask will not do: it belongs to the whole process, and threads connect at the same time.
    """
    with contextlib.suppress(FileExistsError, FileNotFoundError, PermissionError):
        os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC, 0o600))


def _refuse_remote(folder: Path) -> None:
    kind = _file_system(folder)
    if kind in REMOTE_FILE_SYSTEMS:
        raise StoreUnsupported(
            f"{folder} is on {REMOTE_FILE_SYSTEMS[kind]}, where SQLite's WAL corrupts; "
            "put the file on a local disk, or use PostgreSQL or MySQL"
        )


def _file_system(folder: Path) -> int:
    buffer = (ctypes.c_long * 32)()
    libc = ctypes.CDLL(None, use_errno=True)
    return int(buffer[0]) if libc.statfs(os.fsencode(folder), buffer) == 0 else 0

"""SQLite: what a daemon must know of the file."""

import contextlib
import ctypes
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from qflowd.model.errors import InvalidRequest, StoreUnsupported
from qflowd.store.alarm import Alarm
from qflowd.store.dialects.base import Connection, Dialect
from qflowd.store.dialects.sqlite_alarm import DataVersion
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


WRITE_BYTE = 120  # of the -shm file; whoever has it locked may write


class Sqlite(Dialect):
    """A file; the namespace is its name after ATTACH."""

    name = "sqlite"
    file: Path
    has_row_locks = False
    single_statement_commits = False  # a write that begins as a read can hit BUSY_SNAPSHOT, which no waiting mends

    def __init__(self, url: str) -> None:
        path = unquote(urlsplit(url).path)
        if not path.startswith("/") or path == "/":
            raise InvalidRequest(f"{url!r} names no file; write sqlite:///FILE or sqlite:////absolute/FILE")
        # sqlite:///qflow.db is relative, sqlite:////var/lib/qflow.db absolute.
        self.file = Path(path[1:]).absolute()
        self.renderer = SqliteRenderer()
        self._write_lock = threading.Lock()

    def connect(self, name: str = "") -> SqliteConnection:
        _refuse_remote(self.file.parent)
        _make_private(self.file)
        return SqliteConnection(self.file, self._write_lock, self.limits.write_s)

    def lock_holders(self, connection: Connection) -> list[str]:
        """The kernel knows. Not asked by fcntl: closing the file that takes would drop our own locks on it."""
        with contextlib.suppress(OSError):
            inode = os.stat(f"{os.path.realpath(self.file)}-shm").st_ino  # noqa: PTH116
            locks = [line.split() for line in Path("/proc/locks").read_text().splitlines() if f":{inode} " in line]
            return [_process(int(lock[4])) for lock in locks if int(lock[6]) <= WRITE_BYTE <= int(lock[7])]
        return []

    def migration_lock(self, connection: Connection) -> None:
        """BEGIN IMMEDIATE is the lock."""

    def migration_unlock(self, connection: Connection) -> None: ...

    def has_schema(self, connection: Connection) -> bool:
        return bool(connection.script("SELECT 1 FROM qflow.sqlite_master WHERE name = 'migration'"))

    def as_script(self, statements: Sequence[str]) -> str:
        # For `sqlite3 FILE`, which opens it without a name.
        return super().as_script([statement.replace("qflow.", "") for statement in statements])

    def alarm(self) -> Alarm:
        return DataVersion(self.file, self.connect)

    def describe(self) -> str:
        return f"sqlite:///{self.file}"


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

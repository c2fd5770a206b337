"""Identity: this daemon's incarnation in the database, and the lock file by which others on this host see that it is dead.

The lock (flock) is inherited by the nursery and the workers: it is free only when all of them are gone, so whoever gets
it may take back their rows at once, without waiting for the lease.
"""

import contextlib
import fcntl
import hashlib
import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from qflowd import __version__
from qflowd.model.errors import QflowdError
from qflowd.store.clock import DbClock, boottime
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
PREFIX = "qflowd-"


class Identity:
    """Who this daemon is. The id is an incarnation: never reused, and another one after it was taken for dead."""

    def __init__(self, store: Store, name: str | None, run_dir: Path, lease_s: float) -> None:
        self._store = store
        self.host = socket.gethostname()
        self.name = name or f"{self.host}-{os.getpid()}"
        self._lease_s = lease_s
        self._run_dir = run_dir
        self.id = 0
        self.lock_fd = -1
        self._lock_file: Path | None = None
        self.database_id = ""

    def register(self) -> None:
        """Become known as a new incarnation, not yet ready. From here on the database's clock is known."""
        asked_at = boottime()
        database = self._store.read(lambda tx: tx.one("read_database_id"))
        self.database_id = str(database.value)
        # Before any service asks what is due: the host's own clock may be hours off, and beats come later.
        if isinstance(self._store.clock, DbClock):
            self._store.clock.learn(database.server_at, asked_at)
        if self.lock_fd < 0:
            self._take_lock()

        def register_daemon(tx: Tx) -> int:
            row = tx.one(
                "insert_daemon",
                name=self.name,
                host=self.host,
                pid=os.getpid(),
                lock_file=str(self._lock_file),
                version=__version__,
                now=tx.now,
                lease_s=self._lease_s,
            )
            return int(row.id)

        self.id = self._store.transact(register_daemon)
        self._store.session_name = self.session_name(self.id)
        self.prove(0.0)
        for row in self._store.read(lambda tx: tx.run("list_namesakes", name=self.name, id=self.id)):
            if row.host != self.host or Path(f"/proc/{row.pid}").exists():
                message = "daemon %d (process %d on %s) has the name %s too; give each a [daemon] name of its own"
                log.warning(message, row.id, row.pid, row.host, self.name)

    def is_of_another_database(self) -> bool:
        """Was the database dropped and made anew since this daemon registered?"""
        return str(self._store.read(lambda tx: tx.one("read_database_id")).value) != self.database_id

    def session_name(self, daemon_id: int) -> str:
        """What the database sessions of a daemon are called, so that others can end those of a dead one."""
        return f"{PREFIX}{self.database_id[:12]}-{daemon_id}"

    def prove(self, until: float) -> None:
        """Write into the lock file until when (CLOCK_BOOTTIME) this daemon is certain to live."""
        text = f"{self.id} {round(until * 1e6)}\n".encode()
        with contextlib.suppress(OSError):  # a full disk; without this line others go by the lease in the database
            os.pwrite(self.lock_fd, text, 0)
            os.ftruncate(self.lock_fd, len(text))

    def dead_neighbours(self) -> Iterator[tuple[int, Path]]:
        """Ids of daemons of this database whose lock is free on this host, with their lock files."""
        with contextlib.suppress(OSError):
            for file in sorted(self._run_dir.glob(f"{self._prefix()}*.lock")):
                lock = _inspect(file)
                # A file of another user says nothing: in a shared folder anybody could declare a living daemon dead.
                if lock is not None and not lock.is_held and lock.id and lock.user in (0, os.geteuid()):
                    yield lock.id, file

    def release(self, *, is_settled: bool) -> None:
        """Release the lock. Unless `is_settled` the file stays, and others take back what is left."""
        if self._lock_file is not None and is_settled:
            self._lock_file.unlink(missing_ok=True)
        if self.lock_fd >= 0:
            os.close(self.lock_fd)
            self.lock_fd = -1

    def _prefix(self) -> str:
        # A restored copy has the id of the database it was made from, and other daemons under the same numbers.
        place = hashlib.sha256(self._store.dialect.describe().encode()).hexdigest()
        return f"{PREFIX}{self.database_id[:12]}-{place[:8]}-"

    def _take_lock(self) -> None:
        try:
            self._run_dir.mkdir(parents=True, exist_ok=True, mode=0o755)
            file = self._run_dir / f"{self._prefix()}{os.getpid()}-{os.urandom(4).hex()}.lock"
            # Under another name until it is locked: a neighbour that looks just then would hold it.
            unlocked = file.with_suffix(".new")
            self.lock_fd = os.open(unlocked, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            fcntl.flock(self.lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._lock_file = unlocked.rename(file)
        except OSError as error:
            raise QflowdError(
                f"cannot make a lock file in {self._run_dir}: {error}; set [daemon] run_dir to a folder of this user"
            ) from error


def run_dir_for(database_url: str, configured: Path | None) -> Path:
    """Where lock files lie: as configured, beside the SQLite file, else the first usual folder that can be written."""
    if configured is not None:
        return configured
    if database_url.startswith("sqlite:///"):
        return Path(unquote(urlsplit(database_url).path)[1:]).absolute().parent
    for variable in ("RUNTIME_DIRECTORY", "XDG_RUNTIME_DIR"):
        if folder := os.environ.get(variable):
            return Path(folder.split(":")[0]) / ("qflowd" if variable == "XDG_RUNTIME_DIR" else "")
    shared = Path("/run/lock")
    return shared / "qflowd" if os.access(shared, os.W_OK) else Path("/tmp") / f"qflowd-{os.getuid()}"  # noqa: S108


class _Lock(NamedTuple):
    """A lock file, and what the daemon wrote into it: its id, and until when it lives; 0 where it has written none yet."""

    is_held: bool
    user: int
    id: int
    until: float


def proves_life(lock_file: str) -> bool:
    """Does this lock file prove that a daemon on this host lives? False also where there is no such file."""
    lock = _inspect(lock_file)
    return lock is not None and lock.is_held and lock.until > boottime()


def _inspect(file: str | Path) -> _Lock | None:
    """None if it cannot be opened."""
    try:
        fd = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        is_held = False
        try:
            fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            is_held = True
        number, _, until_us = os.pread(fd, 60, 0).decode(errors="replace").strip().partition(" ")
        id_ = int(number) if number.isdigit() else 0
        return _Lock(is_held, os.fstat(fd).st_uid, id_, int(until_us) / 1e6 if until_us.isdigit() else 0.0)
    finally:
        os.close(fd)

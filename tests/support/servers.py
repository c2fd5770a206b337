"""Real database servers on free loopback ports in a temporary folder: started, broken, restarted and removed here.

    with postgres() as server:                 # or mariadb(), sqlite(); durable=False for speed
        url = server.create_database()         # an empty place for a store: every call gives a fresh one
        url = server.create_store()            # the same with the schema, which is made once and then copied
        server.admin("SELECT 1")               # as superuser, outside any transaction
        server.kill(); server.start()          # for fault tests; also stop("fast"), restart()

No server that was already running is ever touched. A keeper process ends ours even if this process is killed hard.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import weakref
from pathlib import Path
from typing import Any, Self

from tests.support.binaries import (
    Programs,
    Unavailable,
    client,
    find,
    mariadb_programs,
    postgres_programs,
    postgres_version,
)
from tests.support.schemas import dump, emptying, make_schema, new_id

__all__ = ["MariaDB", "Postgres", "Server", "Sqlite", "Unavailable", "client", "mariadb", "postgres", "sqlite"]

START_S = 60.0
START_TRIES = 10
MEMORY = Path("/dev/shm")  # Linux keeps these files in memory: a test server waits for no disk
ROOM_BYTES = 4 << 30  # so much must be free there for servers of tests, or they use the temporary folder
_KEEPER = """
cat >/dev/null                                  # until the parent is gone
for f in "$1"/*/server.pid; do
    [ -f "$f" ] || continue
    p=$(cat "$f"); n=0
    kill -QUIT "$p" 2>/dev/null
    while [ $n -lt 30 ] && kill -0 "$p" 2>/dev/null; do sleep 0.1; n=$((n + 1)); done
    kill -KILL "$p" 2>/dev/null
done
rm -rf "$1"
"""


@functools.cache
def server_user() -> str | None:
    """The user that servers run as: None (ourselves), or for root an unprivileged one, as PostgreSQL demands."""
    if os.geteuid() != 0:
        return None
    for name in ("nobody", "postgres", "daemon"):
        with contextlib.suppress(KeyError):
            if pwd.getpwnam(name).pw_uid != 0:
                return name
    raise Unavailable("root has no unprivileged user to run a server as")


def _temporary_base(*, durable: bool) -> Path:
    """A folder that the server's user can reach: the temporary one, or for speed one in memory, if that is large."""
    disks = (Path(tempfile.gettempdir()), Path("/tmp"), Path("/var/tmp"))
    has_room = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ROOM_BYTES
    for path in disks if durable or not has_room else (MEMORY, *disks):
        if path.is_dir() and (not server_user() or all(p.stat().st_mode & 0o001 for p in (path, *path.parents))):
            return path
    raise Unavailable("no temporary folder that a server can use")


@functools.cache
def run_folder(*, durable: bool) -> Path:
    """This process's folder for servers; the keeper removes it, and what still runs in it, after our end.

    What is not durable may lie in memory: it survives the death of a server, not of the machine.
    """
    folder = Path(tempfile.mkdtemp(prefix="qflowd-", dir=_temporary_base(durable=durable)))
    folder.chmod(0o711)
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", _KEEPER, "keeper", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )

    owner = os.getpid()

    def release() -> None:
        assert keeper.stdin
        if os.getpid() != owner:  # a forked child that ends must leave the servers alone
            return
        for server in [each for each in _running if each.folder.parent == folder]:
            server.close()
        keeper.stdin.close()
        keeper.wait(10)

    atexit.register(release)
    return folder


def free_port() -> int:
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A database server of our own. `durable`: the server's default settings; else commits survive its death only."""

    kind: str
    _stop_signals: dict[str, signal.Signals]

    def __init__(self, *, durable: bool = True, settings: dict[str, str] | None = None) -> None:
        self.durable = durable
        self.settings = settings or {}
        self.folder = Path(tempfile.mkdtemp(prefix=f"{self.kind}-", dir=run_folder(durable=durable)))
        self.data = self.folder / "data"
        self.log = self.folder / "server.log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._count = 0  # of databases
        self._model: Any = None  # what stores are copied from
        self._made: dict[str, int] = {}  # by file: how the store of a server that has one looked when it had been made
        self._has_answered = False
        self.programs = self._find_programs()
        self._own(self.folder)
        self._make_data()

    # -------------------------------------------------------------- for each kind

    def _find_programs(self) -> Programs:
        raise NotImplementedError

    def _make_data(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str]:
        raise NotImplementedError

    def connect(self, database: str | None = None) -> Any:
        """A new autocommit connection as superuser, made with the plain driver."""
        raise NotImplementedError

    def url(self, database: str = "") -> str:
        """The URL of a database of this server."""
        raise NotImplementedError

    def create_database(self, name: str | None = None) -> str:
        """An empty place for a store; returns its URL."""
        raise NotImplementedError

    def create_store(self) -> str:
        """A store as its migrations leave it; returns its URL. They run at the first call, later ones copy what they made."""
        raise NotImplementedError

    def drop_database(self, url: str) -> None:
        """Remove what create_database made, whoever is still connected."""
        raise NotImplementedError

    def give_back(self, url: str) -> None:
        """End with what create_store made: nobody is connected to it any more, and it is removed or kept for the next."""
        self.drop_database(url)

    # -------------------------------------------------------------- the same for all

    def start(self) -> Self:
        """Start on the data there is, and wait until it answers."""
        if self._process and self._process.poll() is None:
            return self
        end = time.monotonic() + START_S
        for _ in range(START_TRIES):
            with self.log.open("ab") as log:
                self._process = self._popen(self._command(), log)
            (self.folder / "server.pid").write_text(str(self._process.pid))
            _running.add(self)
            if self._wait_until_it_answers(end):
                return self
            self._end(signal.SIGKILL)
            time.sleep(0.3)  # remains of a killed predecessor, or the port was taken meanwhile
            if not self._has_answered:
                self.port = free_port()
        raise Unavailable(f"{self.kind} does not start:\n{self.log_tail()}")

    def stop(self, mode: str = "fast") -> None:
        """Stop in order: `smart` waits for clients, `fast` sends them away, `immediate` is a crash."""
        self._end(self._stop_signals[mode])

    def kill(self) -> None:
        """The server is dead at once, as by the out-of-memory killer."""
        self._end(signal.SIGKILL)

    def restart(self, mode: str = "fast") -> Self:
        """Stop and start; the port stays."""
        self.stop(mode)
        return self.start()

    @property
    def pid(self) -> int:
        """The process of the running server."""
        if not self._process or self._process.poll() is not None:
            raise RuntimeError(f"{self.kind} does not run")
        return self._process.pid

    def admin(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement as superuser, outside any transaction; returns its rows."""
        with contextlib.closing(self.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()] if cursor.description else []

    def log_tail(self) -> str:
        """The last lines that the server wrote."""
        return self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""

    def close(self) -> None:
        """Stop and remove everything."""
        if self._process and self._process.poll() is None:
            self._end(self._stop_signals["immediate"])
        _running.discard(self)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    # -------------------------------------------------------------- helpers

    def _end(self, number: signal.Signals) -> None:
        if not self._process:
            return
        if self._process.poll() is None:
            self._process.send_signal(number)
            try:
                self._process.wait(30)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
        (self.folder / "server.pid").unlink(missing_ok=True)
        self._process = None

    def _wait_until_it_answers(self, end: float) -> bool:
        assert self._process
        while self._process.poll() is None and time.monotonic() < end:
            with contextlib.suppress(Exception):  # each driver says "not yet" in its own way
                self.admin("SELECT 1")
                self._has_answered = True
                return True
            time.sleep(0.05)
        return False

    def _own(self, path: Path) -> None:
        path.mkdir(exist_ok=True)
        if user := server_user():
            entry = pwd.getpwnam(user)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def _popen(self, command: list[str], output: Any) -> subprocess.Popen[bytes]:
        user = server_user()
        identity: dict[str, Any] = {}
        if user:
            identity = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        environment = {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC", "HOME": str(self.folder)}
        environment["TMPDIR"] = str(self.folder)  # MariaDB deletes the temporary tables of others that share its folder
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment | self.programs.env,
            cwd=self.folder,
            start_new_session=True,  # Ctrl-C is for the tests, not for the server
            **identity,
        )

    def _run(self, *command: str | Path) -> None:
        with self.log.open("ab") as log:
            code = self._popen([str(c) for c in command], log).wait(START_S)
        if code:
            raise Unavailable(f"{command[0]} failed:\n{self.log_tail()}")


_running: weakref.WeakSet[Server] = weakref.WeakSet()


class Postgres(Server):
    """A PostgreSQL server; each store is a database of its own. Superuser postgres, trusted on loopback."""

    kind = "postgres"
    _stop_signals = {"smart": signal.SIGTERM, "fast": signal.SIGINT, "immediate": signal.SIGQUIT}  # noqa: RUF012

    def __init__(self, version: int | None = None, **options: Any) -> None:
        self.version = version
        super().__init__(**options)

    def _find_programs(self) -> Programs:
        return postgres_programs(self.version)

    def _make_data(self) -> None:
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        self._run(find(self.programs, "initdb"), "-D", self.data, *options)

    def _command(self) -> list[str]:
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "200",
            "timezone": "UTC",
            "shared_buffers": "128MB",
        }
        if not self.durable:  # commits still survive the server's death, only not the machine's
            settings |= {"fsync": "off", "full_page_writes": "off", "max_wal_size": "128MB"}
        settings |= self.settings
        command = [str(find(self.programs, "postgres")), "-D", str(self.data)]
        for key, value in settings.items():
            command += ["-c", f"{key}={value}"]
        return command

    def connect(self, database: str | None = None) -> Any:
        """A new autocommit connection as superuser."""
        import psycopg

        return psycopg.connect(self.url(database or "postgres"), autocommit=True, connect_timeout=5)

    def url(self, database: str = "postgres") -> str:
        """The URL of a database."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str | None = None) -> str:
        """A new empty database."""
        self._count += 1
        name = name or f"test_{self._count}"
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url(name)

    def create_store(self) -> str:
        """A copy of the database `model`, which nobody else connects to."""
        if not self._model:
            model = self.create_database("model")
            make_schema(model)
            self._model = model
        self._count += 1
        name = f"test_{self._count}"
        # By pages, as usual, everything is written to the log too: twice the time.
        by_files = " STRATEGY file_copy" if postgres_version(self.programs.folder) >= 15 else ""
        self.admin(f'CREATE DATABASE "{name}" TEMPLATE model{by_files}')
        self.admin(new_id(), name)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Remove the database and whoever is connected to it."""
        self.admin(f'DROP DATABASE IF EXISTS "{url.rsplit("/", 1)[1]}" WITH (FORCE)')


class MariaDB(Server):
    """A MariaDB server. Its one store is the database `qflow`, whatever the URL says. Superuser root, no password."""

    kind = "mariadb"
    _stop_signals = {"smart": signal.SIGTERM, "fast": signal.SIGTERM, "immediate": signal.SIGKILL}  # noqa: RUF012

    def _find_programs(self) -> Programs:
        return mariadb_programs()

    def _options(self) -> list[str]:
        base = [f"--basedir={self.programs.base / 'usr'}"] if self.programs.base else []
        if self.programs.base:
            base += [f"--plugin-dir={self.programs.base / 'usr/lib/mysql/plugin'}"]
        return ["--no-defaults", *base, f"--datadir={self.data}"]

    def _make_data(self) -> None:
        options = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"]
        self._run(find(self.programs, "mariadb-install-db"), *self._options(), *options)

    def _command(self) -> list[str]:
        settings = {
            "bind-address": "127.0.0.1",
            "port": str(self.port),
            "socket": str(self.folder / "s"),
            "pid-file": str(self.folder / "mariadb.pid"),
            "max-connections": "200",
            "skip-name-resolve": "1",
            "character-set-server": "utf8mb4",
        }
        if not self.durable:  # 2: written at each commit, so it survives the server's death, only not the machine's
            settings |= {"innodb-flush-log-at-trx-commit": "2", "innodb-doublewrite": "0"}
            settings |= {"innodb-log-file-size": "48M"}
        settings |= self.settings
        return [
            str(find(self.programs, "mariadbd")),
            *self._options(),
            *(f"--{key}={value}" for key, value in settings.items()),
        ]

    def connect(self, database: str | None = None) -> Any:
        """A new autocommit connection as superuser."""
        import pymysql

        return pymysql.connect(
            host="127.0.0.1",
            port=self.port,
            user="root",
            database=database,
            autocommit=True,
            connect_timeout=5,
            ssl_disabled=True,  # or it reads the certificates of the whole world first
        )

    def url(self, database: str = "") -> str:
        """The URL; the path is only where a plain client would begin."""
        return f"mysql://root@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str | None = None) -> str:
        """No database `qflow` any more; the engine makes it. Any other name is created empty."""
        if name and name != "qflow":
            self.admin(f"CREATE DATABASE `{name}`")
            return self.url(name)
        self.drop_database(self.url())
        return self.url()

    def create_store(self) -> str:
        """The database `qflow` as the migrations make it: emptied, or of statements that say what they made."""
        if self._model is None:
            url = self.create_database()
            make_schema(url)
            self._model = dump(self.connect("qflow"))
            return url
        if self._made and self._made == self._definitions():
            self._empty()
        else:
            self.create_database()
            with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
                for statement in (*self._model.made, *self._model.filled.values(), new_id()):
                    cursor.execute(statement)
            self._made = self._definitions()
        return self.url()

    def give_back(self, url: str) -> None:
        """Empty the store where its tables are as they were made: to make them takes three times as long."""
        if self._made and self._made == self._definitions():
            self._empty()
        else:
            self.drop_database(url)

    def _empty(self) -> None:
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            _send_away(cursor)
            cursor.execute("USE qflow")
            for statement in (*emptying(cursor, self._model), new_id()):
                cursor.execute(statement)

    def _definitions(self) -> dict[str, int]:
        """Files that say what there is in `qflow`, and when each was written: whatever changes a table or view does."""
        folder = self.data / "qflow"
        if not folder.is_dir():
            return {}
        return {entry.name: entry.stat().st_mtime_ns for entry in os.scandir(folder) if not entry.name.endswith(".ibd")}

    def drop_database(self, url: str) -> None:
        """Remove the database (none in the URL: `qflow`) after sending away whoever might lock it."""
        with contextlib.closing(self.connect()) as connection, connection.cursor() as cursor:
            _send_away(cursor)
            cursor.execute(f"DROP DATABASE IF EXISTS `{url.rsplit('/', 1)[1] or 'qflow'}`")


def _send_away(cursor: Any) -> None:
    """End all other sessions."""
    cursor.execute(
        "SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND user <> 'system user'"
    )
    for (number,) in cursor.fetchall():
        with contextlib.suppress(Exception):  # it may have gone by itself
            cursor.execute(f"KILL {number}")


class Sqlite(Server):
    """No server: each store is a file in a folder of its own. It has the same shape, so that a test can take all three."""

    kind = "sqlite"
    _stop_signals = {"immediate": signal.SIGKILL}  # noqa: RUF012

    def _find_programs(self) -> Programs:
        return Programs(self.folder)

    def _own(self, path: Path) -> None:
        path.mkdir(exist_ok=True)

    def _make_data(self) -> None:
        self.data.mkdir()

    def start(self) -> Self:
        """Nothing to start."""
        return self

    def connect(self, database: str | None = None) -> Any:
        """A connection as the engine's: an empty main database with the file attached as qflow."""
        import apsw

        connection = apsw.Connection(":memory:")
        connection.set_busy_timeout(10_000)
        if database:
            connection.execute("ATTACH ? AS qflow", (database,))
        return connection

    def admin(self, sql: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run one statement on a file (its path) attached as qflow."""
        with contextlib.closing(self.connect(database)) as connection:
            return [tuple(row) for row in connection.execute(sql)]

    def url(self, database: str = "") -> str:
        """The URL of a file: `sqlite:///` and its absolute path."""
        return f"sqlite:///{database}"

    def create_database(self, name: str | None = None) -> str:
        """A path in a new folder; the file does not exist yet."""
        self._count += 1
        folder = self.data / (name or f"test_{self._count}")
        folder.mkdir(parents=True)
        return self.url(str(folder / "qflow.db"))

    def create_store(self) -> str:
        """A copy of the file `model`."""
        if not self._model:
            model = self.create_database("model")
            make_schema(model)
            self._model = model
        url = self.create_database()
        shutil.copy(self._model.removeprefix("sqlite:///"), url.removeprefix("sqlite:///"))
        self.admin(new_id(), url.removeprefix("sqlite:///"))
        return url

    def drop_database(self, url: str) -> None:
        """Remove the file's folder."""
        shutil.rmtree(Path(url.removeprefix("sqlite:///")).parent, ignore_errors=True)


def postgres(*, version: int | None = None, durable: bool = True, **settings: str) -> Postgres:
    """A PostgreSQL server, not yet started; `version` is the major one, `settings` are its own (`work_mem="64MB"`)."""
    return Postgres(version, durable=durable, settings=settings)


def mariadb(*, durable: bool = True, **settings: str) -> MariaDB:
    """A MariaDB server, not yet started; `settings` are its options with underscores."""
    return MariaDB(durable=durable, settings=settings)


def sqlite(*, durable: bool = True) -> Sqlite:
    """Places for SQLite files; how durable they are is the engine's business."""
    return Sqlite(durable=durable)


MAKERS = {"sqlite": sqlite, "postgres": postgres, "mariadb": mariadb}


def main() -> None:
    """Run servers by hand until Enter: `python -m tests.support.servers postgres mariadb`."""
    with contextlib.ExitStack() as stack:
        for kind in sys.argv[1:] or ["postgres", "mariadb"]:
            server = stack.enter_context(MAKERS[kind]())
            print(server.create_database(), flush=True)
        with contextlib.suppress(EOFError, KeyboardInterrupt):
            input("Enter ends them. ")


if __name__ == "__main__":
    main()

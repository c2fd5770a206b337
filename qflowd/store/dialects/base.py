"""What a dialect must be able to do. The tx door knows these classes and no driver."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

from qflowd.config.database_url import without_password
from qflowd.model.errors import GrantsMissing, StoreUnavailable
from qflowd.store.alarm import Alarm
from qflowd.store.catalog import Statement
from qflowd.store.render import Renderer

Rows = Sequence[tuple[Any, ...]]
NO_ROWS: Rows = ()
RESTED_S = 120.0  # a session that was not used for longer is replaced: servers and firewalls end such


class Retryable(Exception):
    """Deadlock, serialization failure, busy: the whole transaction may be run again at once."""


class LockTimeout(Retryable):
    """Somebody else's transaction held what this one needs for as long as a session may wait."""


class Disconnected(Exception):
    """The connection is gone; whether a COMMIT under way was applied is not known."""


class Forbidden(Exception):
    """The account of this session may not do that."""


class DataRefused(Exception):
    """The database refused a value (too long, not in its character set, out of range), or holds one that cannot be read."""


class Duplicate(DataRefused):
    """A row with this key is there already, as that of somebody who was a moment earlier."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a session may wait and rest, in seconds. A daemon's limits follow from its lease."""

    lock_s: float = 10.0  # for a row that is locked
    write_s: float = 30.0  # for SQLite's only write lock
    idle_s: float = 60.0  # inside a transaction, before the server ends the session
    read_s: float | None = None  # a statement outside a transaction; None: as long as it takes

    @classmethod
    def of_lease(cls, lease_s: float) -> "Limits":
        return cls(max(1.0, lease_s / 3), max(5.0, lease_s / 3), max(10.0, lease_s))


class Connection(ABC):
    """One connection, used by one thread."""

    changed = 0  # rows hit by the last statement

    @abstractmethod
    def begin(self) -> None:
        """Start a transaction that may write."""

    @abstractmethod
    def commit(self) -> None: ...

    @abstractmethod
    def rollback(self) -> None: ...

    @abstractmethod
    def close(self) -> None: ...

    def sever(self) -> None:  # noqa: B027 - a file has no peer
        """Break the connection to a server that does not answer; from any thread, the one that waits included."""

    @abstractmethod
    def run(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        """Run a statement and return its rows as named tuples; `changed` then holds how many rows it hit."""

    @abstractmethod
    def script(self, sql: str) -> list[tuple[Any, ...]]:
        """Run one ready text without parameters (migrations, probes)."""


@contextmanager
def opening(connection: Connection) -> Iterator[None]:
    """Around a session's first statements: if it breaks in them it is closed, and that is an outage like any other."""
    try:
        yield
    except (Disconnected, Retryable) as error:
        connection.close()
        raise StoreUnavailable(f"lost the database while connecting: {error}") from error
    except BaseException:
        connection.close()
        raise


class Dialect(ABC):
    """One database server or file, named by a URL."""

    name: ClassVar[str]
    single_statement_commits: ClassVar[bool] = True  # may one writing statement do without BEGIN?
    has_row_locks: ClassVar[bool] = True
    ddl_in_transaction: ClassVar[bool] = True
    has_waker: ClassVar[bool] = False  # do the inboxes notify daemons that say they sleep?
    renderer: Renderer
    url: str
    file: Path | None = None  # of an embedded database
    limits = Limits()

    @abstractmethod
    def connect(self, name: str = "") -> Connection:
        """Open a connection. `name`: of the daemon it belongs to, by which `end_sessions` finds it.

        Raises: StoreUnavailable, or StoreUnsupported for a server we cannot use.
        """

    def end_sessions(self, connection: Connection, name: str) -> None:  # noqa: B027 - a file has none
        """End all sessions of the daemon of this name: what they hold in open transactions is free again."""

    def place(self) -> tuple[int, int] | None:
        """Device and inode of the file; None if it is not there, and for servers."""
        return None

    def discard_log(self) -> None:  # noqa: B027 - a server keeps its own
        """Put aside the log of a file that was replaced, once all connections here are closed. Raises: StoreUnavailable."""

    def without_grant(self, error: Forbidden) -> GrantsMissing:
        """What a caller is told where the account of the database may not do something: who, what, and who can change it."""
        account, name = unquote(urlsplit(self.url).username or "of this login"), self.name
        return GrantsMissing(
            f"the database account {account} lacks a grant: {error}; the schema's owner gives it: sql/grants/{name}_api.sql "
            f"for `qflowd api`, {name}.sql and {name}_python.sql for clients. Daemons and `qflowd migrate` need the owner"
        )

    @abstractmethod
    def lock_holders(self, connection: Connection) -> list[str]:
        """Who keeps a transaction open that others may be waiting for, longest first, as far as we may know."""

    @abstractmethod
    def migration_lock(self, connection: Connection) -> None:
        """Let one migration at a time continue; inside its transaction where DDL is transactional."""

    def migration_unlock(self, connection: Connection) -> None:  # noqa: B027 - most locks end with their transaction
        """Let the next migration continue."""

    def ddl_applied_already(self, error: Exception) -> bool:
        """Does this error say that a step of a migration was done before a crash?"""
        return False

    @abstractmethod
    def has_schema(self, connection: Connection) -> bool:
        """Is the ledger of migrations there?"""

    def create_namespace(self, connection: Connection) -> None:  # noqa: B027 - most have nothing to make
        """Make the namespace `qflow`, where the dialect has one to make."""

    def check_tables(self, connection: Connection) -> None:  # noqa: B027 - most hold what they were made to hold
        """Raises StoreUnsupported where a table of the schema cannot hold every text."""

    def learn_server(self) -> None:  # noqa: B027 - most have nothing to learn
        """Ask the server what the schema's text depends on, where it depends on anything."""

    def as_script(self, statements: Sequence[str]) -> str:
        """A whole schema as text for the database's own client."""
        return ";\n\n".join(["BEGIN", *statements, "COMMIT"]) + ";\n"

    @abstractmethod
    def alarm(self) -> Alarm[Any]:
        """A way to wait for what others write."""

    def describe(self) -> str:
        """The URL without its secrets, for logs."""
        return without_password(self.url)

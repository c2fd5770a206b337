"""What a dialect must be able to do. The tx door knows these classes and no driver."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

from qflowd.model.errors import StoreUnavailable
from qflowd.store.alarm import Alarm
from qflowd.store.catalog import Statement
from qflowd.store.render import Renderer

Rows = Sequence[tuple[Any, ...]]
NO_ROWS: Rows = ()


class Retryable(Exception):
    """Deadlock, serialization failure, busy: the whole transaction may be run again at once."""


class Disconnected(Exception):
    """The connection is gone; whether a COMMIT under way was applied is not known."""


class DataRefused(Exception):
    """The database refused a value (too long, not in its character set, out of range)."""


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
    has_waker: ClassVar[bool] = False  # do the inboxes notify daemons that say they sleep?
    renderer: Renderer
    file: Path | None = None  # of an embedded database

    @abstractmethod
    def connect(self) -> Connection:
        """Open a connection. Raises StoreUnavailable, or StoreUnsupported for a server we cannot use."""

    @abstractmethod
    def migration_lock(self, connection: Connection) -> None:
        """Let one migration at a time go on; inside its transaction where DDL is transactional."""

    @abstractmethod
    def migration_unlock(self, connection: Connection) -> None: ...

    ddl_in_transaction: ClassVar[bool] = True

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
    def alarm(self) -> Alarm:
        """A way to wait for what others write."""

    def describe(self) -> str:
        """The URL without its secrets, for logs."""
        return self.name

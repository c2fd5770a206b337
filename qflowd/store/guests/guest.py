"""Queries to databases of others: one at a time, read only, and each for ten seconds at most.

Such a database has neither our schema nor our settings, and nothing is written there, so the door of `tx.py` is not for it.
Its driver is imported when it is asked for the first time.
"""

import contextlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Final
from urllib.parse import quote, unquote, urlsplit

from qflowd.config.database_url import without_password
from qflowd.define.query_text import with_names
from qflowd.model.workflow import Json

LONGEST_ROW: Final = 1 << 20  # bytes
CONNECT_S: Final = 10
PEER_S: Final = 15  # for which a server may say nothing at all: longer than a statement takes
TOO_LONG: Final = f"the query gives more than {LONGEST_ROW:,} bytes; let it give one short value, such as a count"


class GuestFailed(Exception):
    """A database that cannot be reached, or that has refused a query or not answered it in time; without a password."""


class Guest(ABC):
    """A session in a database of others, for one thread.

    `stopped`: the error of a statement that took longer than `statement_s`, where it has one of its own.
    """

    statement_s: ClassVar[int] = 10
    probe_sql: ClassVar[str] = "SELECT 1"
    stopped: ClassVar[type[Exception] | tuple[()]]

    def __init__(self, url: str) -> None:
        self._url = url

    def first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        """The first column of the first row, as a tuple of one; None where there is no row.

        Args:
            sql: as `fault_in_query` lets it pass.

        Raises: GuestFailed.
        """
        with _translated(type(self), self._url):
            row = self._first_value(sql, params)
        if row == ():
            raise GuestFailed("the query gives rows without a column")
        return row

    def probe(self) -> None:
        """Ask for what there always is. Raises: GuestFailed."""
        self.first_value(self.probe_sql, {})

    @abstractmethod
    def open(self, name: str) -> None:
        """Begin it. `name`: what a server's lists of sessions show, where they do."""

    @abstractmethod
    def _first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        """As `first_value`, with the driver's errors; an empty tuple for a row without columns.

        Raises: GuestFailed with `TOO_LONG` for an answer of more than `LONGEST_ROW` bytes.
        """

    @abstractmethod
    def close(self) -> None: ...


@contextmanager
def visit(url: str, name: str) -> Iterator[Guest]:
    """A session at `url`, closed at the end. `name`: as of `Guest.open`.

    Raises: GuestFailed.
    """
    guest = _kind_of(url)(url)
    try:
        with _translated(type(guest), url):
            guest.open(name)
        yield guest
    finally:
        with contextlib.suppress(Exception):  # it may be broken already, or never have begun
            guest.close()


def _kind_of(url: str) -> type[Guest]:
    scheme = urlsplit(url).scheme.partition("+")[0]
    if scheme == "sqlite":
        from qflowd.store.guests.sqlite_guest import SqliteGuest

        return SqliteGuest
    if "postgres" in scheme:
        from qflowd.store.guests.postgres_guest import PostgresGuest

        return PostgresGuest
    from qflowd.store.guests.mysql_guest import MysqlGuest

    return MysqlGuest


def with_pyformat(sql: str) -> str:
    """A query with its named values as `%(name)s`."""
    return with_names(sql, lambda name: f"%({name})s", lambda text: text.replace("%", "%%"))


@contextmanager
def _translated(kind: type[Guest], url: str) -> Iterator[None]:
    """Turn the errors of drivers into GuestFailed."""
    try:
        yield
    except GuestFailed:
        raise
    except kind.stopped as error:
        raise GuestFailed(f"the query was stopped after {kind.statement_s} s") from error
    except Exception as error:  # whatever a driver meets in a stranger's database, it is not ours
        raise GuestFailed(_without_password(url, _message(error))) from error


def _message(error: Exception) -> str:
    """In one line; the text of PyMySQL's own errors is a tuple."""
    text = (
        f"{error.args[1]} (error {error.args[0]})"
        if len(error.args) == 2 and not isinstance(error, OSError)
        else str(error)
    )
    return "; ".join(line.strip() for line in text.splitlines() if line.strip(" ^")) or type(error).__name__


def _without_password(url: str, text: str) -> str:
    """Drivers repeat what they cannot read of a URL."""
    parts = urlsplit(url)
    text = text.replace(url, without_password(url))
    options = [option.partition("=")[2] for option in parts.query.split("&") if "password" in option.partition("=")[0]]
    for written in filter(None, [parts.password, *options]):
        for word in (written, unquote(written), quote(unquote(written), safe="")):
            text = text.replace(word, "…")
    return text

"""Queries to databases of others: one at a time, read only, and each for ten seconds at most.

Such a database has neither our schema nor our settings, and nothing is written there, so the door of `tx.py` is not for it.
"""

import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote, unquote, urlsplit

import apsw
import psycopg
import pymysql

from qflowd.config.database_url import without_password
from qflowd.define.query_text import with_names
from qflowd.model.workflow import Json
from qflowd.store.dialects.mysql_connection import MysqlSession, arguments
from qflowd.store.dialects.postgres_connection import KEEPALIVE, SESSION, libpq_url
from qflowd.store.dialects.sqlite_connection import LOOK_EVERY

STATEMENT_S: Final = 10
CONNECT_S: Final = 10
PEER_S: Final = 15  # for which a server may say nothing at all: longer than a statement takes
_AS_PYTHON_DOES: Final = {"write": lambda name: f"%({name})s", "escape": lambda text: text.replace("%", "%%")}


class GuestFailed(Exception):
    """A database that cannot be reached, or that has refused a query or not answered it in time; without a password."""


class Guest(ABC):
    """A session in a database of others, for one thread."""

    @abstractmethod
    def first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        """The first column of the first row, as a tuple of one; None where there is no row.

        Args:
            sql: as `fault_in_query` lets it pass.

        Raises: GuestFailed.
        """

    @abstractmethod
    def close(self) -> None: ...


@contextmanager
def visit(url: str, name: str) -> Iterator[Guest]:
    """A session at `url`, closed at the end. `name`: what a server's lists of sessions show, where they do.

    Raises: GuestFailed.
    """
    kind = urlsplit(url).scheme.partition("+")[0]
    with _told(url):
        guest = (
            _SqliteGuest(url)
            if kind == "sqlite"
            else _PostgresGuest(url, name)
            if "postgres" in kind
            else _MysqlGuest(url)
        )
    try:
        yield guest
    finally:
        with contextlib.suppress(Exception):  # it may be broken already
            guest.close()


class _SqliteGuest(Guest):
    def __init__(self, url: str) -> None:
        self._url = url
        file = Path(unquote(urlsplit(url).path[1:]))
        self._db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        self._db.set_busy_timeout(STATEMENT_S * 1000)

    def first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        ends_at = time.monotonic() + STATEMENT_S
        self._db.set_progress_handler(lambda: time.monotonic() > ends_at, LOOK_EVERY)
        with _told(self._url):
            cursor = self._db.execute(sql, cast("Any", params))
            try:
                return next((row[:1] for row in cursor), None)
            finally:
                cursor.close(force=True)

    def close(self) -> None:
        self._db.close()


class _PostgresGuest(Guest):
    def __init__(self, url: str, name: str) -> None:
        self._url = url
        options = SESSION | KEEPALIVE | {"connect_timeout": CONNECT_S, "application_name": name}
        self._driver = psycopg.connect(libpq_url(url), **cast("Any", options))

    def first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        text = with_names(sql, **_AS_PYTHON_DOES)
        with _told(self._url):
            self._driver.execute(
                f"BEGIN READ ONLY; SET LOCAL statement_timeout = '{STATEMENT_S}s'; SET LOCAL lock_timeout = '{STATEMENT_S}s'"
            )
            try:
                # A cursor of the server: of a long answer only one row travels.
                with self._driver.cursor("qflowd") as cursor:
                    row = cursor.execute(cast("Any", text), params).fetchone()
            finally:
                if not self._driver.broken:
                    self._driver.execute("ROLLBACK")
        return row and row[:1]

    def close(self) -> None:
        self._driver.close()


class _MysqlGuest(Guest):
    def __init__(self, url: str) -> None:
        self._url = url
        self._driver: pymysql.connections.Connection[Any] = MysqlSession(
            **arguments(url),
            database=unquote(urlsplit(url).path[1:]) or None,
            autocommit=True,
            charset="utf8mb4",
            connect_timeout=CONNECT_S,
            read_timeout=PEER_S,
            write_timeout=PEER_S,
        )
        is_mariadb = "mariadb" in str(self._driver.get_server_info()).lower()  # type: ignore[no-untyped-call]
        limit = f"max_statement_time = {STATEMENT_S}" if is_mariadb else f"max_execution_time = {STATEMENT_S * 1000}"
        # One row is enough of an answer.
        self._tell(f"SET SESSION {limit}, sql_select_limit = 1, lock_wait_timeout = {STATEMENT_S}")

    def first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        text = with_names(sql, **_AS_PYTHON_DOES)
        with _told(self._url):
            self._tell("START TRANSACTION READ ONLY")
            with self._driver.cursor() as cursor:
                cursor.execute(text, dict(params))
                row: tuple[Any, ...] | None = cursor.fetchone()
            self._tell("ROLLBACK")
        return row and row[:1]

    def _tell(self, sql: str) -> None:
        with self._driver.cursor() as cursor:
            cursor.execute(sql)

    def close(self) -> None:
        self._driver.close()


@contextmanager
def _told(url: str) -> Iterator[None]:
    """Turn the errors of drivers into GuestFailed."""
    try:
        yield
    except (apsw.InterruptError, psycopg.errors.QueryCanceled) as error:
        raise GuestFailed(f"the query was stopped after {STATEMENT_S} s") from error
    except (apsw.Error, psycopg.Error, pymysql.Error, OSError, ValueError, TypeError, OverflowError) as error:
        raise GuestFailed(_without_password(url, _message(error))) from error


def _message(error: Exception) -> str:
    """In one line; the text of PyMySQL's own errors is a tuple."""
    text = (
        f"{error.args[1]} (error {error.args[0]})"
        if isinstance(error, pymysql.Error) and len(error.args) == 2
        else str(error)
    )
    return "; ".join(line.strip() for line in text.splitlines() if line.strip(" ^")) or type(error).__name__


def _without_password(url: str, text: str) -> str:
    """Drivers repeat what they cannot read of a URL."""
    parts = urlsplit(url)
    text = text.replace(url, without_password(url))
    for word in {parts.password, unquote(parts.password or ""), quote(unquote(parts.password or ""), safe="")} - {
        None,
        "",
    }:
        text = text.replace(str(word), "…")
    return text

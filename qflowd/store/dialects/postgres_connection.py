"""A session on PostgreSQL through psycopg 3. Works behind PgBouncer's transaction pooling: no session state.

Statements are prepared only in a session that is ours alone.
"""

import contextlib
import os
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import repeat
from typing import Any, cast

import psycopg
from psycopg import errors as pg

from qflowd.config.database_url import without_password
from qflowd.model.errors import QueryTooSlow, StoreUnavailable, StoreUnsupported
from qflowd.store.catalog import Statement
from qflowd.store.dialects.base import (
    Connection,
    DataRefused,
    Disconnected,
    Duplicate,
    Forbidden,
    Limits,
    LockTimeout,
    Retryable,
    Rows,
)
from qflowd.store.dialects.postgres_renderer import single

OLDEST = 140000  # CREATE OR REPLACE TRIGGER
# One round trip. What hangs must not hold rows for ever; plans stay on the indexes, else a batch reads a large table whole.
# A scan that is forbidden and the only way looks so dear that it would be compiled, for a table of two rows: hence no JIT.
# Generic plans: left to itself the server plans each execution of a row set anew, for it knows how long the arrays are.
BEGIN = (
    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = {lock_ms}; SET LOCAL statement_timeout = '60s'; "
    "SET LOCAL idle_in_transaction_session_timeout = {idle_ms}; SET LOCAL enable_seqscan = off; "
    "SET LOCAL enable_bitmapscan = off; SET LOCAL jit = off; SET LOCAL plan_cache_mode = force_generic_plan"
)
PREPARE_AFTER = 3  # executions; planning is half of what a small statement takes
PREPARE_READS_AFTER = 0  # of a session that reads views over and over: planning one takes longer than all else, so once
MOST_PREPARED_READS = 60  # of such a session, those used last: plans of views have a megabyte, some have eight
SESSION = {"autocommit": True, "connect_timeout": 10, "prepare_threshold": None, "client_encoding": "utf8"}
KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3, "tcp_user_timeout": 15000}


class PostgresConnection(Connection):
    """One session."""

    def __init__(self, url: str, name: str, limits: Limits) -> None:
        self._begin = BEGIN.format(lock_ms=round(limits.lock_s * 1000), idle_ms=round(limits.idle_s * 1000))
        more = {"application_name": name} if name else {}
        try:
            self.driver = psycopg.connect(libpq_url(url), **cast("Any", SESSION | KEEPALIVE | more))
        except psycopg.OperationalError as error:
            message = "; ".join(line.strip() for line in str(error).splitlines() if line.strip())
            raise StoreUnavailable(f"cannot reach PostgreSQL at {without_password(url)}: {message}") from error
        self._may_prepare = self._prepares_reads = False
        self._read_s = limits.read_s

    def check(self) -> None:
        """Learn what may be done here. Raises: StoreUnsupported."""
        if self.driver.info.server_version < OLDEST:
            raise StoreUnsupported(
                f"PostgreSQL {self.driver.info.server_version // 10000} is too old; qflowd needs 14 or newer"
            )
        if (encoding := self.driver.info.parameter_status("server_encoding")) != "UTF8":
            raise StoreUnsupported(
                f"the database has the encoding {encoding}, which cannot hold every text; "
                "make one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
            )
        # A pooler answers with a number of its own, and gives each transaction another session.
        if self.script("SELECT pg_backend_pid()") == [(self.driver.info.backend_pid,)]:
            self.driver.prepare_threshold = PREPARE_AFTER
            self.script("SET jit = off")  # the views are many small looks; compiling them takes a second
            if self._read_s is not None:
                self.script(f"SET statement_timeout = {round(self._read_s * 1000)}")
                # Plans that are kept outside of transactions stay on the indexes as well.
                self.script("SET plan_cache_mode = force_generic_plan")
                self.script("SET enable_seqscan = off")
                # A reading of milliseconds would wait for processes that the server starts to share it.
                self.script("SET max_parallel_workers_per_gather = 0")
                self.driver.prepare_threshold, self._prepares_reads = PREPARE_READS_AFTER, True
                self.driver.prepared_max = MOST_PREPARED_READS

    def begin(self) -> None:
        self.script(self._begin)
        # A kept plan stays on the indexes only if it was made under the settings of a transaction.
        self._may_prepare = True

    def commit(self) -> None:
        self._may_prepare = False
        self.script("COMMIT")

    def rollback(self) -> None:
        self._may_prepare = False
        if self.driver.closed or self.driver.broken:
            raise Disconnected("the connection is closed")
        self.script("ROLLBACK")

    def close(self) -> None:
        self.driver.close()

    def sever(self) -> None:
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self.driver.fileno())) as peer:
            peer.shutdown(socket.SHUT_RDWR)

    def run(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        # Of a view one plan is large enough: a session that keeps them has that for many rows only.
        is_view = self._prepares_reads and not self._may_prepare
        text, values = bound(statement, params, rows, as_many=is_view)
        with translated():
            prepare = None if self._may_prepare or is_view else False
            cursor = self.driver.execute(cast("Any", text), values, prepare=prepare)
            self.changed = max(cursor.rowcount, 0)
            if cursor.description is None:
                return []
            if statement.make_row is None:
                statement.learn_columns([column.name for column in cursor.description])
            result = cursor.fetchall()
        return statement.make_rows(result, _to_utc)

    def script(self, sql: str) -> list[tuple[Any, ...]]:
        with translated():
            cursor = self.driver.execute(cast("Any", sql), prepare=False)
            return cursor.fetchall() if cursor.description else []

    def notifications(self, timeout_s: float = 0) -> set[str]:
        """The payloads of the notifications that have come in; with a timeout, wait for the first."""
        with translated():
            notifies = self.driver.notifies(timeout=timeout_s, stop_after=1 if timeout_s else None)
            return {notification.payload for notification in notifies}


def bound(
    statement: Statement, params: Mapping[str, Any], rows: Rows, *, as_many: bool = False
) -> tuple[str, dict[str, Any]]:
    """The text to send, and its values. `as_many`: one row is sent as several are."""
    text, columns = statement.text(params), statement.rows
    if columns is None:
        return text, dict(params)
    values: Iterable[str | None]
    if len(rows) == 1 and not as_many:
        text = single(text, columns)
        values = (None if value is None else _text(value) for value in rows[0])
    else:
        values = map(array_text, zip(*rows, strict=True) if rows else repeat(()), columns.types)
    return text, {**params, **{f"rows_{name}": value for name, value in zip(columns.names, values, strict=True)}}


def array_text(column: Sequence[Any], kind: str) -> str:
    """A PostgreSQL array literal. Our own, because psycopg's list dumper costs 0.5 µs an element."""
    if kind in ("bigint", "int", "smallint", "double", "microseconds"):
        return "{%s}" % ",".join(["NULL" if value is None else str(value) for value in column])  # noqa: UP031
    return "{%s}" % ",".join([_element(value) for value in column])  # noqa: UP031


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    return '"' + _text(value).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _text(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _to_utc(instant: datetime) -> datetime:
    if instant.tzinfo is UTC:
        return instant
    try:
        return instant.astimezone(UTC)
    except OverflowError:  # near the years 1 and 9999: left as it is for the reader of the row
        return instant


def libpq_url(url: str) -> str:
    """As libpq reads it: its scheme has no driver in it."""
    scheme, _, rest = url.partition("://")
    return f"postgresql://{rest}" if scheme != "postgresql" else url


@contextmanager
def translated() -> Iterator[None]:
    """Turn psycopg's errors into the door's."""
    try:
        yield
    except pg.QueryCanceled as error:
        raise QueryTooSlow(str(error).strip()) from error
    except pg.LockNotAvailable as error:
        raise LockTimeout(str(error)) from error
    except (pg.DeadlockDetected, pg.SerializationFailure) as error:
        raise Retryable(str(error)) from error
    except pg.FeatureNotSupported as error:
        if error.diag.source_function != "RevalidateCachedQuery":
            raise
        # What was prepared no longer fits the schema: another session prepares it again.
        raise Disconnected(str(error).strip()) from error
    except pg.InsufficientPrivilege as error:
        raise Forbidden(str(error).strip()) from error
    except pg.UniqueViolation as error:
        raise Duplicate(str(error)) from error
    except (psycopg.DataError, psycopg.IntegrityError, pg.ProgramLimitExceeded, UnicodeEncodeError) as error:
        raise DataRefused(str(error)) from error
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        pg.InvalidSqlStatementName,  # what was prepared is gone
        pg.ReadOnlySqlTransaction,  # a failover
    ) as error:
        raise Disconnected(str(error).strip()) from error

"""A connection through apsw: an empty main database with the file attached as `qflow`, WAL, synchronous FULL."""

import math
import random
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import apsw

from qflowd.model.errors import QueryTooSlow, StoreUnavailable, StoreUnsupported
from qflowd.store.catalog import Statement
from qflowd.store.clock import from_microseconds, to_microseconds
from qflowd.store.dialects.base import Connection, DataRefused, Duplicate, Limits, LockTimeout, Retryable, Rows
from qflowd.store.render import RowSet

LOOK_EVERY = 20_000  # steps of SQLite's machine, a millisecond or two
STATEMENTS = 32  # that a connection keeps ready: few, as apsw looks through them for every row of a row set


class SqliteConnection(Connection):
    """One connection to the file."""

    def __init__(self, file: Path, write_lock: threading.Lock, limits: Limits) -> None:
        self._write_lock, self._patience_s, self._read_s = write_lock, limits.write_s, limits.read_s
        self._ends_at = math.inf  # of the statement that reads now
        self._busy_until = 0.0
        self._holds_lock = False
        try:
            self._db = apsw.Connection(":memory:", statementcachesize=STATEMENTS)
            self._db.set_busy_handler(self._wait_while_busy)
            if self._read_s is not None:
                self._db.set_progress_handler(lambda: time.monotonic() > self._ends_at, LOOK_EVERY)
            # A plan that may depend on a parameter's value would be made anew for each: milliseconds for a view.
            self._db.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            with translated():
                # An UPDATE of many rows keeps what it overwrites until it has ended: not in a file. Set later, it would have
                # SQLite read the schema again, which is half of what opening a connection takes.
                self.script("PRAGMA temp_store = MEMORY")
                self._db.execute("ATTACH ? AS qflow", (str(file),))
                self.script("PRAGMA qflow.journal_mode = WAL")
                self.script("PRAGMA qflow.synchronous = FULL")
                self.script("PRAGMA qflow.cache_size = -65536")
                # A page that is written by every batch is copied into the file now and then, not with each thousandth page.
                self.script("PRAGMA qflow.wal_autocheckpoint = 8000")
                self.script("PRAGMA qflow.journal_size_limit = 67108864")
        except apsw.SQLError as error:  # "must use the same text encoding"
            raise StoreUnsupported(f"cannot use the SQLite file {file}: its text is UTF-16, qflowd's UTF-8") from error
        except (apsw.NotADBError, Retryable, StoreUnavailable) as error:
            raise StoreUnavailable(
                f"cannot use the SQLite file {file}: {error.__cause__ or error}; check that the folder exists and is writable"
            ) from error

    def begin(self) -> None:
        # Within one process a lock is fairer than SQLite's polling.
        if not self._write_lock.acquire(timeout=self._patience_s):
            raise LockTimeout(f"another thread has been writing for {self._patience_s:.0f} s")
        self._holds_lock = True
        try:
            with translated():
                self._db.execute("BEGIN IMMEDIATE")
        except Retryable as error:
            self._release()
            raise LockTimeout(str(error)) from error
        except BaseException:
            self._release()
            raise

    def _wait_while_busy(self, attempt: int) -> bool:
        # A short random sleep beats SQLite's own back-off: +34 % throughput, worst wait 20 ms instead of 400.
        if attempt == 0:
            self._busy_until = time.monotonic() + self._patience_s
        time.sleep(random.uniform(0.0002, 0.002))
        return time.monotonic() < self._busy_until

    def commit(self) -> None:
        with translated():
            self._db.execute("COMMIT")
        self._release()

    def rollback(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        finally:
            self._release()

    def _release(self) -> None:
        if self._holds_lock:
            self._holds_lock = False
            self._write_lock.release()

    def close(self) -> None:
        self._release()
        self._db.close()

    def run(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        result = self._part(statement, params, rows)
        if statement.then is not None:
            changed = self.changed
            result = self._part(statement.then, params, rows or result) or result
            self.changed = changed
        return result

    def _part(self, statement: Statement, params: Mapping[str, Any], rows: Rows) -> list[Any]:
        before = self._db.total_changes()
        if self._read_s is not None:
            self._ends_at = math.inf if self._holds_lock else time.monotonic() + self._read_s
        with translated():
            if statement.rows is not None:
                # One prepared statement stepped per row: faster here than reading the rows back out of JSON.
                cursor = self._db.executemany(statement.sql, _bound(statement.rows, params, rows))
            else:
                cursor = self._db.execute(statement.text(params), {key: _bind(value) for key, value in params.items()})
            if statement.make_row is None and (description := _columns(cursor)):
                statement.learn_columns(description)
            # The cursor is read to its end at once: an open one keeps the write lock.
            try:
                result = cursor.fetchall()
            except UnicodeDecodeError as error:
                cursor.close(force=True)  # clients can store text that is not UTF-8
                raise DataRefused(str(error)) from error
        self.changed = self._db.total_changes() - before
        return statement.make_rows(result, _to_instant)

    def script(self, sql: str) -> list[tuple[Any, ...]]:
        with translated():
            return self._db.execute(sql).fetchall()

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        with translated():
            [(version,)] = self._db.execute("PRAGMA qflow.data_version")
        return int(version)


def _bound(columns: RowSet, params: Mapping[str, Any], rows: Rows) -> Iterator[tuple[Any, ...]]:
    """The rows, each followed by the statement's other parameters."""
    others = tuple([_bind(params[name]) for name in columns.others])
    if "instant" in columns.types:
        return (tuple([to_microseconds(v) if type(v) is datetime else v for v in row]) + others for row in rows)
    return (row + others for row in rows)


def _bind(value: Any) -> Any:
    return to_microseconds(value) if isinstance(value, datetime) else value


def _to_instant(value: Any) -> Any:
    """The instant in a column: microseconds in internal tables, text in inboxes and views.

    What a client wrote into an inbox may be no instant; it is left as it is for the reader of the row.
    """
    if isinstance(value, int):
        return from_microseconds(value)
    try:
        return datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return value


def _columns(cursor: apsw.Cursor) -> list[str]:
    try:
        return [str(column[0]) for column in cursor.get_description()]
    except apsw.ExecutionCompleteError:
        return []  # no rows came: the columns are learned another time


@contextmanager
def translated() -> Iterator[None]:
    """Turn apsw's errors into the door's."""
    try:
        yield
    except apsw.InterruptError as error:
        raise QueryTooSlow(str(error)) from error
    except (apsw.BusyError, apsw.LockedError, apsw.SchemaChangeError) as error:
        raise Retryable(str(error)) from error
    except (apsw.TooBigError, apsw.MismatchError, apsw.ConstraintError, UnicodeEncodeError, OverflowError) as error:
        raise (Duplicate if _is_duplicate(error) else DataRefused)(str(error)) from error
    except (apsw.IOError, apsw.FullError, apsw.ReadOnlyError, apsw.CantOpenError, apsw.NoMemError) as error:
        raise StoreUnavailable(
            f"SQLite cannot write: {error}; check the disk, and who may write to the file"
        ) from error


def _is_duplicate(error: Exception) -> bool:
    codes = (apsw.SQLITE_CONSTRAINT_UNIQUE, apsw.SQLITE_CONSTRAINT_PRIMARYKEY, apsw.SQLITE_CONSTRAINT_ROWID)
    return isinstance(error, apsw.ConstraintError) and getattr(error, "extendedresult", None) in codes

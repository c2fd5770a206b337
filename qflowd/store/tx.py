"""The one door to the database: every transaction is a function over `tx`, and `tx.run` is the only way in.

The whole function is run again on deadlock, serialization failure and busy, so it must be replay-safe; after a lost
connection it may have been applied although the caller sees StoreUnavailable. Faults for tests come in here too.
"""

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from qflowd.model.errors import QflowdError, RowsLocked, StoreUnavailable
from qflowd.model.instruments import Instruments, TransactionCommitted
from qflowd.store.catalog import Catalog
from qflowd.store.clock import CLOCK_S, DbClock, TimeSource, boottime
from qflowd.store.dialects import dialect_for
from qflowd.store.dialects.base import (
    NO_ROWS,
    RESTED_S,
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
from qflowd.store.own_connection import OwnConnection

T = TypeVar("T")
TRIES = 10

__all__ = ["DataRefused", "Duplicate", "Fault", "Retryable", "Store", "Tx"]

# Called with (transaction, point) at `begin`, `before_commit`, `after_commit`; it may raise, kill or pause.
Fault = Callable[[str, str], None]


class Tx:
    """A transaction under way."""

    def __init__(self, connection: Connection, catalog: Catalog, now: datetime) -> None:
        self._connection = connection
        self._catalog = catalog
        self.now = now  # the same instant for everything this transaction writes

    def run(self, statement: str, /, rows: Rows = NO_ROWS, **params: Any) -> list[Any]:
        """Run a statement by its name; its result rows as named tuples. `rows` fills its row set."""
        return self._connection.run(self._catalog[statement], params, rows)

    def count(self, statement: str, /, rows: Rows = NO_ROWS, **params: Any) -> int:
        """Run a writing statement; returns how many rows it hit."""
        self._connection.run(self._catalog[statement], params, rows)
        return self._connection.changed

    def one(self, statement: str, /, rows: Rows = NO_ROWS, **params: Any) -> Any:
        """The first row, or None."""
        result = self._connection.run(self._catalog[statement], params, rows)
        return result[0] if result else None

    def part(self, work: Callable[["Tx"], T]) -> T:
        """Run a part of this transaction. If it raises a QflowdError, what it wrote is undone, and the transaction may continue."""
        self._connection.script("SAVEPOINT part")
        try:
            result = work(self)
        except QflowdError:
            self._connection.script("ROLLBACK TO SAVEPOINT part")
            self._connection.script("RELEASE SAVEPOINT part")
            raise
        self._connection.script("RELEASE SAVEPOINT part")
        return result


class _Rehearsed(Exception):
    """This transaction has been rehearsed."""


class Store:
    """A database that holds (or will hold) the schema `qflow`. One connection per thread that uses it."""

    def __init__(
        self,
        url: str,
        *,
        clock: TimeSource | None = None,
        fault: Fault | None = None,
        lease_s: float | None = None,
        read_s: float | None = None,
        follows_clock: bool = False,
        instruments: Instruments | None = None,
    ) -> None:
        """`lease_s`: of the daemon whose store this is; its sessions wait and rest no longer than that allows.

        `read_s`: how long a statement outside a transaction may run; then QueryTooSlow is raised.

        `follows_clock`: ask the database's clock with the first connection, and when it is used a minute later, and so on.

        `instruments`: get an event for every commit, and those of the services that use this store.
        """
        self.instruments = instruments or Instruments()
        self.dialect = dialect_for(url)
        self.session_name = ""  # of the daemon; sessions of another name are replaced at their next use
        self._is_of_daemon = lease_s is not None
        if lease_s is not None:
            self.dialect.limits = Limits.of_lease(lease_s)
        if read_s is not None:
            self.dialect.limits = replace(self.dialect.limits, read_s=read_s)
        self.clock = clock or DbClock()
        self._clock_at = -CLOCK_S if follows_clock else float("inf")  # when it was asked
        self._fault = fault
        self._local = threading.local()
        self._open: set[Connection] = set()
        self._place: tuple[int, int] | None = None  # of an embedded database's file, as it was opened
        self._is_made_anew = False  # on a server: see `disown`
        self._catalog: Catalog | None = None

    @property
    def catalog(self) -> Catalog:
        if self._catalog is None:
            self._catalog = Catalog.shared(self.dialect.renderer)
        return self._catalog

    def transact(self, work: Callable[[Tx], T], *, name: str = "", single: bool = False) -> T:
        """Run `work` in a transaction and commit it; run it again from the start after a conflict.

        Args:
            name: of the transaction, for faults and logs; default the function's name.
            single: `work` runs exactly one statement, so BEGIN and COMMIT can be spared where that is safe.

        Raises: StoreUnavailable if the connection is lost or conflicts do not end (it may have been applied); RowsLocked;
            DataRefused if a value was refused; GrantsMissing; whatever `work` raises. Except in the first case nothing was
            written.
        """
        name = name or getattr(work, "__name__", "")
        bare = single and self.dialect.single_statement_commits
        begun_at = boottime() if self.instruments.listeners else 0.0
        for attempt in range(TRIES):
            connection = self.connection()
            try:
                self._local.own.is_busy = True
                result = self._once(connection, work, name, bare=bare)
                if begun_at:
                    self.instruments.emit(TransactionCommitted(name, boottime() - begun_at, attempt + 1))
                return result
            except Retryable as error:
                self._roll_back(connection)
                if isinstance(error, LockTimeout) and (self._is_of_daemon or attempt == TRIES - 1):
                    outage = RowsLocked if self.dialect.has_row_locks else StoreUnavailable
                    raise outage(
                        f"transaction {name}: {error}; {self.lock_holders() or 'no session holds it now'}"
                    ) from error
                if attempt == TRIES - 1:
                    raise StoreUnavailable(f"transaction {name} met a conflict {TRIES} times: {error}") from error
                time.sleep(random.uniform(0.001, 0.01) * (attempt + 1))
            except Disconnected as error:
                self.disconnect()
                raise StoreUnavailable(f"lost the database in transaction {name}: {error}") from error
            except BaseException as error:
                self._roll_back(connection)
                if isinstance(error, Forbidden):
                    raise self.dialect.without_grant(error) from error
                raise
            finally:
                if self._local.own is not None:
                    self._local.own.is_busy = False
        raise AssertionError

    def rehearse(self, work: Callable[[Tx], T]) -> T:
        """What `work` returns in a transaction that is then rolled back: nothing of it stays.

        Raises: StoreUnavailable, DataRefused; whatever `work` raises.
        """
        returned: list[T] = []

        def roll_back(tx: Tx) -> None:
            returned[:] = [work(tx)]
            raise _Rehearsed

        with contextlib.suppress(_Rehearsed):
            self.transact(roll_back, name="rehearse")
        return returned[0]

    def _once(self, connection: Connection, work: Callable[[Tx], T], name: str, *, bare: bool) -> T:
        if not bare:
            connection.begin()
        self._point(name, "begin")
        result = work(Tx(connection, self.catalog, self.clock.now()))
        self._point(name, "before_commit")
        if not bare:
            connection.commit()
        self._point(name, "after_commit")
        return result

    def _point(self, name: str, point: str) -> None:
        if self._fault is not None:
            self._fault(name, point)

    def _roll_back(self, connection: Connection) -> None:
        try:
            connection.rollback()
        except Exception:  # noqa: BLE001 - whatever it is, a connection that cannot roll back is of no use
            self.disconnect()

    def ask(self, work: Callable[[Connection], T]) -> T:
        """Run what needs no statement of the catalog, on this thread's connection.

        Raises: StoreUnavailable if the connection is lost, or the database is locked; GrantsMissing; whatever `work` raises.
        """
        try:
            return work(self.connection())
        except Forbidden as error:
            raise self.dialect.without_grant(error) from error
        except Retryable as error:
            raise StoreUnavailable(f"the database is locked: {error}") from error
        except Disconnected as error:
            self.disconnect()
            raise StoreUnavailable(f"lost {self.dialect.describe()}: {error}") from error

    def read(self, work: Callable[[Tx], T]) -> T:
        """Run `work`, which only reads. Every statement sees what is committed at its start.

        Raises: StoreUnavailable if the database cannot be reached; GrantsMissing.
        """
        for attempt in range(TRIES):
            try:
                return work(Tx(self.connection(), self.catalog, self.clock.now()))
            except Forbidden as error:
                raise self.dialect.without_grant(error) from error
            except Retryable:
                time.sleep(0.01 * (attempt + 1))
            except Disconnected as error:
                self.disconnect()
                raise StoreUnavailable(f"lost the database: {error}") from error
        raise StoreUnavailable("the database stays locked")

    def connection(self) -> Connection:
        """This thread's connection, opened when first asked for, and again when the file is another one.

        Raises: StoreUnavailable, for a daemon also if its database was replaced; RuntimeError in a fork of the process that
            opened it, whose session it would break.
        """
        own: OwnConnection | None = getattr(self._local, "own", None)
        now = boottime()
        if own is not None and own.pid != os.getpid():
            raise RuntimeError("a connection was carried over a fork; open the store in the process that uses it")
        if loss := self.loss():
            raise StoreUnavailable(loss)
        key = self.session_name, self._place
        is_stale = own is not None and (own.key != key or now - own.used_at > RESTED_S)
        if own is not None and is_stale and not own.is_busy:
            self.disconnect()
            own = None
        if own is None:
            connection = self.dialect.connect(self.session_name)
            self._place = self._place or self.dialect.place()
            own = self._local.own = OwnConnection(connection, (self.session_name, self._place), self._open)
        own.used_at = now
        if now - self._clock_at >= CLOCK_S and not own.is_busy:
            self.ask_clock()
        return own.connection

    def ask_clock(self) -> None:
        """Set this store's clock by the database's. Raises: StoreUnavailable."""
        self._clock_at = asked_at = boottime()
        [row] = self.read(lambda tx: tx.run("show_clock"))
        if isinstance(self.clock, DbClock):
            self.clock.learn(row.server_at, asked_at)

    def loss(self) -> str:
        """What became of the database that was opened first, in words; empty while it is there.

        A daemon knows what is true of that file alone; clients follow to the one that took its place.
        """
        if self._is_made_anew:
            return f"the database of {self.dialect.describe()} was replaced by another one"
        place = self.dialect.place()
        if place == self._place or self._place is None:
            return ""
        if place is None:
            return f"{self.dialect.file} no longer exists: move it back, or restore a backup"
        if self._is_of_daemon:
            return f"{self.dialect.file} was replaced by another file"
        self._place = place
        return ""

    @property
    def is_replaced(self) -> bool:
        """Is another database where that of this daemon was?"""
        return self._is_made_anew or (self._place is not None and self.dialect.place() not in (None, self._place))

    def disown(self) -> None:
        """A server's database has been dropped and made anew: what this daemon knows is not true of it, so it is not used."""
        self._is_made_anew = True

    def end_sessions(self, name: str) -> None:
        """End the sessions of a daemon that is dead, by the name they were opened under.

        Raises: StoreUnavailable; whatever the server says to a user who may not.
        """
        self.ask(lambda connection: self.dialect.end_sessions(connection, name))

    def lock_holders(self) -> str:
        """The sessions that may hold what others wait for, in words; "" where no transaction has been open for long."""
        try:
            holders = self.dialect.lock_holders(self.connection())
        except (Disconnected, StoreUnavailable, Retryable):
            self.disconnect()
            return "who holds it cannot be asked now"
        return f"held by {' or '.join(holders)}" if holders else ""

    def sever(self) -> None:
        """Break all connections that are in use: their threads learn at once that the server does not answer."""
        for connection in list(self._open):
            connection.sever()

    def disconnect(self) -> None:
        """Close this thread's connection; the next use opens another."""
        own: OwnConnection | None = getattr(self._local, "own", None)
        self._local.own = None
        if own is not None:
            own.close()

    def close(self) -> None:
        """Close all connections, of all threads; they must be at rest.

        Raises: StoreUnavailable if the file was replaced while this daemon ran, and others use it with the old one's log.
        """
        while self._open:
            self._open.pop().close()
        self._local = threading.local()
        if self._is_of_daemon and self.is_replaced:
            self.dialect.discard_log()

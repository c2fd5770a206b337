"""PostgreSQL servers of others."""

import contextlib
import os
import socket
import threading
from collections.abc import Iterator, Mapping
from typing import Any, cast

import psycopg

from qflowd.model.workflow import Json
from qflowd.store.dialects.postgres_connection import KEEPALIVE, SESSION, libpq_url
from qflowd.store.guests.guest import CONNECT_S, LONGEST_ROW, PEER_S, TOO_LONG, Guest, GuestFailed, with_pyformat


class PostgresGuest(Guest):
    """A transaction for each query."""

    stopped = psycopg.errors.QueryCanceled

    def open(self, name: str) -> None:
        options = SESSION | KEEPALIVE | {"connect_timeout": CONNECT_S, "application_name": name}
        self._driver = psycopg.connect(libpq_url(self._url), **cast("Any", options))

    def _first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        text = with_pyformat(sql)
        with self._within(PEER_S):
            self._driver.execute(
                f"BEGIN READ ONLY; SET LOCAL statement_timeout = '{self.statement_s}s'; SET LOCAL lock_timeout = '{self.statement_s}s'"
            )
            try:
                # A cursor of the server: of a long answer only one row travels.
                self._driver.execute(cast("Any", f"DECLARE qflowd CURSOR FOR {text}"), params)
                row = _first_row(self._driver.execute("FETCH 1 FROM qflowd"))
            finally:
                if not self._driver.broken:
                    self._driver.execute("ROLLBACK")
        return row and row[:1]

    @contextlib.contextmanager
    def _within(self, seconds: float) -> Iterator[None]:
        """Break the connection if that takes longer: a server, or a pooler before it, may say nothing and be there."""
        timer = threading.Timer(seconds, self._sever)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def _sever(self) -> None:
        with contextlib.suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(self._driver.fileno())) as peer:
            peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._driver.close()


def _first_row(cursor: psycopg.Cursor[tuple[Any, ...]]) -> tuple[Any, ...] | None:
    """Nothing says a row's length before it is sent, so one that is too long is refused before it is made into values."""
    sent = cursor.pgresult
    if sent is not None and sent.ntuples:
        length = sum(len(sent.get_value(0, i) or b"") for i in range(sent.nfields))
        if length > LONGEST_ROW:
            raise GuestFailed(TOO_LONG)
    return cursor.fetchone()

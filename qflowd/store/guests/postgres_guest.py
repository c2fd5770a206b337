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
from qflowd.store.guests.guest import CONNECT_S, PEER_S, Guest, with_pyformat


class PostgresGuest(Guest):
    """A transaction for each query."""

    stopped = psycopg.errors.QueryCanceled

    def open(self, name: str) -> None:
        options = SESSION | KEEPALIVE | {"connect_timeout": CONNECT_S, "application_name": name}
        self._driver = psycopg.connect(libpq_url(self._url), **cast("Any", options))

    def _first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        text = with_pyformat(sql)
        self._driver.execute(
            f"BEGIN READ ONLY; SET LOCAL statement_timeout = '{self.statement_s}s'; SET LOCAL lock_timeout = '{self.statement_s}s'"
        )
        try:
            # A cursor of the server: of a long answer only one row travels.
            with self._within(PEER_S), self._driver.cursor("qflowd") as cursor:
                row = cursor.execute(cast("Any", text), params).fetchone()
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

"""PostgreSQL servers of others."""

from collections.abc import Mapping
from typing import Any, cast

import psycopg

from qflowd.model.workflow import Json
from qflowd.store.dialects.postgres_connection import KEEPALIVE, SESSION, libpq_url
from qflowd.store.guests.guest import CONNECT_S, Guest, with_pyformat


class PostgresGuest(Guest):
    """A transaction for each query."""

    errors = psycopg.Error
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
            with self._driver.cursor("qflowd") as cursor:
                row = cursor.execute(cast("Any", text), params).fetchone()
        finally:
            if not self._driver.broken:
                self._driver.execute("ROLLBACK")
        return row and row[:1]

    def close(self) -> None:
        self._driver.close()

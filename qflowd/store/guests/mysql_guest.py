"""MySQL and MariaDB servers of others."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql

from qflowd.model.workflow import Json
from qflowd.store.dialects.mysql_connection import MysqlSession, arguments
from qflowd.store.guests.guest import CONNECT_S, PEER_S, Guest, with_pyformat


class MysqlGuest(Guest):
    """Its errors say themselves which statement was stopped; the name is shown nowhere."""

    stopped = ()

    def open(self, name: str) -> None:
        self._driver: pymysql.connections.Connection[Any] = MysqlSession(
            **arguments(self._url),
            database=unquote(urlsplit(self._url).path[1:]) or None,
            autocommit=True,
            charset="utf8mb4",
            connect_timeout=CONNECT_S,
            read_timeout=PEER_S,
            write_timeout=PEER_S,
        )
        is_mariadb = "mariadb" in str(self._driver.get_server_info()).lower()  # type: ignore[no-untyped-call]
        limit = (
            f"max_statement_time = {self.statement_s}"
            if is_mariadb
            else f"max_execution_time = {self.statement_s * 1000}"
        )
        # One row is enough of an answer.
        self._run(f"SET SESSION {limit}, sql_select_limit = 1, lock_wait_timeout = {self.statement_s}")

    def _first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        text = with_pyformat(sql)
        self._run("START TRANSACTION READ ONLY")
        with self._driver.cursor() as cursor:
            cursor.execute(text, dict(params))
            row: tuple[Any, ...] | None = cursor.fetchone()
        self._run("ROLLBACK")
        return row and row[:1]

    def _run(self, sql: str) -> None:
        with self._driver.cursor() as cursor:
            cursor.execute(sql)

    def close(self) -> None:
        self._driver.close()

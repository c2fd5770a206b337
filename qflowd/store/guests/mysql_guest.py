"""MySQL and MariaDB servers of others."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

from qflowd.model.workflow import Json
from qflowd.store.dialects.mysql_connection import MysqlSession, arguments
from qflowd.store.guests.guest import CONNECT_S, LONGEST_ROW, PEER_S, TOO_LONG, Guest, GuestFailed, with_pyformat


class _BoundedSession(MysqlSession):
    """It hangs up on an answer that is too long, as the server says its length: before that is read.

    `left`: how many bytes may still come; None: any number.
    """

    left: int | None = None

    def _read_bytes(self, num_bytes: int) -> bytes:
        if self.left is not None:
            self.left -= num_bytes
            if self.left < 0:
                self._force_close()  # type: ignore[attr-defined]
                raise GuestFailed(TOO_LONG)
        read: bytes = super()._read_bytes(num_bytes)  # type: ignore[misc]
        return read


class MysqlGuest(Guest):
    """Its errors say themselves which statement was stopped; the name is shown nowhere."""

    stopped = ()

    def open(self, name: str) -> None:
        self._driver = _BoundedSession(
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
        self._driver.left = LONGEST_ROW  # a LIMIT of its own takes the place of that of the session
        with self._driver.cursor() as cursor:
            cursor.execute(text, dict(params))
            row: tuple[Any, ...] | None = cursor.fetchone()
        self._driver.left = None
        self._run("ROLLBACK")
        return row and row[:1]

    def _run(self, sql: str) -> None:
        with self._driver.cursor() as cursor:
            cursor.execute(sql)

    def close(self) -> None:
        self._driver.close()

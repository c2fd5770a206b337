"""SQLite files of others."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import apsw

from qflowd.model.workflow import Json
from qflowd.store.dialects.sqlite_connection import LOOK_EVERY
from qflowd.store.guests.guest import LONGEST_ROW, TOO_LONG, Guest, GuestFailed


class SqliteGuest(Guest):
    """Its file is opened to be read; the name is shown nowhere."""

    stopped = apsw.InterruptError
    probe_sql = "SELECT count(*) FROM sqlite_master"  # its file is read with the first table

    def open(self, name: str) -> None:
        file = Path(unquote(urlsplit(self._url).path[1:]))
        self._db = apsw.Connection(str(file), flags=apsw.SQLITE_OPEN_READONLY)
        self._db.set_busy_timeout(self.statement_s * 1000)
        self._db.limit(apsw.SQLITE_LIMIT_LENGTH, LONGEST_ROW)

    def _first_value(self, sql: str, params: Mapping[str, Json]) -> tuple[Any, ...] | None:
        ends_at = time.monotonic() + self.statement_s
        self._db.set_progress_handler(lambda: time.monotonic() > ends_at, LOOK_EVERY)
        try:
            cursor = self._db.execute(sql, cast("Any", params))
            try:
                return next((row[:1] for row in cursor), None)
            finally:
                cursor.close(force=True)
        except apsw.TooBigError:
            raise GuestFailed(TOO_LONG) from None

    def close(self) -> None:
        self._db.close()

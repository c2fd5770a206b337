"""The connection that a thread has for itself."""

import contextlib
import os
from typing import Any

from qflowd.store.clock import boottime
from qflowd.store.dialects.base import Connection


class OwnConnection:
    """The connection of a thread, which is closed when the thread has ended."""

    def __init__(self, connection: Connection, key: tuple[Any, ...], among: set[Connection]) -> None:
        self.connection, self.key, self.pid, self._among = connection, key, os.getpid(), among
        self.used_at = boottime()
        self.is_busy = False  # in a transaction
        among.add(connection)

    def close(self) -> None:
        self._among.discard(self.connection)
        with contextlib.suppress(Exception):  # it may be broken already
            self.connection.close()

    def __del__(self) -> None:
        # In a fork the session still belongs to the parent, so the set keeps it as it is.
        if self.connection in self._among and self.pid == os.getpid():
            self.close()

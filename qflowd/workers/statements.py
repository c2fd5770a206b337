"""Statements of a task that is to stop: the server is asked to cancel them, for a driver that waits in C does not."""

import contextlib
import copy
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

_PATIENCE_S = 2


def cancel_statements(frame: FrameType | None) -> None:
    """Cancel what runs in connections of psycopg and PyMySQL that wait in `frame` or its callers."""
    drivers = [(sys.modules[name], cancel) for name, cancel in _CANCEL.items() if name in sys.modules]
    while frame is not None and drivers:
        connection = frame.f_locals.get("self")
        for module, cancel in drivers:
            if isinstance(connection, module.Connection):
                with contextlib.suppress(Exception):  # the server is away, and the statement with it
                    cancel(connection)
                return
        frame = frame.f_back


def _cancel_psycopg(connection: Any) -> None:
    connection.cancel_safe(timeout=_PATIENCE_S)


def _kill_pymysql(connection: Any) -> None:
    """The protocol has no other way than a second connection; this one is made as the first was."""
    other = copy.copy(connection)
    other.connect_timeout = other._read_timeout = other._write_timeout = _PATIENCE_S  # noqa: SLF001
    other.connect()
    try:
        other.kill(connection.thread_id())
    finally:
        other.close()


_CANCEL: dict[str, Callable[[Any], None]] = {"psycopg": _cancel_psycopg, "pymysql.connections": _kill_pymysql}

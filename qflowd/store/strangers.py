"""Who else in this process has a SQLite file open: Python's own `sqlite3`, or a plain `open()`.

Closing a file drops every lock that the process holds on it (POSIX), so whoever closes it behind SQLite's back unlocks
a database that others are writing.
"""

import contextlib
import gc
import io
import os
import sys
from pathlib import Path
from typing import Any

import apsw


def is_open_elsewhere(file: Path) -> bool:
    """Does this process have `file` open otherwise than through apsw, as far as that can be seen?"""
    try:
        wanted = file.stat()
    except OSError:
        return False
    ours = sum(_has_open(connection, wanted) for connection in apsw.connections())
    numbers = [int(name) for name in os.listdir("/proc/self/fd") if _is_same(f"/proc/self/fd/{name}", wanted)]  # noqa: PTH208
    if len(numbers) <= ours:
        return False
    # SQLite parks descriptors of closed connections while others are open, so a surplus alone proves nothing then.
    return ours == 0 or any(_is_owner(thing, numbers, wanted) for thing in gc.get_objects())


def _has_open(connection: apsw.Connection, wanted: os.stat_result) -> bool:
    with contextlib.suppress(apsw.Error):  # closed by another thread just now
        names = [connection.db_filename(name) for name in connection.db_names()]
        return any(name and _is_same(name, wanted) for name in names)
    return False


def _is_owner(thing: object, numbers: list[int], wanted: os.stat_result) -> bool:
    """Is `thing` a Python object that has the file open?"""
    if type(thing) is io.FileIO:
        return not thing.closed and thing.fileno() in numbers
    other_library: Any = sys.modules.get("_sqlite3")
    if other_library is None or not issubclass(type(thing), other_library.Connection):
        return False
    with contextlib.suppress(other_library.Error):  # closed, or another thread's, which nobody else may ask
        cursor = other_library.Cursor(thing)
        return any(path and _is_same(path, wanted) for _, _, path in cursor.execute("PRAGMA database_list"))
    return False


def _is_same(path: str, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116 - called for every descriptor
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)

"""Who else in this process has a SQLite file open: a second library, or a plain `open()`.

Closing a file drops every lock that the process holds on it (POSIX), so whoever closes it behind SQLite's back unlocks
a database that others are writing.
"""

import contextlib
import os
import sys
from pathlib import Path

import apsw


def is_open_elsewhere(file: Path) -> bool:
    """Does this process have `file` open otherwise than through apsw?"""
    try:
        wanted = file.stat()
    except OSError:
        return False
    ours = sum(_has_open(connection, wanted) for connection in apsw.connections())
    descriptors = sum(_is_same(f"/proc/self/fd/{name}", wanted) for name in os.listdir("/proc/self/fd"))  # noqa: PTH208
    if descriptors <= ours:
        return False
    # SQLite parks descriptors of closed connections while others of the process are open: those may be the surplus.
    return ours == 0 or "_sqlite3" in sys.modules


def _has_open(connection: apsw.Connection, wanted: os.stat_result) -> bool:
    with contextlib.suppress(apsw.Error):  # closed by another thread just now
        names = [connection.db_filename(name) for name in connection.db_names()]
        return any(name and _is_same(name, wanted) for name in names)
    return False


def _is_same(path: str, wanted: os.stat_result) -> bool:
    try:
        found = os.stat(path)  # noqa: PTH116 - called for every descriptor
    except OSError:
        return False
    return (found.st_dev, found.st_ino) == (wanted.st_dev, wanted.st_ino)

"""Files that this process has open by other means than apsw: Python's own `sqlite3`, or a plain `open()`.

Closing a file drops every lock that the process holds on it (POSIX), so closing it behind SQLite's back unlocks
a database that others are writing.
"""

import gc
import io
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw


def is_open_elsewhere(file: Path) -> bool:
    """Does this process have `file` open otherwise than through apsw, as far as that can be seen?"""
    if not file.exists():
        return False
    if any(_is_same(one, file) for one in _opened()):
        return True
    # Of other libraries, and of sqlite3 in other threads, only descriptors are seen, which may be apsw's own.
    descriptors = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))  # noqa: PTH208
    return not any(_is_same(one, file) for one in _attached()) and any(_is_same(one, file) for one in descriptors)


def _is_same(one: str | int, file: Path) -> bool:
    return os.path.exists(one) and os.path.samefile(one, file)  # noqa: PTH110, PTH121


def _attached() -> Iterator[str]:
    """The files that connections of ours have open."""
    for connection in apsw.connections():
        with suppress(apsw.Error):  # closed by another thread just now
            yield connection.db_filename("qflow") or ""


def _opened() -> Iterator[str | int]:
    """The files of `open()`, and those of sqlite3 where it has been imported."""
    sqlite3: Any = sys.modules.get("_sqlite3")
    for item in gc.get_objects():
        if type(item) is io.FileIO and not item.closed:
            yield item.fileno()
        elif sqlite3 is not None and issubclass(type(item), sqlite3.Connection):
            with suppress(sqlite3.Error):  # closed, or another thread's
                yield from [path for *_, path in sqlite3.Cursor(item).execute("PRAGMA database_list") if path]

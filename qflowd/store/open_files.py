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


def is_open_elsewhere(file: Path) -> bool:
    """Does a Python object of this process have `file` open otherwise than through apsw?"""
    return file.exists() and any(os.path.samefile(one, file) for one in _opened() if os.path.exists(one))  # noqa: PTH110, PTH121


def _opened() -> Iterator[str | int]:
    """The files of `open()`, and those of sqlite3 where it has been imported."""
    sqlite3: Any = sys.modules.get("_sqlite3")
    for item in gc.get_objects():
        if type(item) is io.FileIO and not item.closed:
            yield item.fileno()
        elif sqlite3 is not None and issubclass(type(item), sqlite3.Connection):
            with suppress(sqlite3.Error):  # closed, or another thread's
                yield from [path for *_, path in sqlite3.Cursor(item).execute("PRAGMA database_list") if path]

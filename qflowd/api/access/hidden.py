"""Names of hosts, files and databases: callers of the system are told them, others are not."""

from collections.abc import Sequence
from typing import Any, Final

from qflowd.api.call import Call

AWAY: Final = "the database cannot be reached; try again in a moment"
A_FILE: Final = "a file"


def sees_names(call: Call) -> bool:
    """Whether the caller is told them."""
    return call.is_system


def file_named(call: Call, file: str) -> str:
    """A file, as a message to the caller may call it."""
    return file if sees_names(call) else A_FILE


def hide_file(call: Call, row: Any) -> Any:
    """A row with the columns `file` and maybe `error`, as the caller may see it."""
    if sees_names(call) or row is None or row.file is None:
        return row
    error = getattr(row, "error", None)
    return row._replace(file=None, **({} if error is None else {"error": error.replace(row.file, A_FILE)}))


def hide_files(call: Call, rows: Sequence[Any]) -> list[Any]:
    """As `hide_file`, of many, which have their name first; a row that goes by the path of its file is left out."""
    if sees_names(call):
        return list(rows)
    return [hide_file(call, row) for row in rows if row.file is None or row.file != row[0]]

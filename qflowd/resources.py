"""Where the files that ship with qflowd are."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def folder(name: Literal["sql", "plugins", "starter", "calendars", "web"]) -> Path:
    """The SQL files, the drop-in plugins, what `qflowd init` copies, the calendars, or the dashboard's files.

    In a wheel below `qflowd/_shipped/`, in a checkout beside the package.

    Raises: FileNotFoundError if the installation is incomplete.
    """
    # Of the dashboard only what was built is shipped; a checkout holds its sources, too.
    beside = _PACKAGE.parent / ("web/dist" if name == "web" else name)
    for path in (_PACKAGE / "_shipped" / name, beside):
        if path.is_dir():
            return path
    raise FileNotFoundError(f"this installation of qflowd lacks its folder {name}/; install it again")

"""Where the files that ship with qflowd are."""

from pathlib import Path
from typing import Literal

_PACKAGE = Path(__file__).resolve().parent


def folder(name: Literal["sql", "plugins", "starter"]) -> Path:
    """The SQL files, the drop-in plugins, or what `qflowd init` copies.

    In a wheel below `qflowd/_shipped/`, in a checkout beside the package.

    Raises: FileNotFoundError if the installation is incomplete.
    """
    for path in (_PACKAGE / "_shipped" / name, _PACKAGE.parent / name):
        if path.is_dir():
            return path
    raise FileNotFoundError(f"this installation of qflowd lacks its folder {name}/; install it again")

"""Where the files that ship with qflowd are: `sql/`, `plugins/` and `starter/`."""

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def sql_dir() -> Path:
    """The folder of SQL files."""
    return _find("sql")


def plugins_dir() -> Path:
    """The folder of the drop-in plugins that come with qflowd."""
    return _find("plugins")


def starter_dir() -> Path:
    """The folder that `qflowd init` copies."""
    return _find("starter")


def _find(name: str) -> Path:
    """In a wheel below `qflowd/_shipped/`, in a checkout beside the package.

    Raises: FileNotFoundError if the installation is incomplete.
    """
    for folder in (_PACKAGE / "_shipped" / name, _PACKAGE.parent / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"this installation of qflowd lacks its folder {name}/; install it again")

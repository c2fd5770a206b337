"""Files that a task may wait for: a path whose last part may be a pattern, and what is wrong with one in a sentence."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Final

from qflowd.define.readers import shown

MOST_FILES: Final = 1000  # of one wait
LONGEST_SUFFIX: Final = 50
LONGEST_PATH: Final = 1000
WILD: Final = frozenset("*?[")
CHECKSUMS: Final[Mapping[str, str]] = {".md5": "md5", ".sha1": "sha1", ".sha256": "sha256", ".sha512": "sha512"}


def fault_in_pattern(path: object) -> str | None:
    """Why no task can wait for `path`; None if one can."""
    if not isinstance(path, str) or not path.isprintable():
        return f"must be a path such as /data/in/bars_*.csv, not {shown(path)}"
    if len(path) > LONGEST_PATH:
        return f"{shown(path)} has {len(path):,} characters; at most {LONGEST_PATH:,} are allowed"
    if not path.startswith("/"):
        return f"{shown(path)} is relative, and daemons run anywhere: begin with /, as in /data/in/bars_*.csv"
    parts = PurePosixPath(path).parts[1:]
    if ".." in parts:
        return f"{shown(path)} holds '..'; write the folder that is meant"
    if path.endswith("/") or not parts:
        return f"{shown(path)} names a folder; name files in it, as in {path.rstrip('/')}/*.csv"
    if wild := [part for part in parts[:-1] if not WILD.isdisjoint(part)]:
        return f"the folder {shown(wild[0])} holds a wildcard; only the last part of a path may"
    return None


def fault_in_suffix(suffix: object) -> str | None:
    """Why `suffix` cannot make the name of a file that stands beside another; None if it can."""
    if not isinstance(suffix, str) or not suffix.isprintable() or not 0 < len(suffix) <= LONGEST_SUFFIX:
        return f"must be a suffix such as .ok, of at most {LONGEST_SUFFIX} characters, not {shown(suffix)}"
    if not WILD.isdisjoint(suffix) or "/" in suffix:
        return f"{shown(suffix)} is not a suffix such as .ok: it may hold neither / nor wildcards"
    return None


def fault_in_checksum(suffix: object) -> str | None:
    """Why nothing can be compared with what a file with this suffix says; None if something can."""
    known = isinstance(suffix, str) and suffix in CHECKSUMS
    return None if known else f"must be one of {', '.join(CHECKSUMS)}, not {shown(suffix)}"

"""Looks at folders: which files are there, and since when they stand still. Nothing here knows the database.

Only what lies in listed folders is looked at, wherever links lead. A look is bounded in entries, not in time.
"""

import os
import re
import stat
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from fnmatch import translate
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from qflowd.define.file_patterns import WILD

MOST_ENTRIES: Final = 20_000  # of a folder that are looked at
SETTING: Final = "[waits] folders of its qflowd.toml"


class FileMark(NamedTuple):
    """What tells whether a file has changed, or is another one. Times: nanoseconds since 1970.

    `changed_ns`: also of what keeps its size and says when it was modified, such as a copy that takes its place.
    """

    size: int
    modified_ns: int
    changed_ns: int


class Listing(NamedTuple):
    """What a look at a folder has seen. `fault`: why nothing.

    `began_s`, `ended_s`: on a clock that nobody sets. `files`: those that some of the `patterns` name, `in_order` by name;
    `names`: all there are.
    """

    began_s: float
    ended_s: float
    patterns: frozenset[str]
    fault: str = ""
    files: Mapping[str, FileMark] = {}
    in_order: Sequence[str] = ()
    names: frozenset[str] = frozenset()


def root_of(folder: str, roots: Sequence[Path]) -> Path | None:
    """The listed folder in which `folder` lies, as it is written, and of several the nearest; None: in none."""
    above = (root for root in roots if Path(folder).is_relative_to(root))
    return max(above, key=lambda root: len(root.parts), default=None)


def is_inside(real: str, roots: Sequence[Path]) -> bool:
    """Does a path without links lie in a listed folder? Where these lead is asked last, and in turn, as one may hang."""
    path = Path(real)
    return any(path.is_relative_to(root) for root in roots) or any(
        path.is_relative_to(os.path.realpath(root)) for root in roots
    )


def names_of(pattern: str, in_order: Sequence[str]) -> list[str]:
    """Those of these names that a pattern names, as a shell matches: only one that begins with a dot names hidden files.

    Names that do not begin as the pattern does are not looked at, as thousands of patterns may be asked about one folder.
    """
    head = pattern[: next((i for i, character in enumerate(pattern) if character in WILD), len(pattern))]
    first = bisect_left(in_order, head)
    if head == pattern:
        return [pattern] if in_order[first : first + 1] == [pattern] else []
    last = bisect_right(in_order, head, first, key=lambda name: name[: len(head)])
    return list(filter(_compiled(pattern).match, in_order[first:last]))


@lru_cache(maxsize=20_000)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(("" if pattern.startswith(".") else r"(?!\.)") + translate(pattern))


def look(folder: str, patterns: Collection[str], roots: Sequence[Path], seconds: Callable[[], float]) -> Listing:
    """What is in a folder. It may hang where a network folder does; whatever else is wrong is a fault of the listing.

    `roots`: the listed folders, that of `folder` first.
    """
    began_s, meant, fault = seconds(), frozenset(patterns), ""
    files: dict[str, FileMark] = {}
    found: list[os.DirEntry[str]] = []
    try:
        real = os.path.realpath(folder)
        if not is_inside(real, roots):
            fault = f"folder {folder} leads to where {SETTING} does not"
        else:
            with os.scandir(real) as entries:
                found = list(islice(entries, MOST_ENTRIES + 1))
            if len(found) > MOST_ENTRIES:
                fault = f"folder {folder} holds more than {MOST_ENTRIES:,} entries"
            else:
                files = _marks(found, meant, roots)
    except FileNotFoundError:
        fault = f"folder {folder} does not exist"
    except OSError as error:
        fault = f"folder {folder} cannot be read: {error.strerror or error}"
    except ValueError as error:  # no name in the encoding of the file system
        fault = f"folder {folder} cannot be read: {error}"
    if fault:
        return Listing(began_s, seconds(), meant, fault)
    names = frozenset(entry.name for entry in found)
    return Listing(began_s, seconds(), meant, files=files, in_order=sorted(files), names=names)


def _marks(
    entries: Iterable["os.DirEntry[str]"], patterns: Iterable[str], roots: Sequence[Path]
) -> dict[str, FileMark]:
    by_name = {entry.name: entry for entry in entries}
    in_order = sorted(by_name)
    meant = {name for pattern in patterns for name in names_of(pattern, in_order)}
    marks = ((name, _mark(by_name[name], roots)) for name in meant)
    return {name: mark for name, mark in marks if mark}


def _mark(entry: "os.DirEntry[str]", roots: Sequence[Path]) -> FileMark | None:
    """None for anything but a file, for what has gone or has no name here, and for a link out of the listed folders."""
    try:
        if entry.is_symlink() and not is_inside(os.path.realpath(entry.path), roots):
            return None
        found = entry.stat()
    except (OSError, ValueError):
        return None
    return mark_of(found) if stat.S_ISREG(found.st_mode) else None


def mark_of(found: os.stat_result) -> FileMark:
    """Of a file that was looked at."""
    return FileMark(found.st_size, found.st_mtime_ns, found.st_ctime_ns)


class Sightings:
    """Since when files of one folder have been seen to be as they are."""

    def __init__(self) -> None:
        self._since: dict[str, tuple[FileMark, float]] = {}

    def see(self, listing: Listing) -> None:
        """Add a look; files that have gone are forgotten. It may have been for some of the patterns alone."""
        self._since = {name: known for name, known in self._since.items() if name in listing.names}
        for name, mark in listing.files.items():
            known = self._since.get(name)
            self._since[name] = known if known and known[0] == mark else (mark, listing.ended_s)

    def shows(self, name: str, mark: FileMark) -> bool:
        """Whether a file was like this when it was seen last."""
        return name in self._since and self._since[name][0] == mark

    def stood_s(self, name: str, listing: Listing) -> float:
        """For how many seconds at least a file of this listing, which has been added, has stood still."""
        return max(0.0, listing.began_s - self._since[name][1])

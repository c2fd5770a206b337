"""Checksums of files: beside each of them stands one that says its digest, as `sha256sum` and its like write it."""

import hashlib
import os
import re
from collections.abc import Callable, Sequence
from io import BufferedReader
from pathlib import Path
from typing import Final, NamedTuple

from qflowd.define.file_patterns import CHECKSUMS
from qflowd.engine.waits.folders import FileMark, is_inside, mark_of

LONGEST: Final = 65_536  # bytes of a file that says digests
_LINE: Final = re.compile(r"\\?([0-9a-fA-F]+)(?:\s+\*?(.+))?")  # a digest, and the file it is of
_FOLDERS: Final = re.compile(r".*[/\\]")  # of either kind of host
_TAGGED: Final = re.compile(r"\\?[A-Za-z0-9-]+ ?\((.+)\) ?= ?([0-9a-fA-F]+)")  # as `md5sum --tag` and BSD have it


class Comparison(NamedTuple):
    """A file to be compared with the one beside it that says its digest, both as they were seen."""

    folder: str
    name: str
    suffix: str
    mark: FileMark
    checksum_mark: FileMark


class Compared(NamedTuple):
    """What is wrong with a file; "" if it has its digest. One that is not final may be another one at the next look."""

    fault: str
    is_final: bool = True


class _WantedFile:
    """A file that is read part by part, as long as it is wanted."""

    def __init__(self, name: str, file: BufferedReader, is_wanted: Callable[[], bool]) -> None:
        self.name, self._file, self._is_wanted = name, file, is_wanted
        self.fileno, self.readable = file.fileno, file.readable

    def readinto(self, part: bytearray) -> int:
        """Raises: ValueError if it is not wanted any more; OSError."""
        if not self._is_wanted():
            raise ValueError(f"{self.name} is not wanted any more")
        return self._file.readinto(part)


def compare(each: Comparison, roots: Sequence[Path], is_wanted: Callable[[], bool]) -> Compared | None:
    """It takes as long as reading the file. None: it has changed meanwhile, or gone, or is not wanted any more.

    Args:
        roots: the listed folders, those of the file first.
        is_wanted: asked before each part of the file.
    """
    try:
        return Compared(_fault(each, roots, is_wanted))
    except (FileNotFoundError, ValueError):
        return None
    except OSError as error:
        return Compared(f"{each.name} cannot be compared with its checksum: {error.strerror or error}", is_final=False)


def _fault(each: Comparison, roots: Sequence[Path], is_wanted: Callable[[], bool]) -> str:
    """Raises: OSError or ValueError if one of the two cannot be read any more, is another one, or is not wanted."""
    algorithm = CHECKSUMS[each.suffix]
    with _opened(each.folder, each.name + each.suffix, each.checksum_mark, roots) as file:
        text = file.read(LONGEST).decode("utf-8-sig", "replace")
    digits = hashlib.new(algorithm, usedforsecurity=False).digest_size * 2
    if (wanted := digest_in(text, each.name, digits)) is None:
        return f"{each.name}{each.suffix} does not hold the {algorithm} of {each.name}, by itself or before its name"
    with _opened(each.folder, each.name, each.mark, roots) as file:
        parts = _WantedFile(each.name, file, is_wanted)
        found = hashlib.file_digest(parts, lambda: hashlib.new(algorithm, usedforsecurity=False)).hexdigest()
        _check_same(file, each.mark)
    return "" if found == wanted else f"{each.name} is not what {each.name}{each.suffix} says"


def _opened(folder: str, name: str, mark: FileMark, roots: Sequence[Path]) -> BufferedReader:
    """Raises: OSError; ValueError if it is not the file that was seen, or lies in no listed folder."""
    real = os.path.realpath(f"{folder}/{name}")
    if not is_inside(real, roots):
        raise ValueError(f"{real} lies in no listed folder")
    file = os.fdopen(os.open(real, os.O_RDONLY | os.O_NONBLOCK), "rb")  # a pipe in its place would not let go
    try:
        _check_same(file, mark)
    except BaseException:
        file.close()
        raise
    return file


def _check_same(file: BufferedReader, mark: FileMark) -> None:
    """Raises: ValueError."""
    if mark_of(os.fstat(file.fileno())) != mark:
        raise ValueError(f"{file.name} has changed")


def digest_in(text: str, name: str, digits: int) -> str | None:
    """The digest that is said of a file, in small letters: on a line with its name, or with none; None where nothing is."""
    for line in text.splitlines():
        if found := _LINE.fullmatch(line.strip()):
            digest, of = found.groups()
        elif found := _TAGGED.fullmatch(line.strip()):
            of, digest = found.groups()
        else:
            continue
        if len(digest) == digits and (of is None or _FOLDERS.sub("", of) == name):
            return digest.lower()
    return None

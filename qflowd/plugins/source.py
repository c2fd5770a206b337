"""What lies in the folders now: files as bytes with their hash, and what could not be read."""

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from qflowd.model import jsontext
from qflowd.model.errors import RefusedPath
from qflowd.plugins import trust

DEEPEST = 20  # levels below a folder


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file as it was read. `relative` is its path below `root`; `hash` is SHA-256 in hex."""

    path: str
    root: str
    relative: str
    data: bytes = field(repr=False)
    hash: str


@dataclass(frozen=True, slots=True)
class Scan:
    """Files and errors by path; an error may also belong to a folder, and then holds for all below it.

    Files are sorted by folder, in the order of `roots`, then by path.
    """

    files: Mapping[str, SourceFile] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    roots: tuple[str, ...] = ()

    def sorted(self, files: Iterable[SourceFile]) -> dict[str, SourceFile]:
        """Any files of these folders, by path, in the order of a scan."""
        places = {root: place for place, root in enumerate(self.roots)}
        ordered = sorted(files, key=lambda file: (places.get(file.root, len(places)), file.root, file.relative))
        return {file.path: file for file in ordered}

    def is_faulty(self, path: str) -> bool:
        """The file, or a folder above it, could not be read."""
        return path in self.errors or any(str(above) in self.errors for above in Path(path).parents)


def scan(folders: Sequence[Path], suffixes: Sequence[str], *, trusted_only: bool) -> Scan:
    """Read all files below `folders` whose names end in one of `suffixes`, in a stable order.

    `trusted_only`: files and folders that others can write to, and links, are refused; the error says so.
    """
    files: dict[str, SourceFile] = {}
    errors: dict[str, str] = {}
    roots = tuple(os.path.abspath(folder) for folder in folders)  # noqa: PTH100 - what the user wrote, link or not
    for root in roots:
        try:
            if trusted_only:
                trust.check_folder(Path(root))
            elif not Path(root).is_dir():
                raise FileNotFoundError(2, "no such folder", root)
        except (RefusedPath, OSError) as error:
            errors[root] = _say(error)
            continue
        for path in visible_files(root, suffixes, errors, trusted_only=trusted_only):
            try:
                files.setdefault(path, source_file(path, root, trust.read_file(path, trusted_only=trusted_only)))
            except FileNotFoundError:
                continue
            except (RefusedPath, OSError) as error:
                errors[path] = _say(error)
    scanned = Scan({}, errors, roots)
    return replace(scanned, files=scanned.sorted(files.values()))


def source_file(path: str, root: str, data: bytes) -> SourceFile:
    """A SourceFile of bytes that were read."""
    return SourceFile(path, root, os.path.relpath(path, root), data, hashlib.sha256(data).hexdigest())


def fault_in_name(file: SourceFile) -> str | None:
    """Why no module can have its name; None if one can."""
    if jsontext.clean_text(file.path) != file.path:
        return "cannot be imported: its name is not UTF-8; rename it"
    if any("." in part for part in Path(file.relative.removesuffix(".py")).parts):
        return "cannot be imported: its name has a dot; rename it"
    return None


def visible_files(
    root: str | Path, suffixes: Sequence[str], errors: dict[str, str] | None = None, *, trusted_only: bool = False
) -> Iterator[str]:
    """Paths of files below `root`, except hidden ones, `__pycache__` and what editors leave behind; folder by folder.

    Adds to `errors` what it cannot read, and with `trusted_only`, folders that are links or that others can write to.
    """
    errors = {} if errors is None else errors
    endings, depth = tuple(suffixes), os.fspath(root).count(os.sep)

    def refuse(error: OSError) -> None:
        errors[str(error.filename)] = _say(error)

    for folder, folders, names in os.walk(root, onerror=refuse):
        if trusted_only and folder != root:
            try:
                trust.check_subfolder(folder)
            except (RefusedPath, OSError) as error:
                errors[folder] = _say(error)
                folders.clear()
                continue
        folders[:] = sorted(filter(_is_visible, folders)) if folder.count(os.sep) - depth < DEEPEST else []
        if trusted_only:
            links = (f"{folder}/{name}" for name in folders if Path(folder, name).is_symlink())
            errors.update(dict.fromkeys(links, "is a symbolic link; put the folder itself there"))
        yield from (f"{folder}/{name}" for name in sorted(names) if _is_visible(name) and name.endswith(endings))


def _is_visible(name: str) -> bool:
    return not name.startswith((".", "#")) and not name.endswith("~") and name != "__pycache__"


def _say(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such folder; make it, or take it out of the configuration"
    if isinstance(error, OSError):
        return f"cannot be read: {error.strerror}"
    return str(error)

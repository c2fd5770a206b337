"""Which name a drop-in file is imported by. The rule stands at the top of `qflowd/jobs/manifest.py`."""

import importlib.util
import sys
from collections.abc import Iterable
from itertools import chain, count
from pathlib import PurePath

from qflowd.jobs.manifest import HOME, Module
from qflowd.plugins.source import SourceFile


def modules_of(files: Iterable[SourceFile]) -> dict[str, Module]:
    """Modules by name, in the order of the files; a folder comes before what is in it.

    The names depend on the files alone, on Python and on what is installed.
    """
    modules: dict[str, Module] = {}
    tops: dict[tuple[str, str, bool], str] = {}  # (root, first part of the path, is a file) -> its name
    for file in files:
        parts = PurePath(file.relative.removesuffix(".py")).parts
        key = (file.root, parts[0], len(parts) == 1)
        top = tops.get(key)
        if top is None:
            top = tops[key] = _free_name(parts[0], file.root, set(tops.values()))
        _add_folders(modules, file, top, parts)
        is_package = parts[-1] == "__init__"
        inner = parts[1:-1] if is_package else parts[1:]
        if is_package and len(parts) == 1:
            continue  # the plugin folder itself is not a package
        modules[".".join([top, *inner])] = Module(file.path, file.data, is_package, file.hash)
    return modules


def _add_folders(modules: dict[str, Module], file: SourceFile, top: str, parts: tuple[str, ...]) -> None:
    """Every folder on the way is a package, also one without `__init__.py`."""
    for depth in range(1, len(parts)):
        name = ".".join([top, *parts[1:depth]])
        folder = str(PurePath(file.root, *parts[:depth]))
        present = modules.get(name)
        if present is None or not present.is_package:
            modules[name] = Module(folder, b"", True, "")


def _free_name(stem: str, root: str, given: set[str]) -> str:
    own = [] if _is_taken(stem, root) else [stem]
    names = chain(own, [f"{HOME}.{stem}"], (f"{HOME}.{stem}_{number}" for number in count(2)))
    return next(name for name in names if name not in given)


def _is_taken(stem: str, root: str) -> bool:
    """`import stem` means something else already."""
    if stem in sys.stdlib_module_names or stem in sys.builtin_module_names or stem in {HOME, "qflowd"}:
        return True
    try:
        spec = importlib.util.find_spec(stem)
    except (ImportError, ValueError, AttributeError):
        return stem in sys.modules
    # No origin: a folder without __init__.py that happens to lie on sys.path is not a module.
    if spec is None or spec.origin is None:
        return False
    return root not in map(str, PurePath(spec.origin).parents)

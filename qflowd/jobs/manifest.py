"""The manifest: the exact source of all drop-in modules, and how a process imports from it, never from disk.

Every module has one name. A top-level file or folder is imported by its own stem, unless that name belongs to
Python, to an installed package or to an earlier plugin folder: then `import <stem>` keeps its meaning for everybody,
and the drop-in is loaded as `qflowd_dropin.<stem>`. Relative imports work in both cases.

Fresh interpreters that a job starts (multiprocessing, joblib) get a copy of `sys.path`. A worker puts the manifest's
file there: it is an archive for Python's own importer too, in which each name leads to the manifest.
"""

import linecache
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import decode_source, spec_from_file_location
from io import BytesIO
from pathlib import Path, PurePath
from types import CodeType, ModuleType
from typing import Any

import msgspec

Importing = Callable[[str], AbstractContextManager[object]]
HOME = "qflowd_dropin"
_INIT = "__init__.py"
_STUB = """import importlib, sys
from qflowd.jobs.manifest import install_from
install_from(__loader__.archive)
del sys.modules[__name__]
importlib.import_module(__name__)
"""


class Module(msgspec.Struct, frozen=True):
    """One Python file, or a folder of them (`is_package`; its path ends in `__init__.py` if it has one).

    `hash`: SHA-256 of the source, hex.
    """

    path: str
    source: bytes
    is_package: bool
    hash: str

    @property
    def is_bare_folder(self) -> bool:
        return self.is_package and PurePath(self.path).name != _INIT

    @property
    def file(self) -> str:
        """Its path; for a folder, that of its `__init__.py`, whether there is one or not."""
        return f"{self.path}/{_INIT}" if self.is_bare_folder else self.path

    @property
    def folder(self) -> str:
        """The folder that its file is in; that of a package is the package."""
        return str(PurePath(self.file).parent)


class Manifest(msgspec.Struct, frozen=True):
    """Everything a worker imports on the user's behalf.

    `import_path`: `sys.path` of the process that read the files.
    """

    modules: dict[str, Module] = {}
    import_path: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """For the file that workers read: its length, the manifest, and an archive of what leads a fresh interpreter here."""
        from zipfile import ZipFile

        data, archive = msgspec.msgpack.encode(self), BytesIO()
        with ZipFile(archive, "w") as stubs:
            for top in sorted({name.partition(".")[0] for name in self.modules}):
                stubs.writestr(f"{top}.py", _STUB)
        return len(data).to_bytes(8, "big") + data + archive.getvalue()

    @staticmethod
    def decode(data: bytes) -> "Manifest":
        length = int.from_bytes(data[:8], "big")
        return msgspec.msgpack.decode(memoryview(data)[8 : 8 + length], type=Manifest)

    def install(self, importing: Importing = nullcontext) -> None:
        """Make this process import from the manifest. Called once, before any plugin is imported.

        `importing`: what the body of each module is executed in, by its name.
        """
        sys.path.extend(folder for folder in self.import_path if folder not in sys.path)
        sys.dont_write_bytecode = True
        finder = ManifestFinder(self.modules, importing)
        # First: its names were free when the manifest was made, and must not change their meaning later.
        sys.meta_path.insert(0, finder)
        sys.path_hooks.insert(0, finder.open_folder)


def install_from(file: str) -> None:
    """Import from the manifest in `file`, here and in interpreters that are started from here."""
    Manifest.decode(Path(file).read_bytes()).install()
    if file not in sys.path:
        sys.path.append(file)


class ManifestFinder:
    """Finds and loads modules of a manifest; other names are left to the finders after it."""

    def __init__(self, modules: Mapping[str, Module], importing: Importing) -> None:
        self.modules = {HOME: Module(HOME, b"", True, ""), **modules}
        self._importing = importing

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        module = self.modules.get(fullname)
        return None if module is None else _spec(fullname, module, self._importing)

    def open_folder(self, path: str) -> "_Folder":
        """What Python asks for the modules in a folder; packages of the manifest must not be searched on disk."""
        if not any(module.is_package and module.folder == path for module in self.modules.values()):
            raise ImportError(f"{path} is not a package of the manifest", path=path)
        inside = {}
        for name, module in self.modules.items():
            if str(PurePath(module.folder).parent if module.is_package else module.folder) == path:
                inside[name.rpartition(".")[2]] = module
        return _Folder(inside, self._importing)


class ManifestLoader(SourceFileLoader):
    """Python's own loader of source files, given the bytes of the manifest for the file of its module."""

    def __init__(self, fullname: str, module: Module, importing: Importing) -> None:
        super().__init__(fullname, module.file)
        self._source, self._importing = module.source, importing

    def get_data(self, path: str) -> bytes:
        return self._source if path == self.path else super().get_data(path)

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError(f"{path} is not compiled to a file")

    def get_code(self, fullname: str) -> CodeType | None:
        code = super().get_code(fullname)
        # Without this a traceback shows lines of the file as it is now, not of what runs.
        lines = decode_source(self._source).splitlines(keepends=True)
        linecache.cache[self.path] = (len(self._source), None, lines, self.path)
        return code

    def exec_module(self, module: ModuleType) -> None:
        with self._importing(self.name):
            super().exec_module(module)


class _Folder:
    """A package's folder as `pkgutil` lists it, and as it is if a plugin puts it on `sys.path`."""

    def __init__(self, inside: Mapping[str, Module], importing: Importing) -> None:
        self._inside, self._importing = inside, importing

    def find_spec(self, fullname: str, target: ModuleType | None = None) -> ModuleSpec | None:
        module = self._inside.get(fullname.rpartition(".")[2])
        return None if module is None else _spec(fullname, module, self._importing)

    def iter_modules(self, prefix: str = "") -> Iterator[tuple[str, bool]]:
        return ((prefix + name, module.is_package) for name, module in sorted(self._inside.items()))


def _spec(name: str, module: Module, importing: Importing) -> ModuleSpec | None:
    folders, loader = [module.folder] if module.is_package else None, ManifestLoader(name, module, importing)
    spec = spec_from_file_location(name, module.file, loader=loader, submodule_search_locations=folders)
    if spec is not None and module.is_bare_folder:
        spec.has_location, spec.origin = False, None  # such a package has no `__file__`
    return spec

"""The manifest: the exact source of all drop-in modules, and how a process imports from it, never from disk.

Every module has one name. A top-level file or folder is imported by its own stem, unless that name belongs to
Python, to an installed package or to an earlier plugin folder: then `import <stem>` keeps its meaning for everybody,
and the drop-in is loaded as `qflowd_dropin.<stem>`. Relative imports work in both cases.
"""

import hashlib
import linecache
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from importlib.util import decode_source
from types import CodeType, ModuleType
from typing import Any, cast

import msgspec

HOME = "qflowd_dropin"


class Module(msgspec.Struct, frozen=True):
    """One Python file, or a folder of them (`is_package`). `hash`: SHA-256 of the source, hex."""

    path: str
    source: bytes
    is_package: bool
    hash: str


class EntryPoint(msgspec.Struct, frozen=True, order=True):
    """An installed plugin: `value` is a module, or `module:attribute`, as packaging says."""

    name: str
    value: str

    @property
    def module(self) -> str:
        return self.value.partition(":")[0].strip()


class Manifest(msgspec.Struct, frozen=True):
    """Everything a worker imports on the user's behalf.

    `import_path`: `sys.path` of the process that read the files. `salt` makes the generation another one
    when installed plugins were asked to reload.
    """

    modules: dict[str, Module] = {}
    entry_points: tuple[EntryPoint, ...] = ()
    import_path: tuple[str, ...] = ()
    salt: str = ""

    @property
    def generation(self) -> str:
        """Identifies the content: 16 hex digits, the same wherever the same files were read."""
        digest = hashlib.sha256(self.salt.encode())
        for name, module in sorted(self.modules.items()):
            digest.update(f"\0{name}\0{module.path}\0{module.hash}".encode("utf-8", "surrogatepass"))
        for entry in self.entry_points:
            digest.update(f"\1{entry.name}\1{entry.value}".encode())
        return digest.hexdigest()[:16]

    def encode(self) -> bytes:
        return msgspec.msgpack.encode(self)

    @staticmethod
    def decode(data: bytes | memoryview) -> "Manifest":
        return msgspec.msgpack.decode(data, type=Manifest)

    def install(self) -> "ManifestFinder":
        """Make this process import from the manifest. Called once, before any plugin is imported."""
        sys.path.extend(folder for folder in self.import_path if folder not in sys.path)
        sys.dont_write_bytecode = True
        finder = ManifestFinder(self.modules)
        # First: its names were free when the manifest was made, and must not change their meaning later.
        sys.meta_path.insert(0, finder)
        return finder


class ManifestFinder:
    """Finds and loads modules of a manifest; other names are left to the finders after it."""

    def __init__(self, modules: Mapping[str, Module]) -> None:
        self.modules = {HOME: Module(HOME, b"", True, ""), **modules}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        module = self.modules.get(fullname)
        if module is None:
            return None
        spec = ModuleSpec(fullname, cast("Any", self), origin=module.path, is_package=module.is_package)
        spec.has_location = True
        return spec

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        found = self.modules[module.__name__]
        # Without this a traceback shows lines of the file as it is now, not of what runs.
        lines = found.source.decode("utf-8", "replace").splitlines(keepends=True)
        linecache.cache[found.path] = (len(found.source), None, lines, found.path)
        exec(self.get_code(module.__name__), module.__dict__)  # noqa: S102 - this is what an importer does

    def get_code(self, fullname: str) -> CodeType:
        found = self._module(fullname)
        code: CodeType = compile(found.source, found.path, "exec", dont_inherit=True)
        return code

    def get_source(self, fullname: str) -> str:
        return decode_source(self._module(fullname).source)

    def is_package(self, fullname: str) -> bool:
        return self._module(fullname).is_package

    def _module(self, fullname: str) -> Module:
        try:
            return self.modules[fullname]
        except KeyError:
            raise ImportError(f"no module {fullname} in the manifest", name=fullname) from None

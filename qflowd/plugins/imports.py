"""Which modules of a manifest import which others, as their source says; and the hash of all the code that a module needs."""

import ast
import contextlib
import hashlib
from collections.abc import Callable, Mapping
from importlib.util import resolve_name
from itertools import accumulate

from qflowd.jobs.manifest import Module

_BY_NAME = {"import_module", "__import__"}


def imports_of(modules: Mapping[str, Module], begin: Callable[[str], object]) -> dict[str, frozenset[str]]:
    """Name of each module -> modules that it imports, directly or not, at its top or in a function.

    An import whose name is not in the source is not seen. `begin` gets the name of the module that is read next.
    """
    direct = {}
    for name, module in modules.items():
        begin(name)
        direct[name] = _named(name, module) & modules.keys()
    return {name: _reachable(name, direct) for name in modules}


def code_hash(name: str, imports: frozenset[str], modules: Mapping[str, Module]) -> str:
    """The hash of the file where it imports no other file of the manifest, else one over all of them: SHA-256 in hex."""
    needed = sorted(each for each in {name, *imports} if each == name or modules[each].source)
    if needed == [name]:
        return modules[name].hash
    return hashlib.sha256("".join(f"{each}\0{modules[each].hash}\0" for each in needed).encode()).hexdigest()


def _named(name: str, module: Module) -> set[str]:
    """Names in import statements, and all packages above them; some are not modules."""
    package = name if module.is_package else name.rpartition(".")[0]
    wanted = {package}
    tree: ast.AST = ast.Module([], [])
    with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):  # its import will say so
        tree = ast.parse(module.source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wanted |= _from(node, package)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
            called = getattr(node.func, "attr", getattr(node.func, "id", None))
            wanted |= {str(node.args[0].value)} if called in _BY_NAME else set()
    return {above for each in wanted for above in accumulate(each.split("."), "{}.{}".format)} - {name}


def _from(node: ast.ImportFrom, package: str) -> set[str]:
    try:
        base = resolve_name("." * node.level + (node.module or ""), package)
    except ImportError:  # above the top
        return set()
    return {base, *(f"{base}.{alias.name}" for alias in node.names)}


def _reachable(name: str, direct: Mapping[str, set[str]]) -> frozenset[str]:
    reached: set[str] = set()
    ahead = [name]
    while ahead:
        fresh = direct[ahead.pop()] - reached
        reached |= fresh
        ahead += fresh
    return frozenset(reached - {name})

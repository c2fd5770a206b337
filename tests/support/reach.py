"""Which statements of `sql/` code can reach: names that functions and classes use, followed through the package.

Whoever names a class may call all of its methods, also through an object that came from elsewhere.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tests.docs.pages import ROOT

Key = tuple[str, str]  # module and a name at its top; "" is all that runs when it is imported


def texts_reached(*folders: str) -> set[str]:
    """The strings in all that code in these folders of the package names, directly or through others."""
    todo = [
        (module, name)
        for folder in folders
        for file in sorted((ROOT / "qflowd" / folder).rglob("*.py"))
        for module in [_module_of(file)]
        for name in _parts(module)
    ]
    seen: set[Key] = set()
    texts: set[str] = set()
    while todo:
        key = todo.pop()
        if key in seen:
            continue
        seen.add(key)
        for node in _parts(key[0]).get(key[1], ()):
            for each in ast.walk(node):
                if isinstance(each, ast.Constant) and isinstance(each.value, str):
                    texts.add(each.value)
                todo += _named(key[0], each)
    return texts


def _named(module: str, node: ast.AST) -> Iterator[Key]:
    """What a name, or an attribute of a module, stands for."""
    if isinstance(node, ast.Name):
        if node.id in _parts(module):
            yield module, node.id
        elif found := _imports(module).get(node.id):
            yield from _of(*found)
    elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        owner, name = _imports(module).get(node.value.id, ("", ""))
        if name:
            owner = f"{owner}.{name}"
        yield from _of(owner, node.attr)


def _of(module: str, name: str) -> Iterator[Key]:
    """Follows a name that a module has itself from elsewhere."""
    if _file(module) is None:
        return
    if name in _parts(module):
        yield module, name
    elif (found := _imports(module).get(name)) and found != (module, name):
        yield from _of(*found)


@cache
def _parts(module: str) -> dict[str, list[ast.stmt]]:
    """The statements at the top of a module, by the names that they bind."""
    found: dict[str, list[ast.stmt]] = {}
    for statement in _tree(module).body:
        if not isinstance(statement, ast.Import | ast.ImportFrom):
            for name in _bound(statement):
                found.setdefault(name, []).append(statement)
    return found


def _bound(statement: ast.stmt) -> Iterable[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [each.id for target in targets for each in ast.walk(target) if isinstance(each, ast.Name)]
    return [""]


@cache
def _imports(module: str) -> dict[str, Key]:
    """What a module imports from the package, by the name that it has there; of a whole module the name is empty."""
    found = {}
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qflowd"):
            found |= {alias.asname or alias.name: (str(node.module), alias.name) for alias in node.names}
    return found


@cache
def _tree(module: str) -> ast.Module:
    file = _file(module)
    return ast.parse(file.read_text("utf-8")) if file else ast.Module([], [])


@cache
def _file(module: str) -> Path | None:
    path = ROOT / module.replace(".", "/")
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.exists()), None)


def _module_of(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

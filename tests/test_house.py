"""Rules of the house that no linter knows: small rooms, one door to the database, no execution of data, SQL in use.

A rule that is broken for a good reason gets an entry with that reason in the lists below; an entry without need fails.
"""

from __future__ import annotations

import ast
import functools
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "qflowd"
MAX_FILE_LINES = 350
MAX_MEDIAN_LINES = 110
MAX_FUNCTION_LINES = 60

# Files that may call exec or eval, and why.
MAY_EXECUTE: dict[str, str] = {}
# Statements that no string literal in qflowd/ names, and why they are kept.
UNUSED_STATEMENTS: dict[str, str] = {}

UNSAFE_MODULES = {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "joblib"}
# What a published text must not hold: paths of a developer's machine, unfinished places, words that only praise.
NOT_FOR_READERS = re.compile(
    r"(?<![\w./])/(?:root|work)/|\b(?:TODO|FIXME|XXX|TBD)\b"
    r"|(?i:lorem ipsum|\b(?:blazing(?:ly)?[ -]fast|seamless(?:ly)?|effortless(?:ly)?|cutting[ -]edge|world[ -]class|game[ -]chang\w+)\b)"
)
TEXT_SUFFIXES = {".md", ".rst", ".txt", ".py", ".sql", ".toml", ".yaml", ".yml", ".json", ".service", ".html"}
PUBLISHED = (
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "calendars",
    "docs",
    "examples",
    "plugins",
    "sql",
    "starter",
    "systemd",
    "qflowd",
)


@functools.cache
def modules() -> dict[str, ast.Module]:
    return {_name(p): ast.parse(p.read_text("utf-8"), str(p)) for p in sorted(PACKAGE.rglob("*.py"))}


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _lines(name: str) -> int:
    return len((ROOT / name).read_text("utf-8").splitlines())


def _nodes() -> Iterator[tuple[str, ast.AST]]:
    for name, tree in modules().items():
        for node in ast.walk(tree):
            yield name, node


def _imported(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []


def _at(name: str, node: ast.AST, what: str) -> str:
    return f"{name}:{getattr(node, 'lineno', 0)}: {what}"


# ------------------------------------------------------------------------------------------------ small rooms


def test_no_file_is_longer_than_one_can_keep_in_mind() -> None:
    assert [f"{n}: {_lines(n)} lines" for n in modules() if _lines(n) > MAX_FILE_LINES] == []


def test_half_of_the_files_are_short() -> None:
    lengths = [_lines(n) for n in modules() if _lines(n) > 1]
    assert not lengths or statistics.median(lengths) <= MAX_MEDIAN_LINES


def test_no_function_is_longer_than_two_screens() -> None:
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    found = [
        _at(name, node, f"{node.name}: {node.end_lineno - node.lineno + 1} lines")
        for name, node in _nodes()
        if isinstance(node, functions) and node.end_lineno and node.end_lineno - node.lineno + 1 > MAX_FUNCTION_LINES
    ]
    assert found == []


def test_no_two_classes_have_one_name() -> None:
    places: dict[str, list[str]] = {}
    for name, node in _nodes():
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            places.setdefault(node.name, []).append(name)
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


# ------------------------------------------------------------------------------------------------ one door


def test_only_the_store_asks_which_database_it_is() -> None:
    def asks(node: ast.AST) -> bool:
        if isinstance(node, ast.Match):
            parts: list[ast.expr] = [node.subject]
        elif isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
        else:
            return False
        words = [p.attr if isinstance(p, ast.Attribute) else p.id if isinstance(p, ast.Name) else "" for p in parts]
        return any(word == "dialect" or word.endswith("_dialect") for word in words)

    found = [_at(n, node, ast.unparse(node)[:80]) for n, node in _nodes() if asks(node)]
    assert [f for f in found if not f.startswith("qflowd/store/")] == []


def test_nobody_opens_sqlite_past_apsw() -> None:
    """A second SQLite library in one process drops the first one's file locks."""
    found = [_at(n, node, "sqlite3") for n, node in _nodes() for m in _imported(node) if m.split(".")[0] == "sqlite3"]
    named = [
        _at(n, node, "sqlite3 by name")
        for n, node in _nodes()
        if isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value == "sqlite3" for a in node.args)
    ]
    assert found + named == []


# ------------------------------------------------------------------------------------------------ no data is executed


def test_nothing_is_unpickled() -> None:
    found = [_at(n, node, m) for n, node in _nodes() for m in _imported(node) if m.split(".")[0] in UNSAFE_MODULES]
    assert found == []


def test_only_named_files_execute_text() -> None:
    found = {
        name: _at(name, node, ast.unparse(node)[:80])
        for name, node in _nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"eval", "exec"}
    }
    assert [text for name, text in found.items() if name not in MAY_EXECUTE] == []
    assert set(MAY_EXECUTE) - set(found) == set(), "entries that are no longer needed"


# ------------------------------------------------------------------------------------------------ SQL in use


@functools.cache
def declared_statements() -> dict[str, str]:
    header = re.compile(r"^-- name: (\w+)", re.MULTILINE)
    files = [p for p in sorted((ROOT / "sql").rglob("*.sql")) if "migrations" not in p.parts]
    return {name: _name(p) for p in files for name in header.findall(p.read_text("utf-8"))}


def test_every_statement_that_code_calls_exists() -> None:
    """A call is a string literal as first argument of a method of something named `tx`."""

    def called(node: ast.AST) -> str | None:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args):
            return None
        owner, first = node.func.value, node.args[0]
        word = owner.attr if isinstance(owner, ast.Attribute) else owner.id if isinstance(owner, ast.Name) else ""
        return (
            first.value if word == "tx" and isinstance(first, ast.Constant) and isinstance(first.value, str) else None
        )

    calls = [(n, node, name) for n, node in _nodes() if (name := called(node))]
    assert [_at(n, node, name) for n, node, name in calls if name not in declared_statements()] == []


def test_every_statement_is_used() -> None:
    literals = {n.value for _, n in _nodes() if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    unused = {name: file for name, file in declared_statements().items() if name not in literals}
    assert {name: file for name, file in unused.items() if name not in UNUSED_STATEMENTS} == {}
    assert set(UNUSED_STATEMENTS) - set(unused) == set(), "entries that are no longer needed"


def test_a_statement_is_declared_once_per_folder() -> None:
    seen: dict[tuple[str, str], str] = {}
    twice = []
    for path in sorted((ROOT / "sql").rglob("*.sql")):
        if "migrations" in path.parts:
            continue
        for name in re.findall(r"^-- name: (\w+)", path.read_text("utf-8"), re.MULTILINE):
            key = (path.parent.name, name)
            if key in seen:
                twice.append(f"{name}: {seen[key]} and {_name(path)}")
            seen[key] = _name(path)
    assert twice == []


def test_no_two_migrations_have_one_number() -> None:
    """The second would take the place of the first."""
    numbers = [path.name[:4] for path in sorted((ROOT / "sql/common/migrations").glob("[0-9]*.sql"))]
    assert len(numbers) == len(set(numbers))


# ------------------------------------------------------------------------------------------------ what readers see


def _published() -> list[Path]:
    found: list[Path] = []
    for name in PUBLISHED:
        path = ROOT / name
        found += [path] if path.is_file() else path.rglob("*")
    return [p for p in found if p.is_file() and p.suffix in TEXT_SUFFIXES]


def test_published_texts_hold_nothing_that_only_their_writer_needs() -> None:
    found = [
        f"{_name(path)}:{number}: {match[0]}"
        for path in _published()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        for match in NOT_FOR_READERS.finditer(line)
    ]
    assert found == []


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert "## [Unreleased]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


@pytest.mark.parametrize(
    "bad", ["see /root/notes.md", "TODO: later", "a blazing fast daemon", "It scales seamlessly", "in /work/main/x"]
)
def test_the_rule_for_published_texts_sees_what_it_should(bad: str) -> None:
    assert NOT_FOR_READERS.search(bad)


@pytest.mark.parametrize(
    "good", ["/srv/work/daily", "the root user", "workers", "methodology: none", "/home/quant/x", "todo = []"]
)
def test_the_rule_for_published_texts_lets_the_rest_pass(good: str) -> None:
    assert not NOT_FOR_READERS.search(good)

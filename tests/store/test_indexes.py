"""Every index says which statement or view it serves, and that statement is there and reads that table."""

from __future__ import annotations

import re

from qflowd import resources
from qflowd.store.catalog import split

MIGRATIONS = sorted((resources.folder("sql") / "common" / "migrations").glob("*.sql"))
INDEX = re.compile(r"\{(?:unique_)?index: (?P<name>\w+) ON qflow\.(?P<table>\w+) ")
# Migrations are not edited; what took over from a statement that their comments name.
SUCCESSORS = {
    "list_dead_daemons": ("list_neighbours", "list_gone_owners"),
    "take_commands": ("list_open_commands", "take_command"),
    "list_ready_starts": ("list_unclaimed",),
}
SERVES = re.compile(r"^-- Serves (?P<words>.*)\.$")


def indexes() -> list[tuple[str, str, str]]:
    """(index, its table, what the line above it says)."""
    found = []
    for file in MIGRATIONS:
        lines = file.read_text("utf-8").splitlines()
        for i, line in enumerate(lines):
            if match := INDEX.match(line):
                found.append((match["name"], match["table"], lines[i - 1]))
    return found


def served(comment: str) -> list[str]:
    """The names in a comment `Serves a, b and the view c.`."""
    match = SERVES.match(comment)
    return re.findall(r"\w+", re.sub(r"\b(and|the|view|views)\b", " ", match["words"])) if match else []


def texts() -> dict[str, str]:
    """Statements and views by name: their texts on all databases together."""
    found: dict[str, str] = {}
    for folder in ("common", "postgres", "mysql", "sqlite"):
        for file in sorted((resources.folder("sql") / folder).glob("*.sql")):
            for name, text in split(file):
                found[name] = found.get(name, "") + text
    for file in MIGRATIONS:
        for name, text in re.findall(
            r"\{replace_view\} qflow\.(\w+) AS(.*?)^;$", file.read_text("utf-8") + "\n;", re.MULTILINE | re.DOTALL
        ):
            found |= {name: text}
    return found | {name: "".join(found[by] for by in successors) for name, successors in SUCCESSORS.items()}


def test_there_are_indexes_and_no_create_index_goes_around_the_macro():
    assert len(indexes()) >= 10
    assert not [file for file in MIGRATIONS if re.search(r"CREATE (UNIQUE )?INDEX", file.read_text("utf-8"))]


def test_every_index_names_what_it_serves_and_that_reads_its_table():
    known, wrong = texts(), []
    for index, table, comment in indexes():
        names = served(comment)
        if not names:
            wrong.append(f"{index}: the line above it does not say `Serves …`: {comment!r}")
        wrong += [f"{index}: there is no statement or view {name}" for name in names if name not in known]
        wrong += [
            f"{index}: {name} does not read {table}"
            for name in names
            if name in known and f"qflow.{table} " not in f"{known[name]} "
        ]
    assert wrong == []

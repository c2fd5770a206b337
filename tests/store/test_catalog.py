"""One catalog in three dialects: the same names, parameters and result columns, and every statement runs on a fresh schema."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from qflowd import resources
from qflowd.store.catalog import Statement, split
from qflowd.store.dialects import dialect_for
from qflowd.store.dialects.base import DataRefused
from qflowd.store.tx import Store, Tx
from tests.conftest import KINDS, GetServer
from tests.store.conftest import opened

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
URLS = {"sqlite": "sqlite:////nowhere/qflow.db", "postgres": "postgresql://127.0.0.1/x", "mysql": "mysql://127.0.0.1/"}
OF_TYPE = {"text": "1", "instant": NOW, "date": "2026-11-20", "double": 1.5, "numbers": "[1]"}
# Parameters that are no whole numbers; `…_at`, `now` and `since` are instants.
TEXTS = {
    *(
        "tenant",
        "workflow",
        "job",
        "name",
        "params",
        "overrides",
        "idempotency_key",
        "trigger_type",
        "submitted_by",
        "action",
    ),
    *(
        "task",
        "args",
        "reason",
        "requested_by",
        "result",
        "error",
        "title",
        "description",
        "domain",
        "type",
        "tags",
        "source",
    ),
    *(
        "file",
        "document",
        "source_text",
        "format",
        "hash",
        "cron",
        "timezone",
        "catchup",
        "host",
        "boot_id",
        "lock_file",
    ),
    *("run_key", "content_hash", "prefix", "prefix_end", "first_key", "last_key", "after_workflow"),
    *("token", "secret_hash", "note", "workflows", "jobs", "networks", "created_by", "kind", "principal", "address"),
    *("after_name", "after_token", "password", "lang", "zone", "theme", "density", "agent", "code_hash"),
    *("request_id", "object_type", "object", "changed_from", "changed_to", "outcome"),
    *("calendar", "session_time", "session_days", "day_window", "hours", "set_by", "timezone", "hold", "paused_by"),
    *("file_schedule", "file_says", "set_reason", "series", "due_by"),
    *("states", "tag", "levels", "search", "pool", "error_class"),
}
TEXT_IN = {
    "insert_daemon": {"version"},
    "beat": {"database_id"},
    "answer_command": {"state"},
    "list_workflow_page": {"after"},
    "list_task_definition_page": {"after"},
    "list_tenants": {"first", "last", "after"},
    "update_tenant": {"state"},
    "find_parts_named": {"label"},
    "add_session_set": {"days"},
    "find_session_set": {"days"},
}  # numbers elsewhere
DATE_IN = {
    "list_usage": {"first", "last"},
    "insert_backfill": {"first_date", "last_date"},
    "find_overlapping_backfill": {"first_date", "last_date"},
}
HOT = {
    "list_heads",
    "claim_tasks",
    "start_tasks",
    "finish_tasks",
    "advance_tasks",
    "advance_fans",
    "release_tasks",
    "promote_tasks",
}

# Parameters that one database alone makes use of, and why.
OF_ONE_DIALECT = {
    "claim_tasks": {"after_priority", "after_id"}
}  # the others take claimed rows out of the index at once
# Statements whose result differs, and why.
OWN_RESULTS = {
    "show_isolation": "MySQL names the columns of SHOW itself",
    "put_back_counters": "its result is read by nobody; each database counts in its own way",
    "move_commands": "on PostgreSQL there is nothing to move",
    "move_signals": "on PostgreSQL there is nothing to move",
}


def value_of(statement: str, name: str) -> Any:
    """A value of the right type for a parameter."""
    if name.endswith("_at") or name in ("now", "since"):
        return NOW
    dates = ("business_date", "date", "date_from", "date_to", "day", "after_day", "judged_day")
    if name in dates or name in DATE_IN.get(statement, ()):
        return "2026-11-20"
    return "1" if name in TEXTS or name in TEXT_IN.get(statement, ()) else 1


@functools.cache
def sources(dialect: str) -> dict[str, str]:
    """Statement -> text as written, for one dialect."""
    found = {}
    for folder in ("common", dialect):
        for file in sorted((resources.folder("sql") / folder).glob("*.sql")):
            for name, text in split(file):
                found[name] = re.sub(r"^\s*--(?! then).*$", "", text, flags=re.MULTILINE)
    return found


def row_columns(statement: Statement) -> tuple[str, ...]:
    """Columns of the rows that a statement takes; of all its parts, the first that takes any."""
    part: Statement | None = statement
    while part is not None and part.rows is None:
        part = part.then
    return part.rows.names if part is not None and part.rows is not None else ()


def parameters(dialect: str, name: str) -> set[str]:
    """Every parameter of a statement by name, literal ones too, its row set's columns not."""
    text = sources(dialect)[name]
    only = re.compile(r"\{only: (?P<dialects>[a-z,]+) (?P<text>[^{}]*)\}")
    text = only.sub(lambda m: m["text"] if dialect in m["dialects"].split(",") else "", text)
    text = re.sub(r"'[^']*'", "''", text)
    found = set(re.findall(r"(?<![:\w]):([a-z_]+)\b", text)) | set(re.findall(r"\{literal: (\w+)\}", text))
    row = re.search(r"\{row: ([^}]*)\}", text)
    return found - {column.split()[0] for column in (row[1].split(",") if row else ())}


def run_once(store: Store, name: str) -> tuple[str, ...]:
    """Run a statement in a transaction that is rolled back; the names of its result columns."""
    statement = store.catalog[name]
    dialect = store.dialect.name
    params = {p: value_of(name, p) for p in parameters(dialect, name)}
    part: Statement | None = statement
    while part is not None and part.rows is None:
        part = part.then
    rows = []
    if part is not None and part.rows is not None and (statement.rows is not None or statement.make_row is None):
        kinds = zip(part.rows.names, part.rows.types, strict=True)
        rows = [tuple(1 if k == "any" else OF_TYPE.get(k, 1) for _, k in kinds)]
    columns: list[tuple[str, ...]] = []
    if dialect == "sqlite":

        def trace(cursor: Any, sql: str, bindings: Any) -> bool:
            if cursor.bindings_names is not None and (found := tuple(c[0] for c in cursor.get_description())):
                columns.append(found)
            return True

        store.connection()._db.exec_trace = trace  # type: ignore[attr-defined]

    class Undo(Exception):
        pass

    def work(tx: Tx) -> None:
        tx.run(name, rows, **params)
        raise Undo

    with pytest.raises(Undo):
        store.transact(work)
    if dialect != "sqlite":
        while statement is not None:
            if statement.make_row is not None:
                columns.append(statement.make_row.args[0]._fields)  # type: ignore[attr-defined]
            statement = statement.then  # type: ignore[assignment]
    return columns[0] if columns else ()


@pytest.fixture(scope="module")
def columns(get_server: GetServer) -> dict[str, dict[str, tuple[str, ...]]]:
    """Dialect -> statement -> result columns, each found by running it on a fresh schema."""
    found: dict[str, dict[str, tuple[str, ...]]] = {}
    for kind in KINDS:
        with opened(get_server, kind) as store:
            found[store.dialect.name] = {}
            for name in store.catalog.names:
                try:
                    found[store.dialect.name][name] = run_once(store, name)
                except Exception as error:
                    raise AssertionError(f"{name} does not run on {kind}: {error}") from error
    return found


def test_every_statement_runs_on_a_fresh_schema_with_the_same_result_columns(columns):
    reference = columns["sqlite"]
    assert len(reference) > 100
    different = {
        name: {dialect: found[name] for dialect, found in columns.items()}
        for name in reference
        if len({found[name] for found in columns.values()}) > 1
    }
    assert different.keys() <= OWN_RESULTS.keys()


def test_the_three_catalogs_have_the_same_names_and_parameters():
    names = {dialect: set(sources(dialect)) for dialect in URLS}
    assert names["sqlite"] == names["postgres"] == names["mysql"]
    for name in sorted(names["sqlite"]):
        taken = {dialect: parameters(dialect, name) - OF_ONE_DIALECT.get(name, set()) for dialect in URLS}
        assert taken["sqlite"] == taken["postgres"] == taken["mysql"], name


def test_the_three_catalogs_take_the_same_rows_in_the_same_order():
    from qflowd.store.catalog import Catalog

    catalogs = {d: Catalog.load(dialect_for(url).renderer) for d, url in URLS.items()}
    for name in catalogs["postgres"].names:
        statement = catalogs["postgres"][name]
        for dialect in ("sqlite", "mysql"):
            other = catalogs[dialect][name]
            if name == "claim_tasks":  # its second part takes what the first one found
                continue
            assert row_columns(other) == row_columns(statement), (dialect, name)


def test_only_the_hot_statements_are_written_once_per_database():
    for dialect in URLS:
        own = {name for file in (resources.folder("sql") / dialect).glob("*.sql") for name, _ in split(file)}
        assert own == HOT


def test_a_null_in_a_column_that_must_not_be_null_is_refused_data(sqlite_store):
    with pytest.raises(DataRefused):
        sqlite_store.transact(lambda tx: tx.run("insert_code", hash=None, file="x"))

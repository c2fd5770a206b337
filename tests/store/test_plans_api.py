"""What the HTTP API reads: no statement reads a large table whole, with statistics that are fresh or those of empty tables."""

from __future__ import annotations

import functools
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from bench.stored import Filler
from qflowd import resources
from qflowd.store.catalog import split
from qflowd.store.dialects.postgres_connection import bound
from qflowd.store.tx import Store
from tests.conftest import KINDS
from tests.store.conftest import opened

INSTANCES, ITEMS, LINES = 10_000, 5_400, 1_000
MAPPED = INSTANCES + 1
TASK = (MAPPED << 20) + 20
LARGE = ("task_instance", "workflow_instance", "log_line")
ANALYZE = {
    "sqlite": "ANALYZE qflow",
    "postgres": "ANALYZE",
    "mariadb": "ANALYZE TABLE qflow.task_instance, qflow.workflow_instance, qflow.log_line, qflow.attempt",
}
FILES = ("api_read", "api_tasks", "api_logs", "api_failures", "api_timeline", "api_gaps")
# A range of ids that is the whole table where there is one instance: planners may read it as a whole.
GIVEN: dict[str, Any] = {
    "tenant": "default", "id": TASK, "instance_id": MAPPED, "task_id": TASK, "first": MAPPED << 20, "last": (MAPPED << 20) + 900,
    "before": INSTANCES, "lowest": INSTANCES - 100, "after": 0, "batch": 50, "states": "6", "trigger_type": "", "job": "",
    "definition_id": 3, "is_dated": 0, "is_all": 0, "date_from": "0001-01-01", "date_to": "9999-12-31", "date": "2026-11-20",
    "created_from_at": datetime(1970, 1, 1, tzinfo=UTC), "created_to_at": datetime(9000, 1, 1, tzinfo=UTC), "workflow": "%",
    "name": "%", "domain": "", "tag": "%", "search": "%", "node": -1, "place": -1, "task": "", "pool": "",
    "lane": 1, "priority": -32768, "part": 0, "fence": 1, "attempt": 0, "levels": "", "error_class": "%",
    "since": datetime(1970, 1, 1, tzinfo=UTC), "before_fence": 1, "version_id": 1, "width": 1.0, "in_any_state": 1,
    "handled_since_at": datetime(1970, 1, 1, tzinfo=UTC), "from_at": datetime(2026, 1, 1, tzinfo=UTC),
}  # fmt: skip
OF_TASKS = {
    "find_ids_failed_tasks": {"before": MAPPED << 20, "lowest": 0},
    "find_failures_ended": {"before": MAPPED << 20, "lowest": 0},
    "find_failures_waiting": {"before": MAPPED << 20, "lowest": 0},
    "group_failures_ended": {"before": MAPPED << 20, "lowest": 0},
    "group_failures_waiting": {"before": MAPPED << 20, "lowest": 0},
    "find_ids_held": {"before": MAPPED << 20, "states": "34"},
    "find_last_lines": {"before": 1 << 40},
    "find_last_lines_of_task": {"before": 1 << 40},
    "find_start_of_lines": {"before": 1 << 40},
    "find_wanted_lines_of_task": {"before": 1 << 40},
    "find_last_wanted_lines_of_task": {"before": 1 << 40},
    "list_attempts_of_task": {"before": 1 << 20},
}
LINES_OF_AN_INSTANCE = ("find_lines", "find_last_lines", "find_ends_of_lines", "count_lines")
ROWS = {"list_task_items": [(TASK + i, i % 2) for i in range(50)], "list_lines": [(i,) for i in range(1, 50)]}
ROWS["list_failure_items"] = [(TASK + i,) for i in range(50)]
ROWS |= {key: [(i,) for i in range(100, 150)] for key in ("list_instance_items", "list_usual_times")}


@functools.cache
def names() -> list[str]:
    folder = resources.folder("sql") / "common"
    return [name for file in FILES for name, _ in split(folder / f"{file}.sql")]


@pytest.fixture(scope="module", params=[f"{kind} {age}" for kind in KINDS for age in ("fresh", "stale")])
def filled(request: pytest.FixtureRequest, get_server: Any) -> Any:
    """A store with 3,000 instances, a map, failures and lines."""
    kind, age = request.param.split()
    with opened(get_server, kind) as store:
        if age == "stale":
            store.connection().script(ANALYZE[kind])
        filler = Filler(store, INSTANCES, maps=(ITEMS,), lines=LINES)
        filler.fill()
        for instance in range(5, 105):
            filler.lines_of(instance << 20)
        if age == "fresh":
            store.connection().script(ANALYZE[kind])
        yield store


@pytest.mark.parametrize("name", names())
def test_no_read_of_the_api_reads_a_large_table_whole(filled: Store, name: str, request: pytest.FixtureRequest) -> None:
    if name in LINES_OF_AN_INSTANCE and request.node.callspec.params["filled"] == "postgres stale":
        pytest.skip("without statistics PostgreSQL takes a range of tasks for more of the lines than it is")
    params, rows = GIVEN | OF_TASKS.get(name, {}), ROWS.get(name, [])
    assert EXPLAINED[filled.dialect.name](filled, name, params, rows) == []


def test_the_ends_of_a_log_are_those_of_its_tasks_in_the_index(filled: Store) -> None:
    name, params = "find_ends_by_task", GIVEN
    text = filled.catalog[name].text(params)
    for key in ("first", "last", "instance_id", "tenant"):
        text = re.sub(rf"(?<!:):{key}\b|%\({key}\)s", repr(params[key]), text)
    script, kind = filled.connection().script, filled.dialect.name
    if kind == "sqlite":
        steps = [row[3] for row in script("EXPLAIN QUERY PLAN " + text)]
        assert steps.count("SEARCH g USING COVERING INDEX log_line_task (task_id=?)") == 2, steps
        assert not any("B-TREE" in step for step in steps), steps
    elif kind == "postgres":
        lines = [line for (line,) in script("EXPLAIN " + text)]
        assert sum("using log_line_task on log_line g" in line for line in lines) == 2, lines
        assert not any("Sort" in line for line in lines), lines
    else:
        of_lines = [row for row in script("EXPLAIN " + text) if row[2] == "g"]
        assert [row[3:6:2] for row in of_lines] == [("ref", "log_line_task")] * 2, of_lines
        assert not any("filesort" in row[-1] for row in of_lines), of_lines


def _of_sqlite(store: Store, name: str, params: dict[str, Any], rows: list[Any]) -> list[str]:
    text = re.sub(r"(?<![:\w]):([a-z_]+)\b|\?\d+", "1", store.catalog[name].text(params))
    steps = [row[3] for row in store.connection().script("EXPLAIN QUERY PLAN " + text)]
    return steps if any(re.match(r"SCAN (t|i|g)\b(?! USING)", step) for step in steps) else []


def _of_postgres(store: Store, name: str, params: dict[str, Any], rows: list[Any]) -> list[str]:
    connection: Any = store.connection()
    text, values = bound(store.catalog[name], params, rows)
    cursor = connection.driver.execute("EXPLAIN (FORMAT JSON) " + text, values, prepare=False)
    [(found,)] = cursor.fetchall()
    open_nodes, wrong = [found[0]["Plan"]], []
    while open_nodes:
        node = open_nodes.pop()
        open_nodes += node.get("Plans", [])
        if node["Node Type"] == "Seq Scan" and node["Relation Name"] in LARGE:
            wrong.append(f"{node['Relation Name']} {node.get('Alias')}")
    return wrong


def _of_mysql(store: Store, name: str, params: dict[str, Any], rows: list[Any]) -> list[str]:
    import msgspec

    connection: Any = store.connection()
    statement = store.catalog[name]
    asked = {key: value for key, value in params.items() if f"%({key})s" in statement.sql}
    if statement.rows is not None:
        asked["rows"] = msgspec.json.encode(rows).decode()
    with connection.driver.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement.text(params), asked)
        found = list(cursor.fetchall())
    return [
        str(row)
        for row in found
        if row[2] in ("t", "i", "g" if "lines" in name else "t")
        and row[3] in ("ALL", "index")
        and "checked for each" not in row[-1]
    ]


EXPLAINED = {"sqlite": _of_sqlite, "postgres": _of_postgres, "mysql": _of_mysql}

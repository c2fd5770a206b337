"""What looks for children every second, busy or not, never reads the table of tasks whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qflowd.store.tx import Store
from tests.conftest import KINDS
from tests.store.conftest import opened
from tests.store.plans import fill

SIZE = 40_000
NAMES = ("list_ready_starts", "list_ended_children", "list_untold_children", "count_open_children")
ANALYZE = {"sqlite": "ANALYZE qflow", "postgres": "ANALYZE", "mariadb": "ANALYZE TABLE qflow.task_instance, qflow.lane"}


@pytest.fixture(params=[f"{kind} {age}" for kind in KINDS for age in ("stale", "fresh")])
def filled(request: pytest.FixtureRequest, get_server: Any) -> Any:
    """Tasks in lanes of which one has no pool; stale: analysed while the table was empty."""
    kind, age = request.param.split()
    with opened(get_server, kind) as store:
        script = store.connection().script
        for lane in range(1, 6):
            script(
                "INSERT INTO qflow.lane (tenant, pool, job, limits, is_paused) "
                f"VALUES ('default', '{'' if lane == 5 else 'default'}', 'job{lane}', '', 0)"
            )
        if age == "stale":
            script(ANALYZE[kind])
        fill(store, 1, SIZE)
        if age == "fresh":
            script(ANALYZE[kind])
        yield store


@pytest.mark.parametrize("name", NAMES)
def test_looking_for_children_reads_no_table_whole(filled: Store, name: str) -> None:
    text = filled.catalog[name].text({"batch": 100})
    kind = filled.dialect.name
    if kind == "sqlite":
        steps = [row[3] for row in filled.connection().script("EXPLAIN QUERY PLAN " + text)]
        whole = [step for step in steps if step.startswith(("SCAN t", "SCAN i", "SCAN p"))]
    elif kind == "postgres":
        [(found,)] = filled.connection().script("EXPLAIN (FORMAT JSON) " + text)
        steps, whole = [json.dumps(found, indent=1)], []
        open_nodes = [found[0]["Plan"]]
        while open_nodes:
            node = open_nodes.pop()
            open_nodes += node.get("Plans", [])
            if node["Node Type"] == "Seq Scan" and node["Relation Name"] == "task_instance":
                whole.append(node)
    else:
        rows = filled.connection().script("EXPLAIN " + text)
        steps = [str(row) for row in rows]
        whole = [row for row in rows if row[2] == "t" and row[3] in ("ALL", "index")]
    assert not whole, "\n".join(steps)

"""Rows that no pool claims are found along the claim index: a batch reads neither those behind it nor those of other lanes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from qflowd.store.tx import Store
from tests.conftest import KINDS
from tests.store.conftest import opened
from tests.store.plans import FROM_THE_START, NUMBERS, fill, whole_reads

SIZE = 40_000
BATCH = 100  # of 1,600 READY rows in a lane: to sort these for 500 of them costs PostgreSQL as little as the index
LANES = ("", "(wait)", "default", "default", "(wait)")
ANALYZE = {
    "sqlite": "ANALYZE qflow",
    "postgres": "ANALYZE",
    "mariadb": "ANALYZE TABLE qflow.task_instance, qflow.lane, qflow.workflow_instance",
}


@pytest.fixture(scope="module", params=[f"{kind} {age}" for kind in KINDS for age in ("stale", "fresh", "long")])
def filled(request: pytest.FixtureRequest, get_server: Any) -> Any:
    """A fifth of the tasks in each lane. stale: analysed while the table was empty; long: all of them are READY."""
    kind, age = request.param.split()
    with opened(get_server, kind) as store:
        script = store.connection().script
        for number, pool in enumerate(LANES):
            script(
                "INSERT INTO qflow.lane (tenant, pool, job, limits, is_paused) "
                f"VALUES ('default', '{pool}', 'job{number}', '', 0)"
            )
        if age == "stale":
            script(ANALYZE[kind])
        _add_instances(store)
        if age == "long":
            fill(store, 1, SIZE, state="1")
        else:
            fill(store, 1, SIZE)
        if age != "stale":
            script(ANALYZE[kind])
        yield store


def _add_instances(store: Store) -> None:
    number = "seq" if store.dialect.name == "mysql" else "n"
    now = "0" if store.dialect.name == "sqlite" else "now()"
    store.connection().script(
        "INSERT INTO qflow.workflow_instance (id, tenant, state, open_closers, next_ordinal, priority, trigger_type, params, "
        f"created_at, updated_at) SELECT {number}, 'default', 1, 0, 1, 0, 'sql', '{{}}', {now}, {now} FROM "
        + NUMBERS[store.dialect.name].format(first=1, last=SIZE)
    )


def text_of(store: Store, name: str) -> str:
    text = store.catalog[name].text({"batch": BATCH})
    for param, value in {"pool": "'(wait)'", "lane": "2", **FROM_THE_START}.items():
        text = text.replace(f"%({param})s", str(value)).replace(f":{param}", str(value))
    return text


@pytest.mark.parametrize("name", ["list_unclaimed_lanes", "list_unclaimed"])
def test_no_table_of_tasks_or_instances_is_read_whole(filled: Store, name: str) -> None:
    assert not whole_reads(filled, text_of(filled, name), "ri", ("task_instance", "workflow_instance"))


def test_a_batch_reads_along_the_claim_index_as_far_as_it_needs(filled: Store) -> None:
    script, text = filled.connection().script, text_of(filled, "list_unclaimed")
    if filled.dialect.name == "sqlite":
        steps = [row[3] for row in script("EXPLAIN QUERY PLAN " + text)]
        assert not any("AUTOMATIC" in step for step in steps), steps
        assert any("task_instance_claim (lane=? AND priority>?)" in step for step in steps), steps
    elif filled.dialect.name == "postgres":
        lines = [line for (line,) in script("EXPLAIN (ANALYZE, TIMING OFF, BUFFERS OFF) " + text)]
        [scan] = [number for number, line in enumerate(lines) if "Index Scan using task_instance_claim" in line]
        assert "Limit" in lines[scan - 1], lines  # nothing is sorted below it
        assert re.search(rf"actual rows={BATCH}(\.00)? ", lines[scan]), lines
    else:
        [scan] = [row for row in script("EXPLAIN " + text) if row[2] == "r"]
        assert scan[5] == "task_instance_claim", scan
        assert "filesort" not in scan[-1], scan

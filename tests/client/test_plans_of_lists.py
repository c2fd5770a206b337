"""How servers work out a list of instances: each reads its own rows, however many others there are."""

from __future__ import annotations

import re

import pytest

from qflowd.client import Client
from qflowd.model.ids import LARGEST_INSTANCE, ORDINALS
from qflowd.model.states import TaskState
from tests.support.stand_in import StandIn


@pytest.fixture(scope="module")
def way() -> str:
    """The plans are those of the database, whoever asks."""
    return "database"


OTHERS, ROWS = 40, 3000
LIST = (
    f"SELECT v.* FROM (SELECT i.id FROM qflow.workflow_instance i WHERE i.state < 3 AND i.id < {LARGEST_INSTANCE}"
    " ORDER BY i.id DESC LIMIT 500) f JOIN qflow.instances v ON v.id = f.id ORDER BY v.id DESC"
)


def fill(engine: StandIn, client: Client) -> None:
    """One instance with thousands of ready rows, and others with one each."""
    large = engine.admit(client.submit(job="hello").id, tasks=())
    lane, state = engine.lane("hello"), int(TaskState.READY)
    rows = ", ".join(f"({large * ORDINALS + i}, {i}, {state}, {lane}, 0, 0, 1, {engine.now})" for i in range(ROWS))
    columns = "(id, node, state, lane, priority, open_parents, need, ready_at)"
    engine.sql(f"INSERT INTO qflow.task_instance {columns} VALUES {rows}")
    for _ in range(OTHERS):
        engine.admit(client.submit(job="hello").id)


def test_a_list_of_instances_reads_the_rows_of_each_by_their_key(engine: StandIn, client: Client):
    fill(engine, client)
    if engine.url.startswith("mysql"):
        engine.sql("ANALYZE TABLE qflow.task_instance")
        reads = [row for row in engine.sql(f"EXPLAIN {LIST}") if row[2] == "t" and row[3] in ("ALL", "index")]
        assert reads
        assert [row for row in reads if "Range checked for each record" not in row[-1]] == []
    elif engine.url.startswith("postgres"):
        plan = "\n".join(row[0] for row in engine.sql(f"EXPLAIN (ANALYZE) {LIST}"))
        loops = [int(number) for number in re.findall(r" on workflow_instance.*loops=(\d+)\)", plan)]
        assert loops
        assert max(loops) <= OTHERS + 1, plan
    else:
        plan = "\n".join(str(row[-1]) for row in engine.sql(f"EXPLAIN QUERY PLAN {LIST}"))
        assert not re.search(r"SCAN t\b", plan), plan


def test_no_view_of_postgresql_asks_a_clock_that_changes_within_a_statement(engine: StandIn):
    """Such a view is not merged into the statement that asks it, but worked out whole for each row."""
    if engine.url.startswith("postgres"):
        views = engine.sql(
            "SELECT viewname FROM pg_views WHERE schemaname = 'qflow' AND definition LIKE '%clock_timestamp%'"
        )
        assert views == []

"""PostgreSQL: the hot statements stay on their indexes, whatever the size of the table and the age of its statistics."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from qflowd.store.dialects.postgres_connection import bound
from qflowd.store.tx import Store
from tests.store.conftest import opened
from tests.store.plans import FROM_THE_START, fill, given

BATCHES = (1, 10, 400, 1000)
MODES = ("force_custom_plan", "force_generic_plan")
CLAIM, HELD, KEY = "task_instance_claim", "task_instance_held", "task_instance_pkey"
INDEXES = {
    "list_heads": {CLAIM},
    "claim_tasks": {CLAIM, KEY},
    "start_tasks": {KEY},
    "finish_tasks": {KEY},
    "advance_tasks": {KEY},
    "advance_fans": {KEY},
    "release_tasks": {KEY},
    "promote_tasks": {KEY},
    "insert_tasks": {KEY},
    "insert_claimed_tasks": {CLAIM},
    "list_held": {HELD},
    "list_lost": {HELD},
    "take_submissions": {"submissions_open"},
    "list_due_timers": {"timer_due"},
    "list_users_of_jobs": {"workflow_need_name", "workflow_version_pkey", "workflow_definition_pkey"},
}
OUTSIDE_A_TRANSACTION = {"list_heads", "list_held", "list_lost", "list_due_timers"}  # plain reads, planned freely


class Node(NamedTuple):
    kind: str
    table: str | None
    index: str | None


def plan(store: Store, name: str, batch: int, mode: str, *, inside: bool) -> list[Node]:
    """The plan's nodes, as the door's transaction (or a read outside of one) gets it."""
    rows, params = given(name, batch)
    connection = store.connection()
    text, values = bound(store.catalog[name], params, rows)
    names: list[str] = []

    def numbered(match: re.Match[str]) -> str:
        if match[1] not in names:
            names.append(match[1])
        return f"${names.index(match[1]) + 1}"

    text = re.sub(r"%\((\w+)\)s", numbered, text).replace("%%", "%")
    arguments = ", ".join("'" + str(values[n]).replace("'", "''") + "'" for n in names)
    if inside:
        connection.begin()
    connection.script(f"SET plan_cache_mode = {mode}")
    connection.script(f"PREPARE asked AS {text}")
    [(found,)] = connection.script(f"EXPLAIN (FORMAT JSON) EXECUTE asked{f'({arguments})' if names else ''}")
    connection.script("DEALLOCATE asked")
    if inside:
        connection.rollback()
    return nodes(found[0]["Plan"])


def nodes(tree: dict[str, Any]) -> list[Node]:
    found = [Node(tree["Node Type"], tree.get("Relation Name"), tree.get("Index Name"))]
    for child in tree.get("Plans", []):
        found += nodes(child)
    return found


@pytest.fixture(scope="module", params=["fresh", "stale"])
def statistics(request):
    return request.param


@pytest.fixture(scope="module", params=[0, 10, 2_000, 40_000, 200_000])
def size(request):
    return request.param


@pytest.fixture(scope="module")
def filled(get_server, size, statistics):
    """A store with so many tasks; stale: analysed while the table was empty, the normal state of a queue."""
    if size > 100_000 and statistics == "fresh":
        pytest.skip("large and fresh is what planners are good at")
    with opened(get_server, "postgres") as store:
        connection = store.connection()
        connection.script("ALTER TABLE qflow.task_instance SET (autovacuum_enabled = off)")
        connection.script("ANALYZE qflow.task_instance")
        fill(store, 1, size)
        if statistics == "fresh":
            connection.script("ANALYZE qflow.task_instance")
        yield store


@pytest.mark.parametrize("name", INDEXES)
def test_a_hot_statement_stays_on_its_index(filled, size, name):
    inside = name not in OUTSIDE_A_TRANSACTION
    if not inside and size < 2_000:
        pytest.skip("a table of one page is read whole by whoever wants a row")
    for batch in BATCHES:
        for mode in MODES:
            found = plan(filled, name, batch, mode, inside=inside)
            what = f"{name}, {batch} rows, {mode}: {[tuple(filter(None, node)) for node in found]}"
            assert not [node for node in found if node.kind == "Seq Scan" and node.table == "task_instance"], what
            assert {node.index for node in found if node.index} >= INDEXES[name], what
            if name in ("claim_tasks", "list_heads", "take_submissions"):
                assert not [node for node in found if "Sort" in node.kind], what


def test_a_claim_of_n_takes_exactly_n_with_statistics_of_an_empty_queue(postgres_store):
    # A plain IN (SELECT … LIMIT 1) took 300 of 300 rows here.
    connection, claim = postgres_store.connection(), postgres_store.catalog["claim_tasks"]
    connection.script("ANALYZE qflow.task_instance")
    fill(postgres_store, 1, 300, state="1")
    for join in ("hashjoin", "mergejoin", "nestloop", "material"):
        for wanted in (1, 25):
            connection.begin()
            connection.script(f"SET LOCAL enable_{join} = off")
            connection.script("SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on")
            for claims in (1, 2):
                assert (
                    len(connection.run(claim, {"lane": 3, "owner": 1, "batch": wanted} | FROM_THE_START, ())) == wanted
                )
                [(held,)] = connection.script("SELECT COUNT(*) FROM qflow.task_instance WHERE state = 3")
                assert held == claims * wanted
            connection.rollback()


def test_two_claimers_get_different_rows_and_nobody_waits(postgres_store):
    fill(postgres_store, 1, 300, state="1")
    claim = postgres_store.catalog["claim_tasks"]
    first, second = postgres_store.dialect.connect(), postgres_store.dialect.connect()
    first.begin()
    second.begin()
    mine = first.run(claim, {"lane": 3, "owner": 1, "batch": 10} | FROM_THE_START, ())
    theirs = second.run(claim, {"lane": 3, "owner": 2, "batch": 10} | FROM_THE_START, ())
    order = postgres_store.connection().script(
        "SELECT id FROM qflow.task_instance WHERE lane = 3 ORDER BY priority, id LIMIT 20"
    )
    assert [row.id for row in sorted([*mine, *theirs], key=lambda row: (row.priority, row.id))] == [i for (i,) in order]
    assert {row.id for row in mine} == {i for (i,) in order[:10]}
    for connection in (first, second):
        connection.rollback()
        connection.close()


def test_a_row_whose_log_is_being_written_can_be_claimed(postgres_store):
    # FOR NO KEY UPDATE: a lock FOR KEY SHARE, as a foreign key takes it, hides nothing.
    fill(postgres_store, 1, 5, state="1")
    other = postgres_store.dialect.connect()
    other.begin()
    other.script("SELECT 1 FROM qflow.task_instance FOR KEY SHARE")
    assert (
        len(
            postgres_store.connection().run(
                postgres_store.catalog["claim_tasks"], {"lane": 1, "owner": 1, "batch": 5} | FROM_THE_START, ()
            )
        )
        == 1
    )
    other.rollback()
    other.close()

"""MariaDB: the hot statements use their index, sort nothing, and lock little more than the rows they take."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import pytest

from qflowd.store.dialects.base import Connection
from qflowd.store.tx import Store
from tests.store.conftest import opened
from tests.store.plans import FROM_THE_START, NOW, fill, given, parts

BATCHES = (10, 400, 1000)
# Statement -> index of the table behind the row set, or of the one table that is read.
INDEXES = {
    "list_heads": "task_instance_claim",
    "claim_tasks": "task_instance_claim",
    "start_tasks": "PRIMARY",
    "finish_tasks": "PRIMARY",
    "advance_tasks": "PRIMARY",
    "advance_fans": "PRIMARY",
    "release_tasks": "PRIMARY",
    "promote_tasks": "PRIMARY",
    "list_held": "task_instance_held",
    "list_lost": "task_instance_held",
    "list_due_timers": "timer_due",
}


def explained(store: Store, name: str, batch: int) -> list[list[dict[str, Any]]]:
    """EXPLAIN of each part: its rows in join order."""
    rows, params = given(name, batch)
    connection = store.connection()
    found = []
    for part in parts(store.catalog[name]):
        driver = connection.driver  # type: ignore[attr-defined]
        asked = {k: v for k, v in params.items() if f"%({k})s" in part.sql}
        ids = rows or [(16 * n,) for n in range(1, batch + 1)]
        with driver.cursor() as cursor:
            if part.rows is not None:
                import msgspec

                width = len(part.rows.names)
                asked["rows"] = msgspec.json.encode([row[:width] for row in ids]).decode()
            cursor.execute("EXPLAIN " + part.text(params), asked or None)
            names = [column[0] for column in cursor.description]
            found.append([dict(zip(names, row, strict=True)) for row in cursor.fetchall()])
    return found


@pytest.fixture(scope="module", params=["fresh", "stale"])
def statistics(request):
    return request.param


@pytest.fixture(scope="module", params=[0, 10, 2_000, 40_000])
def size(request):
    return request.param


@pytest.fixture(scope="module")
def filled(get_server, size, statistics):
    """A store with so many tasks; stale: its statistics are those of the empty table."""
    with opened(get_server, "mariadb") as store:
        connection = store.connection()
        connection.script("ALTER TABLE qflow.task_instance STATS_AUTO_RECALC = 0")
        connection.script("ANALYZE TABLE qflow.task_instance")
        fill(store, 1, size)
        if statistics == "fresh":
            connection.script("ANALYZE TABLE qflow.task_instance")
        yield store


@pytest.mark.parametrize("name", INDEXES)
def test_a_hot_statement_stays_on_its_index(filled, size, statistics, name):
    free = name in ("list_held", "list_lost", "list_due_timers")
    if free and (size < 2_000 or statistics == "stale"):
        pytest.skip("a plain read; on a table that it thinks small the optimiser may read it whole")
    for batch in BATCHES:
        for steps in explained(filled, name, batch):
            what = f"{name}, {batch} rows: {steps}"
            if steps[0]["select_type"] == "SIMPLE" and "no matching row" in (steps[0]["Extra"] or "").lower():
                continue  # found out while planning: the table is empty
            driven = len(steps) > 1 and name not in ("list_lost", "list_heads")
            if driven:
                assert steps[0]["table"] == "d", what
                assert all("json_table" in step["Extra"].lower() for step in steps[:-1]), what
                assert steps[-1]["type"] == "eq_ref", what
                assert steps[-1]["key"] == "PRIMARY", what
            elif name == "list_due_timers":
                assert steps[0]["table"] == "timer", what
            elif name == "list_heads":
                assert [step["key"] for step in steps if step["table"] == "task_instance"] == [INDEXES[name]], what
            else:
                assert steps[0]["key"] == INDEXES[name], what
            if not free:
                assert not [step for step in steps if "filesort" in (step["Extra"] or "").lower()], what
                assert not [step for step in steps if "temporary" in (step["Extra"] or "").lower()], what


@pytest.mark.parametrize("name", ["cancel_tasks", "hold_ready_tasks", "count_open_tasks", "count_unheld"])
def test_a_sweep_reads_its_own_range_of_ids(filled, size, name):
    params = {"first": 16, "last": 16 * 2500, "now": NOW}
    text = filled.catalog[name].text({})
    with filled.connection().driver.cursor() as cursor:
        cursor.execute("EXPLAIN " + text, {key: value for key, value in params.items() if f"%({key})s" in text})
        [step, *_] = [row for row in cursor.fetchall() if row[2] == "task_instance"] or [None]
    assert step is None or "PRIMARY" in step, step
    assert size == 0 or step is not None


def locked_rows(store: Store, connection: Connection) -> int:
    """How many row locks a session holds, as InnoDB counts them."""
    [(number,)] = connection.script("SELECT CONNECTION_ID()")
    time.sleep(0.15)  # the server refreshes this table ten times a second
    [(locked,)] = store.connection().script(
        f"SELECT trx_rows_locked FROM information_schema.innodb_trx WHERE trx_mysql_thread_id = {number}"
    )
    return int(locked)


@contextlib.contextmanager
def beside(store, locking):
    """A session in a transaction that soon gives up where it must wait for another one, which holds these locks."""
    with contextlib.ExitStack() as stack:
        other, mine = store.dialect.connect(), store.dialect.connect()
        for connection in (mine, other):
            stack.callback(connection.close)
            stack.callback(connection.rollback)
        other.begin()
        other.script(locking)
        mine.script("SET SESSION innodb_lock_wait_timeout = 1")
        mine.begin()
        yield mine


@pytest.mark.parametrize("wanted", [1, 10, 100])
def test_a_claim_locks_little_more_than_it_takes_and_the_next_claimer_gets_other_rows(filled, size, wanted):
    if size < 2_000:
        pytest.skip("there is not enough to claim")
    claim = filled.catalog["claim_tasks"]
    first, second = filled.dialect.connect(), filled.dialect.connect()
    try:
        first.begin()
        second.begin()
        mine = first.run(claim, {"lane": 3, "owner": 1, "batch": wanted} | FROM_THE_START, ())
        start = time.monotonic()
        theirs = second.run(claim, {"lane": 3, "owner": 2, "batch": wanted} | FROM_THE_START, ())
        assert time.monotonic() - start < 5  # nobody waited for the lock timeout
        available = min(2 * wanted, size // 25)
        assert len(mine) == min(wanted, available)
        assert len(theirs) == available - len(mine)
        assert not {row.id for row in mine} & {row.id for row in theirs}
        assert locked_rows(filled, first) <= 3 * len(mine) + 8
    finally:
        for connection in (first, second):
            connection.rollback()
            connection.close()


def test_a_finish_locks_its_own_rows_only_and_waits_for_nobody_elses(filled, size):
    if size < 10:
        pytest.skip("there is nothing to finish")
    rows, params = given("finish_tasks", 5)
    with beside(filled, "SELECT id FROM qflow.task_instance WHERE id = 16 * 7 FOR UPDATE") as mine:
        mine.run(filled.catalog["finish_tasks"], params, rows)
        assert mine.changed == 5
        assert locked_rows(filled, mine) <= 3 * 5 + 8


def test_a_claim_of_many_lanes_locks_its_own_limits_only(mariadb_store):
    fill_limits = "INSERT INTO qflow.limit_key (name, capacity, used, source, updated_at)"
    for first, last in ((1, 3), (4, 1000)):
        values = (
            f"SELECT CONCAT('bank:', LPAD(seq, 4, '0')), 2, 0, 'default', UTC_TIMESTAMP() FROM seq_{first}_to_{last}"
        )
        mariadb_store.connection().script(f"{fill_limits} {values}")
        names = [f"bank:{number:04}" for number in range(2, min(last, 100) + 1)]
        others = "SELECT name FROM qflow.limit_key WHERE name IN ('bank:0001', 'bank:0500') FOR UPDATE"
        with beside(mariadb_store, others) as mine:
            locked = mine.run(mariadb_store.catalog["lock_limits"], {}, [(name,) for name in names])
            assert [row.name for row in locked] == names
            for statement, row in {"move_slots": (1,), "save_spent": ("{}", None), "save_probes": (1, 1)}.items():
                mine.run(mariadb_store.catalog[statement], {}, [(name, *row) for name in names])
                assert mine.changed == len(names), statement
            assert locked_rows(mariadb_store, mine) <= 3 * len(names) + 8

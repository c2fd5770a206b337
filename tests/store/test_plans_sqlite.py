"""SQLite: the hot statements search an index; none reads the table of tasks whole or sorts it."""

from __future__ import annotations

import re

import pytest

from tests.store.conftest import opened
from tests.store.plans import LANES, fill, given, parts

INDEXES = {  # of all parts of a statement, or of each
    "list_heads": "task_instance_claim",
    "claim_tasks": ("task_instance_claim", "PRIMARY KEY.*task_instance_claim"),
    "start_tasks": "PRIMARY KEY",
    "finish_tasks": "PRIMARY KEY",
    "advance_tasks": "PRIMARY KEY",
    "advance_fans": "PRIMARY KEY",
    "release_tasks": "PRIMARY KEY",
    "promote_tasks": "PRIMARY KEY",
    "list_held": "task_instance_held",
    "list_lost": "task_instance_held",
    "take_submissions": "PRIMARY KEY|submissions_open",
    "list_due_timers": "timer_due",
}


@pytest.fixture(scope="module", params=["never analysed", "analysed empty", "analysed full"])
def filled(request, get_server):
    """2,000 tasks; SQLite itself never analyses, but whoever opens the file may."""
    with opened(get_server, "sqlite") as store:
        connection = store.connection()
        if request.param == "analysed empty":
            connection.script("ANALYZE qflow")
        fill(store, 1, 2_000)
        if request.param == "analysed full":
            connection.script("ANALYZE qflow")
        yield store


@pytest.mark.parametrize("name", INDEXES)
def test_a_hot_statement_stays_on_its_index(filled, name):
    _, params = given(name, 400)
    found = parts(filled.catalog[name])
    wanted = INDEXES[name] if isinstance(INDEXES[name], tuple) else (INDEXES[name],) * len(found)
    for part, index in zip(found, wanted, strict=True):
        text = re.sub(r"(?<![:\w]):([a-z_]+)\b|\?\d+", "1", part.text(params))
        lines = [row[3] for row in filled.connection().script("EXPLAIN QUERY PLAN " + text)]
        what = "; ".join(lines)
        assert re.search(index, what), what
        assert not re.search(r"SCAN (task_instance|t|submissions|timer)\b(?! USING)", what), what
        if name not in ("list_held", "list_lost"):  # a daemon's own rows, sorted once
            assert "TEMP B-TREE" not in what, what


def test_a_claim_of_n_takes_the_first_n_of_its_lane(sqlite_store):
    fill(sqlite_store, 1, 300, state="1")
    connection = sqlite_store.connection()
    order = [i for (i,) in connection.script("SELECT id FROM qflow.task_instance WHERE lane = 3 ORDER BY priority, id")]
    assert len(order) == 300 // LANES
    for start in (0, 7):
        taken = sqlite_store.transact(lambda tx: tx.run("claim_tasks", lane=3, owner=1, batch=7))
        assert sorted(row.id for row in taken) == sorted(order[start : start + 7])
        assert {row.fence for row in taken} == {1}

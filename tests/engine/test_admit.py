"""Admission, beyond what the contract's tests see of it."""

from datetime import timedelta

import pytest

from qflowd.engine.admission import intake
from qflowd.model.ids import LARGEST_INSTANCE, ORDINALS
from qflowd.store.tx import DataRefused
from tests.support.lab import Lab


def submissions(lab):
    return lab.sql("SELECT state, instance_id FROM qflow.submissions ORDER BY id")


def test_a_refused_submission_holds_no_idempotency_key(lab):
    """Else the next one would be ACCEPTED as a repetition of something that never runs."""
    refused = lab.start("later", idempotency_key="k")
    lab.workflow("later", {"a": []})
    second = lab.start("later", idempotency_key="k")
    third = lab.start("later", idempotency_key="k")
    assert (refused, second, third) == tuple(range(refused, refused + 3))
    assert submissions(lab) == [("REJECTED", None), ("ACCEPTED", second), ("ACCEPTED", second)]
    assert lab.sql("SELECT id FROM qflow.workflow_instance") == [(second,)]


def test_a_submission_that_is_refused_once_its_lanes_are_there_holds_no_key(lab, monkeypatch):
    lab.workflow("later", {"a": []})
    make, calls = lab.lanes.ensure, []

    def ensure(keys):
        make(keys)
        calls.append(keys)
        lab.sql("UPDATE qflow.workflow_definition SET enabled = 0")

    monkeypatch.setattr(lab.lanes, "ensure", ensure)
    lab.start("later", idempotency_key="k")
    assert len(calls) == 1
    assert lab.sql("SELECT instance_id FROM qflow.run_key") == []
    lab.sql("UPDATE qflow.workflow_definition SET enabled = 1")
    second = lab.start("later", idempotency_key="k")
    assert submissions(lab) == [("REJECTED", None), ("ACCEPTED", second)]


def test_a_key_twice_in_one_batch_is_one_instance(lab):
    first, second = (lab.submit(job="work", idempotency_key="k") for _ in range(2))
    lab.admit.tick()
    assert submissions(lab) == [("ACCEPTED", first), ("ACCEPTED", first)]
    assert second != first


def test_large_instances_come_few_at_a_time(lab, monkeypatch):
    monkeypatch.setattr(intake, "MOST_TASKS", 5)
    lab.workflow("wide", {f"t{i}": [] for i in range(4)})
    numbers = [lab.submit("wide") for _ in range(5)]
    taken = []
    while True:
        pause_s = lab.admit.tick()
        taken.append(lab.sql("SELECT COUNT(*) FROM qflow.workflow_instance")[0][0])
        if pause_s:
            break
    assert taken == [2, 4, 5]
    assert lab.sql("SELECT COUNT(*) FROM qflow.task_instance") == [(20,)]
    assert all(lab.state(number) == "RUNNING" for number in numbers)


def test_unknown_jobs_leave_nothing_in_memory(lab):
    for i in range(3):
        lab.start(job=f"nobody-{i}")
    assert not lab.plans._by_job
    assert {state for state, _ in submissions(lab)} == {"REJECTED"}


def test_a_lane_that_cannot_be_made_spoils_no_other_row(lab, monkeypatch):
    """What was admitted a moment ago keeps its answer."""
    make = lab.lanes.ensure

    def ensure(keys):
        if any(key.tenant == "bad" for key in keys):
            raise DataRefused("too long")
        make(keys)

    monkeypatch.setattr(lab.lanes, "ensure", ensure)
    lab.submit(job="work", tenant="bad")
    good = lab.submit(job="work")
    lab.admit.tick()
    assert submissions(lab) == [("REJECTED", None), ("ACCEPTED", good)]
    assert lab.sql("SELECT id FROM qflow.task_instance") == [(good * ORDINALS,)]


def test_every_task_gets_its_own_lane_priority_and_parents(lab):
    """Rows that begin alike are sent as one; nothing may be mixed up in that."""
    lab.workflow(
        "mixed",
        {"a": [], "b": [], "c": ["a"], "d": ["a", "b"], "e": ["b"], "f": ["d"]},
        defaults={"priority": 1},
    )
    overrides = '{"tasks": {"b": {"pool": "io"}, "e": {"priority": 5}, "f": {"params": {"n": 1}}}}'
    number = lab.start("mixed", priority=10, overrides=overrides)
    found = lab.sql(
        "SELECT t.id, t.node, l.pool, t.priority, t.state, t.open_parents, t.need, "
        "CASE WHEN t.ready_at IS NULL THEN 0 ELSE 1 END "
        "FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane ORDER BY t.id"
    )
    first = number * ORDINALS
    assert found == [
        (first, 0, "default", -11, 1, 0, 0, 1),
        (first + 1, 1, "io", -11, 1, 0, 0, 1),
        (first + 2, 2, "default", -11, 0, 1, 1, 0),
        (first + 3, 3, "default", -11, 0, 2, 2, 0),
        (first + 4, 4, "default", -15, 0, 1, 1, 0),
        (first + 5, 5, "default", -11, 0, 1, 1, 0),
    ]


def test_a_submission_that_is_taken_twice_changes_nothing(lab):
    lab.workflow("two", {"a": [], "b": ["a"]})
    number = lab.start("two")
    lab.sql("UPDATE qflow.task_instance SET priority = 7")
    before = lab.sql("SELECT id, state, priority FROM qflow.task_instance ORDER BY id")
    lab.sql("UPDATE qflow.submissions SET is_open = 1")
    lab.admit.tick()
    assert submissions(lab) == [("ACCEPTED", number)]
    assert lab.sql("SELECT id, state, priority FROM qflow.task_instance ORDER BY id") == before
    assert len(before) == 2


@pytest.mark.parametrize("state", ["ACCEPTED", "REJECTED"])
def test_an_answer_is_final(lab, state):
    number = lab.start(job="work" if state == "ACCEPTED" else "nobody")
    lab.admit._refuse(number, "again")
    assert submissions(lab)[0][0] == state
    assert lab.column("submissions", "error", number) != "again"


def test_timers_are_looked_at_again_only_where_something_waits_for_one(lab):
    lab.start(job="work")
    assert lab.published == ["ready"]
    lab.start(job="work", run_at=lab.clock.now() + timedelta(hours=1))
    lab.start(job="work")
    assert lab.published == ["ready", "ready", "timer", "ready"]


@pytest.mark.parametrize("url", ["sqlite_url", "mariadb_url"])
def test_a_submission_with_a_stray_id_can_be_read_with_its_answer_whatever_was_due(request, url):
    """PostgreSQL takes no ids from clients. A look for strays is due from the start on."""
    lab = Lab(request.getfixturevalue(url))  # of its own: the counter stays where it was pushed
    lab.sql(f"INSERT INTO qflow.submissions (id, workflow) VALUES ({LARGEST_INSTANCE + 1}, 'later')")
    lab.admit.tick()
    assert submissions(lab) == [("REJECTED", None)]
    lab.close()

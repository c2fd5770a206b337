"""Sagas whose tasks have spawned others: each that started is undone, and what it spawned before it."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.model.states import SagaState
from qflowd.model.workflow import Job
from tests.support.lab import FAILED, SUCCESS, Lab
from tests.support.spawning import DAILY, MERGED, checked, request_of, spawn


@pytest.fixture
def saga_lab(lab: Lab) -> Lab:
    """A lab with two jobs that are undone, each by its own compensation."""
    jobs = {"work": "undo", "load": "unload", "note": ""}
    undoing = {name: Job(name=name, module="", file="work.py", hash="h") for name in ("undo", "unload")}
    lab.jobs.own = undoing | {
        name: Job(name=name, module="", file="work.py", hash="h", compensation=undo) for name, undo in jobs.items()
    }
    return lab


def undone(lab: Lab) -> list[set[str]]:
    """Run compensations until none is ready. Returns what ran side by side, one after the other."""
    rounds = []
    while rows := lab.claim():
        jobs = dict(lab.sql("SELECT id, job FROM qflow.tasks"))
        rounds.append({f"{jobs[row.id]} {lab.key(row.id)}" for row in rows})
        lab.finish(*(lab.final(row) for row in rows))
        lab.check()
    return rounds


def loads(lab: Lab, tasks=MERGED, job="load", **more) -> int:
    lab.workflow("daily", DAILY, **more)
    number = lab.start("daily")
    [row] = lab.claim()
    spawn(lab, row, tasks, job=job)
    return number


def test_spawned_tasks_are_undone_by_their_own_jobs_before_what_spawned_them(saga_lab):
    lab = saga_lab
    number = loads(lab, saga=True)
    lab.run({"report": FAILED})
    lab.compensate.tick()
    assert undone(lab) == [
        {"undo report"},
        {"unload scan[merge]"},
        {"unload scan[AAPL]", "unload scan[IBM]"},
        {"undo scan"},
    ]
    assert SagaState(lab.column("workflow_instance", "saga_state", number)) is SagaState.COMPENSATED
    lab.check(drained=True)


def test_a_spawned_task_that_failed_is_undone_and_what_did_not_start_is_not(saga_lab):
    lab = saga_lab
    number = loads(lab, saga=True)
    lab.run({"scan[AAPL]": FAILED})
    lab.compensate.tick()
    assert undone(lab) == [{"unload scan[AAPL]", "unload scan[IBM]"}, {"undo scan"}]
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_nested_spawned_tasks_are_undone_from_the_inside(saga_lab):
    lab = saga_lab
    loads(lab, {"AAPL": [], "merge": ["AAPL"]}, saga=True)
    [aapl] = lab.claim()
    spawn(lab, aapl, {"2025": [], "2026": []}, job="load")
    lab.run({"scan[merge]": FAILED})
    lab.compensate.tick()
    assert undone(lab) == [
        {"unload scan[merge]"},
        {"unload scan[AAPL/2025]", "unload scan[AAPL/2026]"},
        {"unload scan[AAPL]"},
        {"undo scan"},
    ]
    lab.check(drained=True)


def test_spawned_tasks_without_a_compensation_pass_the_order_on(saga_lab):
    lab = saga_lab
    loads(lab, MERGED, job="note", saga=True)
    lab.run({"report": FAILED})
    lab.compensate.tick()
    assert undone(lab) == [{"undo report"}, {"undo scan"}]
    lab.check(drained=True)


def test_an_instance_with_spawned_tasks_is_compensated_by_hand(saga_lab):
    lab = saga_lab
    number = loads(lab)
    lab.run()
    state, answer = lab.command("compensate", number)
    assert (state, answer["compensations"]) == ("DONE", 5)
    lab.compensate.tick()
    assert [len(one) for one in undone(lab)] == [1, 1, 2, 1]
    lab.check(drained=True)


def test_people_see_the_params_of_the_call_with_what_undoes_it(saga_lab):
    lab = saga_lab
    number = loads(lab, {"AAPL": []}, saga=True)
    lab.run({"report": FAILED})
    lab.compensate.tick()
    [row] = lab.sql(f"SELECT id FROM qflow.compensations WHERE instance_id = {number} AND job = 'unload'")
    [given] = lab.store.read(lambda tx: tx.run("load_undone", rows=[(row[0],)]))
    assert json.loads(given.params) == {"file": "AAPL"}


def test_a_compensation_cannot_spawn_tasks(saga_lab):
    lab = saga_lab
    number = loads(lab, {"AAPL": []}, saga=True)
    lab.run({"report": FAILED})
    lab.compensate.tick()
    [row] = lab.claim()
    batch = Batch(final=[lab.final(row, SUCCESS)], spawn_requests=[request_of(row, {"more": []})])
    lab.finish(batch=checked(lab, batch))
    errors = lab.sql(f"SELECT error FROM qflow.attempts WHERE task_id = {row.id}")
    assert errors == [("spawn: a compensation cannot spawn tasks",)]
    lab.run()
    assert SagaState(lab.column("workflow_instance", "saga_state", number)) is SagaState.COMPENSATION_FAILED

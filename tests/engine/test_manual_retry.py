"""`retry: manual`: a task whose last attempt has failed waits for a person, and its instance stays open with it."""

from __future__ import annotations

import random

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Ending, outcome_of
from qflowd.model.instants import FOREVER
from qflowd.model.states import Reason
from qflowd.model.workflow import BUILT_IN, Job, Settings
from tests.support.bulk import many
from tests.support.failures import failures, names
from tests.support.lab import Lab

WAITS = "failed, and waits for a person: retry, skip or terminate"
ERROR = "TimeoutError: the vendor does not answer"
MANUAL = Settings(retry="manual").over(BUILT_IN)


def fail(lab: Lab, *keys: str, reason: Reason = Reason.ERROR) -> None:
    """All rows that are ready run; those of these tasks fail under `retry: manual`."""
    batch, now = Batch(), lab.clock.now()
    for row in lab.claim():
        if lab.key(row.id) in keys:
            batch.add(outcome_of(Ending(row, 1, MANUAL, reason, now, now, error=ERROR), random.random))
        else:
            batch.final.append(lab.final(row))
    lab.finish(batch=batch)


def task_reasons(lab: Lab, number: int) -> dict[str, str | None]:
    rows = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    return {row.task: row.wait_reason for row in rows}


@pytest.fixture
def waiting(lab: Lab) -> tuple[Lab, int]:
    lab.workflow("daily_bars", {"a": [], "b": ["a"], "x": []})
    number = lab.start("daily_bars", business_date="2026-11-20")
    fail(lab, "a")
    return lab, number


def test_what_failed_waits_and_so_do_its_instance_and_what_is_behind_it(waiting):
    lab, number = waiting
    assert lab.states(number) == {"a": "PENDING", "x": "SUCCESS", "b": "PENDING"}
    assert (lab.state(number), task_reasons(lab, number)["a"]) == ("RUNNING", WAITS)
    shown = lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number))
    assert shown.wait_reason == "failed tasks that wait for a person: 1"
    lab.clock.advance(30 * 86400)
    lab.promote.tick()
    assert lab.claim() == []
    lab.check()
    [row] = failures(lab)
    assert (row.task, row.state, row.instance_state, row.error_class) == ("a", "PENDING", "RUNNING", "TimeoutError")
    assert (row.error, row.attempts, str(row.business_date)) == (ERROR, 1, "2026-11-20")
    assert row.failed_at is not None


def test_nothing_is_left_to_do_without_a_person(waiting):
    lab, _ = waiting
    left = lab.store.read(lambda tx: tx.one("count_open", now=lab.clock.now()))
    assert not any(left), left


def test_retry_runs_it_again_with_a_new_budget(waiting):
    lab, number = waiting
    assert lab.command("retry", number)[1] == {"instance_id": number, "retried": ["a"], "tasks": 1, "restarted": 2}
    assert (failures(lab), lab.states(number)["a"]) == ([], "READY")
    lab.check()
    fail(lab, "a")
    assert [(row.task, row.attempts) for row in failures(lab)] == [("a", 1)]
    assert many(lab, "retry", error_class="Timeout*")[1]["done"] == 1
    lab.run()
    assert (lab.state(number), failures(lab)) == ("SUCCESS", [])
    lab.check(drained=True)


def test_trigger_makes_one_attempt_more(waiting):
    lab, number = waiting
    assert lab.command("trigger", number, task="a")[0] == "DONE"
    fail(lab, "a")
    assert [(row.task, row.attempts) for row in failures(lab)] == [("a", 2)]
    lab.check()


def test_a_rerun_may_give_it_other_params(waiting):
    lab, number = waiting
    answer = lab.command("rerun", number, task="a", args='{"set":{"feed":"second"}}')
    assert answer == ("DONE", {"instance_id": number, "rerun": ["a"], "tasks": 1, "restarted": 2})
    lab.run()
    assert (lab.state(number), failures(lab)) == ("SUCCESS", [])
    lab.check(drained=True)


def test_skip_lets_the_instance_continue_without_it(waiting):
    lab, number = waiting
    assert lab.command("skip", number, task="a", reason="no session")[1]["waits_for_its_turn"] is False
    assert lab.states(number) == {"a": "SKIPPED", "x": "SUCCESS", "b": "READY"}
    lab.run()
    assert (lab.state(number), failures(lab)) == ("SUCCESS", [])
    lab.check(drained=True)


def test_terminate_ends_it(waiting):
    lab, number = waiting
    lab.command("terminate", number)
    lab.sweep_all()
    assert (lab.state(number), lab.states(number)["a"], failures(lab)) == ("TERMINATED", "CANCELLED", [])
    lab.check(drained=True)
    assert lab.command("retry", number)[0] == "DONE"
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_the_timeout_of_its_instance_ends_it(lab):
    lab.workflow("daily_bars", {"a": []}, timeout="1h")
    number = lab.start("daily_bars")
    fail(lab, "a")
    lab.clock.advance(3601)
    lab.promote.tick()
    lab.sweep_all()
    assert (lab.state(number), lab.states(number)) == ("FAILED", {"a": "CANCELLED"})
    lab.check(drained=True)


def test_a_pause_leaves_it_waiting_and_a_retry_meanwhile_waits_for_the_end_of_the_pause(waiting):
    lab, number = waiting
    lab.command("pause", number)
    lab.sweep_all()
    lab.check()
    assert (lab.command("retry", number)[0], lab.claim()) == ("DONE", [])
    lab.command("resume", number)
    lab.sweep_all()
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_one_that_is_handled_leaves_the_list_and_waits_still(waiting):
    lab, number = waiting
    assert lab.command("handle", number, reason="asked the vendor")[1]["handled"] == ["a"]
    assert (failures(lab), task_reasons(lab, number)["a"]) == ([], WAITS)
    assert lab.command("retry", number, task="a")[0] == "DONE"
    fail(lab, "a")
    assert [row[1] for row in names(lab)] == ["a"], "a later failure is a new one"


def test_a_task_before_it_that_runs_again_takes_it_along(lab):
    lab.workflow("daily_bars", {"a": [], "b": ["a"]})
    number = lab.start("daily_bars")
    fail(lab)
    fail(lab, "b")
    assert task_reasons(lab, number)["b"] == WAITS
    lab.command("rerun", number, task="a")
    assert (lab.states(number), failures(lab)) == ({"a": "READY", "b": "PENDING"}, [])
    lab.check()
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_a_neighbour_that_starts_anew_does_not_take_it_for_ended(lab):
    lab.workflow("daily_bars", {"a": [], "x": [], "b": ["a", "x"]})
    number = lab.start("daily_bars")
    fail(lab, "a")
    lab.command("rerun", number, task="x")
    lab.run()
    assert lab.states(number) == {"a": "PENDING", "x": "SUCCESS", "b": "PENDING"}
    assert [row[1] for row in names(lab)] == ["a"]
    lab.check()
    lab.command("retry", number)
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_items_of_a_map_wait_each_by_itself(lab):
    lab.define("bars", {"fetch": {"job": "work", "map": ["AAPL", "IBM", "MSFT"], "label": "{{ item }}", "params": {}}})
    number = lab.start("bars")
    fail(lab, "fetch[AAPL]", "fetch[IBM]")
    assert (lab.state(number), sorted(row.label for row in failures(lab))) == ("RUNNING", ["AAPL", "IBM"])
    lab.check()
    assert lab.command("retry", number, task="fetch[IBM]")[1]["retried"] == ["fetch[IBM]"]
    lab.run()
    assert [row.label for row in failures(lab)] == ["AAPL"]
    lab.check()
    assert lab.command("retry", number, task="fetch")[1]["retried"] == ["fetch[AAPL]"]
    lab.succeeds(number)


def test_a_saga_is_not_undone_while_a_task_of_it_waits(lab):
    lab.jobs.own["undo"] = Job(name="undo", module="", file="work.py", hash="h")
    lab.workflow("load", {"a": [], "b": ["a"]}, {"a": {"compensate": "undo"}}, saga=True)
    number = lab.start("load")
    fail(lab)
    fail(lab, "b")
    lab.compensate.tick()
    assert (lab.state(number), lab.column("workflow_instance", "saga_state", number)) == ("RUNNING", 0)
    lab.command("retry", number)
    lab.succeeds(number)


def test_a_task_that_is_to_run_at_the_end_of_time_has_not_failed(lab):
    lab.workflow("daily_bars", {"a": []})
    number = lab.start("daily_bars", run_at=FOREVER)
    assert (failures(lab), task_reasons(lab, number)["a"]) == ([], "waits until 9999-12-31T00:00:00Z")
    assert lab.command("retry", number)[0] == "REJECTED"

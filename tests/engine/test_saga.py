"""Saga: what a failed instance did is undone, each task before those it depended on, whoever is lost on the way."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Ending, FinalRow, Rearmed, Released, outcome_of
from qflowd.engine.sagas.saga import Sagas
from qflowd.model.states import Reason, SagaState, TaskState
from qflowd.model.workflow import Job, Settings
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
LINKED = {"first": [], "check": ["first"], "last": ["check"], "end": ["last"]}
ENDS = {key: {"compensate": "undo"} for key in ("first", "last")}  # of the chain, only these can be undone
LOADS = {"one": [], "two": ["one"], "three": ["one"], "report": ["two", "three"]}


@pytest.fixture
def saga_lab(lab: Lab) -> Lab:
    """A lab whose only job has a compensation."""
    work = Job(name="work", module="", file="work.py", hash="h", compensation="undo")
    lab.jobs.own = {"work": work, "undo": Job(name="undo", module="", file="work.py", hash="h")}
    return lab


def failed(lab: Lab, tasks: Mapping[str, Any], at: str, **more: Any) -> int:
    """An instance whose task `at` has failed, and whose compensations have been added."""
    lab.workflow("loads", tasks, **{"saga": True, **more})
    number = lab.start("loads")
    lab.run({at: FAILED})
    lab.compensate.tick()
    return number


def saga_state(lab: Lab, number: int) -> str:
    return SagaState(lab.column("workflow_instance", "saga_state", number)).name


def compensations(lab: Lab, number: int) -> dict[str, str]:
    """Task key -> state, of rows that undo a task."""
    sql = f"SELECT task, state FROM qflow.compensations WHERE instance_id = {number} ORDER BY id"
    return dict(lab.sql(sql))  # type: ignore[arg-type]


def undo(lab: Lab, outcomes: Mapping[str, TaskState] | None = None) -> list[set[str]]:
    """Run compensations until none is ready. Returns what ran side by side, one after the other."""
    rounds = []
    while rows := lab.claim():
        ends: list[FinalRow] = [lab.final(row, (outcomes or {}).get(lab.key(row.id), SUCCESS)) for row in rows]
        rounds.append({lab.key(row.id) for row in rows})
        lab.finish(*ends)
        lab.check()
    return rounds


def test_every_task_that_started_is_compensated_before_those_it_depended_on(saga_lab):
    lab = saga_lab
    number = failed(lab, LOADS, "three")
    assert (lab.state(number), saga_state(lab, number)) == ("RUNNING", "COMPENSATING")
    assert compensations(lab, number) == {"three": "READY", "two": "READY", "one": "PENDING"}
    assert undo(lab) == [{"two", "three"}, {"one"}]
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATED")
    assert lab.column("workflow_instance", "error", number) == "task three: failed"
    lab.check(drained=True)


def test_the_failed_task_is_the_first_to_be_claimed(saga_lab):
    lab = saga_lab
    failed(lab, {f"t{i}": [] for i in range(5)}, "t3")
    [row] = lab.claim(1)
    assert lab.key(row.id) == "t3"


def test_a_saga_in_series_undoes_one_task_at_a_time_and_the_failed_one_first(saga_lab):
    lab = saga_lab
    number = failed(lab, LOADS, "three", saga={"order": "serial"})
    assert undo(lab) == [{"three"}, {"two"}, {"one"}]
    assert saga_state(lab, number) == "COMPENSATED"
    lab.check(drained=True)


def test_a_workflow_without_saga_fails_as_before(saga_lab):
    lab = saga_lab
    number = failed(lab, LOADS, "three", saga=False)
    assert (lab.state(number), saga_state(lab, number), compensations(lab, number)) == ("FAILED", "NONE", {})
    lab.check(drained=True)


def test_a_saga_that_succeeds_is_not_undone(saga_lab):
    lab = saga_lab
    lab.workflow("chain", CHAIN, saga=True)
    number = lab.start("chain")
    lab.run()
    lab.compensate.tick()
    assert (lab.state(number), saga_state(lab, number), compensations(lab, number)) == ("SUCCESS", "NONE", {})


def test_a_task_without_a_compensation_between_two_others_keeps_their_order(lab):
    lab.jobs.own |= {"undo": Job(name="undo", module="", file="work.py", hash="h")}
    number = failed(lab, LINKED, "end", of_task=ENDS)
    assert compensations(lab, number) == {"last": "READY", "first": "PENDING"}
    assert undo(lab) == [{"last"}, {"first"}]
    assert saga_state(lab, number) == "COMPENSATED"
    lab.check(drained=True)


def test_compensate_on_success_leaves_a_task_that_failed_alone(lab):
    lab.jobs.own |= {"undo": Job(name="undo", module="", file="work.py", hash="h")}
    of_task = {key: {"compensate": "undo", "compensate_on": "success"} for key in CHAIN}
    number = failed(lab, CHAIN, "b", of_task=of_task)
    assert compensations(lab, number) == {"a": "READY"}
    undo(lab)
    assert saga_state(lab, number) == "COMPENSATED"


def test_a_failed_saga_with_nothing_to_undo_is_compensated_at_once(lab):
    number = failed(lab, CHAIN, "a")
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATED")
    lab.check(drained=True)


def test_a_compensation_that_fails_keeps_those_behind_it_from_running(saga_lab):
    lab = saga_lab
    number = failed(lab, LOADS, "three")
    assert undo(lab, {"two": FAILED}) == [{"two", "three"}]
    assert compensations(lab, number) == {"three": "SUCCESS", "two": "FAILED", "one": "UPSTREAM_FAILED"}
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATION_FAILED")
    lab.check(drained=True)


def test_retry_continues_a_compensation_that_failed(saga_lab):
    lab = saga_lab
    number = failed(lab, LOADS, "three")
    undo(lab, {"two": FAILED})
    assert lab.command("retry", number) == ("DONE", {"instance_id": number, "compensations": 2})
    assert (lab.state(number), saga_state(lab, number)) == ("RUNNING", "COMPENSATING")
    assert undo(lab) == [{"two"}, {"one"}]
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATED")
    assert lab.column("workflow_instance", "error", number) == "task three: failed"
    lab.check(drained=True)


def test_a_link_behind_a_compensation_that_failed_is_passed_after_its_retry(lab):
    lab.jobs.own |= {"undo": Job(name="undo", module="", file="work.py", hash="h")}
    number = failed(lab, LINKED, "end", of_task=ENDS)
    undo(lab, {"last": FAILED})
    assert lab.command("retry", number)[0] == "DONE"
    assert undo(lab) == [{"last"}, {"first"}]
    assert saga_state(lab, number) == "COMPENSATED"
    lab.check(drained=True)


def test_a_compensation_that_skips_itself_has_nothing_to_undo(saga_lab):
    lab = saga_lab
    number = failed(lab, CHAIN, "b")
    assert undo(lab, {"b": SKIPPED}) == [{"b"}, {"a"}]
    assert saga_state(lab, number) == "COMPENSATED"
    lab.check(drained=True)


def test_a_row_that_was_lost_with_its_daemon_counts_as_started(saga_lab):
    lab = saga_lab
    lab.workflow("flat", {"a": [], "b": [], "c": ["b"]}, saga=True)
    number = lab.start("flat")
    lab.sql("UPDATE qflow.task_instance SET solo = 1 WHERE node = 0")  # READY again, nobody knows how far it came
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.command("compensate", number) == ("DONE", {"instance_id": number, "compensations": 1})
    lab.compensate.tick()
    assert compensations(lab, number) == {"a": "READY"}


@pytest.mark.parametrize(("has_begun", "answer"), [(True, "DONE"), (False, "REJECTED")])
def test_a_task_that_only_put_itself_off_has_started(saga_lab, has_begun, answer):
    """It leaves no attempt. What the daemon itself put off, before it began, has not."""
    lab = saga_lab
    lab.workflow("waits", {"reserve": [], "load": ["reserve"]})
    number = lab.start("waits")
    for _ in range(2):
        [row] = lab.claim()
        lab.finish(batch=Batch(rearmed=[put_off(lab, row, has_begun=has_begun)]))
        lab.clock.advance(3600)
        lab.promote.tick()
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.states(number) == {"reserve": "CANCELLED", "load": "CANCELLED"}
    assert lab.command("compensate", number)[0] == answer
    lab.compensate.tick()
    assert compensations(lab, number) == ({"reserve": "READY"} if has_begun else {})
    undo(lab)
    lab.check(drained=True)


def put_off(lab: Lab, row: Any, *, has_begun: bool) -> Rearmed:
    """What becomes of a row that raised `Defer`, or that its daemon could not send."""
    if not has_begun:
        return Rearmed(row.id, row.fence, row.attempt, 0, lab.clock.now())
    now = lab.clock.now()
    ending = Ending(row, 1, Settings(), Reason.NONE, now, started_at=now, again_at=now + timedelta(hours=1))
    rearmed = outcome_of(ending, lambda: 0.5).rearmed
    assert rearmed is not None
    return rearmed


def test_any_daemon_adds_the_compensations_and_only_one_does(saga_lab):
    lab = saga_lab
    lab.workflow("chain", CHAIN, saga=True)
    number = lab.start("chain")
    lab.run({"b": FAILED})
    assert (lab.state(number), saga_state(lab, number), lab.claim()) == ("RUNNING", "COMPENSATING", [])
    for _ in range(2):
        Sagas(lab.store, lab.plans, lab.lanes, lab.jobs, lab.topics).tick()
    assert compensations(lab, number) == {"b": "READY", "a": "PENDING"}
    undo(lab)
    lab.check(drained=True)


def test_a_workflow_that_runs_out_of_its_timeout_is_undone(saga_lab):
    lab = saga_lab
    lab.workflow("chain", CHAIN, saga=True, timeout="10m")
    number = lab.start("chain")
    lab.ends(lab.claim())
    lab.clock.advance(601)
    lab.promote.tick()
    lab.sweep.tick()
    lab.compensate.tick()
    assert compensations(lab, number) == {"a": "READY"}
    lab.clock.advance(3600)  # the time of the tasks is not that of their compensations
    lab.promote.tick()
    undo(lab)
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATED")
    assert lab.column("workflow_instance", "error", number) == "the workflow ran out of its timeout"
    lab.check(drained=True)


def test_what_people_terminate_is_undone_only_when_they_say_so(saga_lab):
    lab = saga_lab
    lab.workflow("chain", CHAIN, saga=True)
    number = lab.start("chain")
    lab.ends(lab.claim())
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.compensate.tick()
    assert (lab.state(number), saga_state(lab, number)) == ("TERMINATED", "NONE")
    assert lab.command("compensate", number) == ("DONE", {"instance_id": number, "compensations": 1})
    lab.compensate.tick()
    assert undo(lab) == [{"a"}]
    assert (lab.state(number), saga_state(lab, number)) == ("TERMINATED", "COMPENSATED")
    lab.check(drained=True)


def test_a_succeeded_instance_is_undone_on_request_and_stays_succeeded(saga_lab):
    lab = saga_lab
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.run()
    assert lab.command("compensate", number)[0] == "DONE"
    lab.compensate.tick()
    assert undo(lab) == [{"c"}, {"b"}, {"a"}]
    assert (lab.state(number), saga_state(lab, number)) == ("SUCCESS", "COMPENSATED")
    lab.check(drained=True)


def test_terminate_ends_a_compensation_and_retry_continues_it(saga_lab):
    lab = saga_lab
    number = failed(lab, CHAIN, "b")
    held = lab.claim()
    assert lab.command("terminate", number)[0] == "DONE"
    lab.sweep.tick()
    lab.ends(held, CANCELLED)
    lab.sweep.tick()
    assert compensations(lab, number) == {"b": "CANCELLED", "a": "CANCELLED"}
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATION_FAILED")
    lab.check(drained=True)
    assert lab.command("retry", number)[0] == "DONE"
    assert undo(lab) == [{"b"}, {"a"}]
    assert saga_state(lab, number) == "COMPENSATED"
    lab.check(drained=True)


def test_one_that_was_terminated_before_its_compensations_were_added_is_compensated_by_retry(saga_lab):
    lab = saga_lab
    lab.workflow("chain", CHAIN, saga=True)
    number = lab.start("chain")
    lab.run({"b": FAILED})
    lab.command("terminate", number)
    lab.sweep.tick()
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATION_FAILED")
    assert lab.command("retry", number)[0] == "DONE"
    lab.compensate.tick()
    assert undo(lab) == [{"b"}, {"a"}]
    assert saga_state(lab, number) == "COMPENSATED"
    lab.check(drained=True)


def test_commands_that_are_not_possible_say_why(saga_lab):
    lab = saga_lab
    lab.workflow("loads", CHAIN, saga=True)
    running = lab.start("loads")
    why = "only one that has ended can be compensated, so terminate it first; possible now: pause, skip, terminate"
    assert lab.command("compensate", running) == ("REJECTED", f"instance {running} is RUNNING; {why}")
    lab.run({"b": FAILED})
    lab.compensate.tick()
    for action in ("compensate", "retry"):
        assert lab.command(action, running) == (
            "REJECTED",
            f"instance {running} is RUNNING and being compensated; wait for its end, or terminate first",
        )
    undo(lab, {"b": FAILED})
    assert lab.command("compensate", running) == (
        "REJECTED",
        f"instance {running} is FAILED, and its compensation has failed; `retry` continues it",
    )
    lab.command("retry", running)
    undo(lab)
    for action in ("compensate", "retry"):
        assert lab.command(action, running) == (
            "REJECTED",
            f"instance {running} is FAILED and has been compensated; submit it again",
        )
    assert lab.command("compensate", 999) == ("REJECTED", "there is no instance 999; `qflowd ps` lists those there are")


def test_an_instance_of_which_nothing_can_be_undone_says_so(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.run()
    assert lab.command("compensate", number) == (
        "REJECTED",
        f"instance {number} is SUCCESS and has nothing to undo, as no task of it that started has a compensation; possible now: rerun",
    )


def test_a_compensation_comes_back_from_a_daemon_that_died_with_it(saga_lab):
    lab = saga_lab
    number = failed(lab, CHAIN, "a")
    [row] = lab.claim()
    lab.finish(batch=Batch(released=[Released(row.id, row.fence, 1, 0)]))
    lab.ends([row])  # the first one's result comes too late
    assert compensations(lab, number) == {"a": "READY"}
    assert undo(lab) == [{"a"}]
    lab.check(drained=True)


def test_the_items_of_a_map_are_compensated_one_by_one(saga_lab):
    lab = saga_lab
    tasks = {"first": [], "bars": ["first"], "last": ["bars"]}
    symbols = [{"symbol": symbol} for symbol in ("AAPL", "IBM", "MSFT")]
    of_task = {"bars": {"map": symbols, "label": "{{ item.symbol }}", "params": {"symbol": "{{ item.symbol }}"}}}
    number = failed(lab, tasks, "last", of_task=of_task)
    names = "SELECT t.task, t.label FROM qflow.tasks t JOIN qflow.compensations c ON c.id = t.id ORDER BY t.id"
    assert lab.sql(names) == [("last", None), ("bars", "AAPL"), ("bars", "IBM"), ("bars", "MSFT"), ("first", None)]
    assert undo(lab) == [{"last"}, {"bars[AAPL]", "bars[IBM]", "bars[MSFT]"}, {"first"}]
    assert (lab.state(number), saga_state(lab, number)) == ("FAILED", "COMPENSATED")
    lab.check(drained=True)


def test_a_task_that_a_claim_has_held_has_nothing_to_undo(saga_lab):
    lab = saga_lab
    lab.workflow("loads", {"a": [], "b": ["a"]}, of_task={"b": {"compensate_on": "start"}}, saga=True)
    number = lab.start("loads")
    lab.ends(lab.claim())
    lab.command("pause", number)
    assert lab.claim() == []
    lab.command("terminate", number)
    lab.sweep_all()
    assert lab.command("compensate", number)[1]["compensations"] == 1
    lab.compensate.tick()
    assert compensations(lab, number) == {"a": "READY"}


def test_a_termination_that_comes_too_late_for_the_last_compensation_changes_nothing(saga_lab):
    number = failed(saga_lab, CHAIN, "c")
    while len(rows := saga_lab.claim()) and set(compensations(saga_lab, number).values()) != {"SUCCESS", "RUNNING"}:
        saga_lab.ends(rows)
    saga_lab.command("terminate", number)
    saga_lab.ends(rows)
    saga_lab.sweep_all()
    assert (saga_lab.state(number), saga_state(saga_lab, number)) == ("FAILED", "COMPENSATED")
    assert set(compensations(saga_lab, number).values()) == {"SUCCESS"}
    saga_lab.check(drained=True)

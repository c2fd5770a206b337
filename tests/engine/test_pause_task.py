"""Pause, resume and trigger of one task: of an instance, and of all instances of a workflow."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta
from typing import Any

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.finishing.outcome import Rearmed
from qflowd.model.instruments import TransactionCommitted
from qflowd.model.workflow import Job
from tests.support.daemon import until
from tests.support.lab import FAILED, Lab

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"]}


@pytest.fixture
def desk(lab: Lab) -> Lab:
    lab.workflow("chain", CHAIN)
    lab.workflow("diamond", DIAMOND)
    return lab


def reasons(lab: Lab, number: int) -> dict[str, tuple[str, str | None]]:
    """State and wait_reason of each task, as the view tells them."""
    rows = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    return {row.task: (row.state, row.wait_reason) for row in rows}


def instance_reason(lab: Lab, number: int) -> str | None:
    return lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number)).wait_reason


def test_a_paused_task_is_held_while_all_others_continue(desk):
    number, other = desk.start("diamond"), desk.start("diamond")
    answer = desk.command("pause", number, task="b", requested_by="ada@desk", reason="bad ticks")
    assert answer == ("DONE", {"instance_id": number, "paused": ["b"]})
    desk.run()
    desk.sweep_all()
    assert (desk.state(number), desk.state(other)) == ("RUNNING", "SUCCESS")
    assert desk.states(number) == {"a": "SUCCESS", "b": "HELD", "c": "SUCCESS", "d": "PENDING"}
    state, why = reasons(desk, number)["b"]
    assert state == "HELD"
    assert why.startswith("task b is paused by ada@desk since 2026-11-20T09:30:00")
    assert why.endswith(": bad ticks")
    assert instance_reason(desk, number) == why
    desk.check()
    assert desk.command("resume", number, task="b") == ("DONE", {"instance_id": number, "resumed": ["b"]})
    desk.sweep_all()
    assert desk.states(number)["b"] == "READY"
    desk.run()
    assert desk.state(number) == "SUCCESS"
    desk.check(drained=True)


def test_what_is_ready_is_held_by_the_sweep_and_shown_as_held_before_it(desk):
    number = desk.start("chain")
    desk.command("pause", number, task="a")
    assert reasons(desk, number)["a"][0] == "HELD", "whoever looks sees it before the sweep"
    assert desk.states(number)["a"] == "READY"
    desk.sweep_all()
    assert desk.states(number)["a"] == "HELD"
    assert desk.claim() == []


def test_what_runs_ends_and_its_retry_waits(desk):
    number = desk.start("chain")
    [row] = desk.claim()
    desk.command("pause", number, task="a")
    later = desk.clock.now() + timedelta(minutes=1)
    desk.finish(batch=Batch(rearmed=[Rearmed(row.id, row.fence, 1, 1, later)]))
    desk.clock.advance(60)
    desk.promote.tick()
    assert desk.claim() == []
    assert desk.states(number)["a"] == "HELD"
    desk.command("resume", number, task="a")
    desk.sweep_all()
    desk.run()
    assert desk.state(number) == "SUCCESS"


def test_all_instances_of_a_workflow_hold_the_task_those_that_come_later_too(desk):
    first, single = desk.start("chain"), desk.start("diamond")
    assert desk.command("pause", workflow="chain", task="b", requested_by="ada")[0] == "DONE"
    later = desk.start("chain")
    desk.run()
    for number in (first, later):
        assert desk.states(number) == {"a": "SUCCESS", "b": "HELD", "c": "PENDING"}
        assert reasons(desk, number)["b"][1].startswith("task b is paused in all instances by ada since ")
    assert desk.state(single) == "SUCCESS"
    assert desk.command("resume", workflow="chain", task="b")[0] == "DONE"
    desk.sweep_all()
    desk.run()
    assert (desk.state(first), desk.state(later)) == ("SUCCESS", "SUCCESS")
    desk.check(drained=True)


def test_a_task_that_is_paused_by_itself_stays_so_when_its_workflow_continues(desk):
    number, other = desk.start("chain"), desk.start("chain")
    desk.command("pause", number, task="a")
    desk.command("pause", workflow="chain", task="a")
    desk.command("resume", workflow="chain", task="a")
    desk.sweep_all()
    desk.run()
    assert (desk.states(number)["a"], desk.state(other)) == ("HELD", "SUCCESS")


def test_the_first_who_paused_it_is_kept(desk):
    number = desk.start("chain")
    desk.command("pause", number, task="a", requested_by="ada")
    desk.command("pause", number, task="a", requested_by="bob")
    assert reasons(desk, number)["a"][1].startswith("task a is paused by ada since ")


def test_resume_of_the_instance_leaves_the_task_paused(desk):
    number = desk.start("diamond")
    desk.command("pause", number, task="b")
    desk.ends(desk.claim())
    desk.command("pause", number)
    desk.sweep_all()
    assert desk.states(number) == {"a": "SUCCESS", "b": "HELD", "c": "HELD", "d": "PENDING"}
    desk.command("resume", number)
    desk.sweep_all()
    assert desk.states(number) == {"a": "SUCCESS", "b": "HELD", "c": "READY", "d": "PENDING"}
    assert desk.column("workflow_instance", "intent", number) == 0
    desk.command("pause", number)
    desk.sweep_all()
    desk.command("resume", number, task="b")
    desk.sweep_all()
    assert desk.states(number)["b"] == "HELD", "the instance is paused still"
    desk.command("resume", number)
    desk.sweep_all()
    desk.run()
    assert desk.state(number) == "SUCCESS"
    desk.check(drained=True)


def test_the_items_of_a_map_belong_to_its_task(lab):
    lab.workflow("load", {"bars": []}, of_task={"bars": {"map": ["AAPL", "MSFT", "IBM"]}})
    number = lab.start("load")
    rows = lab.claim(2)
    lab.command("pause", number, task="bars")
    lab.ends(rows)
    lab.sweep_all()
    assert sorted(lab.states(number).values()) == ["HELD", "PENDING", "SUCCESS", "SUCCESS"]
    lab.command("resume", number, task="bars")
    lab.sweep_all()
    lab.succeeds(number)


def test_a_map_of_many_items_is_swept_in_parts(lab, monkeypatch):
    monkeypatch.setattr("qflowd.engine.commands.sweep.PART", 3)
    lab.workflow("load", {"bars": []}, of_task={"bars": {"map": list(range(10))}})
    number = lab.start("load")
    lab.ends(lab.claim(1))
    lab.command("pause", number, task="bars")
    lab.sweep.tick()
    assert list(lab.states(number).values()).count("HELD") < 9
    lab.sweep_all()
    assert list(lab.states(number).values()).count("HELD") == 9
    lab.command("resume", number, task="bars")
    lab.sweep.tick()
    lab.command("pause", number, task="bars")
    lab.sweep_all()
    assert list(lab.states(number).values()).count("HELD") == 9, "the newest command counts"


def test_the_pause_ends_with_the_instance(desk):
    number = desk.start("chain")
    desk.command("pause", number, task="b")
    desk.command("terminate", number)
    desk.sweep_all()
    desk.sweep.tick()
    assert desk.sql("SELECT COUNT(*) FROM qflow.paused_task") == [(0,)]
    desk.command("retry", number)
    desk.run()
    assert desk.state(number) == "SUCCESS"


def test_the_failed_task_of_all_failed_instances_is_retried(desk):
    numbers = [desk.start("chain") for _ in range(3)]
    desk.run({"a": FAILED})
    desk.start("chain")
    desk.run({"b": FAILED})
    number = desk.ask("retry", workflow="chain", task="a")
    while desk.answer(number)[0] == "NEW":
        desk.commands.tick()
    state, result = desk.answer(number)
    assert (state, result["done"], result["refused"]) == ("DONE", 3, 1)
    desk.run()
    assert {desk.state(number) for number in numbers} == {"SUCCESS"}


# ------------------------------------------------------------------------------------------------ trigger


def test_a_task_that_waits_for_its_retry_runs_now(desk):
    number = desk.start("chain")
    [row] = desk.claim()
    desk.finish(batch=Batch(rearmed=[desk.rearmed(row, 3600)]))
    assert desk.claim() == []
    assert desk.command("trigger", number, task="a") == ("DONE", {"instance_id": number, "triggered": ["a"]})
    desk.run()
    assert desk.state(number) == "SUCCESS"
    desk.clock.advance(3600)
    desk.promote.tick()
    desk.check(drained=True)


@pytest.mark.parametrize("scope", ["instance", "workflow"])
def test_a_triggered_task_runs_although_it_is_paused(desk, scope):
    number, other = desk.start("chain"), desk.start("chain")
    desk.command("pause", task="a", **({"workflow": "chain"} if scope == "workflow" else {"instance_id": number}))
    desk.sweep_all()
    assert desk.states(number)["a"] == "HELD"
    assert desk.command("trigger", number, task="a")[0] == "DONE"
    desk.sweep_all()
    desk.run()
    assert desk.state(number) == "SUCCESS"
    assert desk.state(other) == ("SUCCESS" if scope == "instance" else "RUNNING")
    desk.sweep.tick()
    desk.command("resume", workflow="chain", task="a")
    desk.sweep_all()
    desk.run()
    assert desk.state(other) == "SUCCESS"


def test_one_task_of_a_workflow_runs_alone_in_an_instance_of_its_own(desk):
    state, result = desk.command("trigger", workflow="chain", task="b", requested_by="ada", args='{"params": {}}')
    assert (state, result["workflow"], result["task"]) == ("DONE", "chain", "b")
    desk.admit.tick()
    desk.run()
    number = result["instance_id"]
    assert desk.states(number) == {"a": "SKIPPED", "b": "SUCCESS", "c": "SKIPPED"}
    assert (desk.state(number), desk.column("workflow_instance", "trigger_type", number)) == ("SUCCESS", "trigger")


def test_a_trigger_of_a_workflow_is_refused_as_its_submission_would_be(desk):
    desk.define("typed", {"a": {"job": "work"}}, params={"n": {"type": "integer"}})
    assert rejected(desk, "trigger", workflow="typed", task="a", args='{"params": {"bad": 1}}') == (
        "params: n: is missing\nparams: there is no 'bad'; known: n"
    )
    desk.define("off", {"a": {"job": "work"}}, enabled=False)
    assert rejected(desk, "trigger", workflow="off", task="a") == "workflow 'off' is disabled: `enabled` is false"
    desk.define("single", {"a": {"job": "work"}}, concurrency="singleton(skip)")
    first = desk.start("single")
    assert rejected(desk, "trigger", workflow="single", task="a") == (
        f"skipped: instance {first} of workflow 'single' is running (singleton(skip))"
    )
    assert desk.sql("SELECT id FROM qflow.submissions") == [(first,)]


# ------------------------------------------------------------------------------------------------ not possible


def rejected(lab: Lab, action: str, instance_id: int | None = None, **columns: object) -> str:
    state, error = lab.command(action, instance_id, **columns)
    assert state == "REJECTED"
    return str(error)


def test_what_is_not_possible_says_what_is(desk):
    number = desk.start("chain")
    desk.ends(desk.claim())
    waiting = f"task c of instance {number} is PENDING; it waits for 1 tasks before it: `skip` lets it continue"
    assert rejected(desk, "trigger", number, task="c").startswith(waiting)
    ended = f"task a of instance {number} is SUCCESS; only one that has not ended can be paused"
    assert rejected(desk, "pause", number, task="a") == ended
    rerun = f"task a of instance {number} is SUCCESS; `rerun` runs it again, and all behind it"
    assert rejected(desk, "trigger", number, task="a") == rerun
    assert (
        rejected(desk, "resume", number, task="b")
        == f"task b of instance {number} is READY and not paused; only a paused task is resumed"
    )
    desk.claim()
    running = f"task b of instance {number} is RUNNING; wait for its end"
    assert rejected(desk, "trigger", number, task="b") == running
    assert rejected(desk, "trigger", number) == "trigger needs a task; `submit` runs a whole workflow"


def test_tasks_that_do_not_exist_are_refused_with_those_that_do(desk):
    number = desk.start("chain")
    assert rejected(desk, "pause", number, task="z") == f"instance {number} has no task 'z'; there are a, b, c"
    items = f"instance {number} has no task 'a[1]'; items are paused and resumed together, by the task's key; did you mean a?"
    assert rejected(desk, "pause", number, task="a[1]").startswith(items)
    assert rejected(desk, "pause", workflow="chain", task="z") == "workflow 'chain' has no task 'z'; there are a, b, c"
    assert rejected(desk, "trigger", workflow="chain", task="z").startswith(
        "workflow 'chain' has no task 'z'; there are"
    )
    assert rejected(desk, "resume", workflow="chain", task="a") == "task 'a' is not paused in workflow 'chain'"


def test_a_task_of_a_paused_workflow_is_resumed_there_or_triggered(desk):
    number = desk.start("chain")
    desk.command("pause", workflow="chain", task="a")
    why = "task a is paused in all instances of chain: `qflowd resume --workflow chain --task a`, or `qflowd trigger"
    assert rejected(desk, "resume", number, task="a").startswith(why)


def test_nothing_of_a_paused_instance_or_one_that_has_ended_is_triggered(desk):
    number = desk.start("chain")
    desk.command("pause", number)
    assert rejected(desk, "trigger", number, task="a").startswith(f"instance {number} is PAUSED, and nothing of it")
    desk.command("terminate", number)
    desk.sweep_all()
    for action in ("pause", "resume", "trigger"):
        assert rejected(desk, action, number, task="a").startswith(
            f"instance {number} is TERMINATED: no task of it can be"
        )


def test_rows_that_a_late_sweep_holds_after_the_resume_continue_all_the_same(lab):
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    assert lab.command("pause", number, task="a")[0] == "DONE"
    with closing(Lab(lab.url, owner=8)) as other:

        def resume():
            assert other.command("resume", number, task="a")[0] == "DONE"
            other.sweep_all()

        lab.just_before("sweep", resume, statement="hold_ready_node")
        lab.sweep_all()
    assert lab.states(number)["a"] == "READY"
    lab.run()
    assert lab.state(number) == "SUCCESS"


def test_a_trigger_and_a_claim_of_what_the_same_pause_holds_do_not_wait_for_each_other(lab):
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    lab.workflow("two", {"a": [], "b": []})
    triggered, number = lab.start("two"), lab.start("two")
    rows = lab.claim()
    ends = [row for row in rows if lab.key(row.id) == "a"]
    lab.finish(batch=Batch(released=[lab.released(row) for row in rows if row not in ends]))
    assert lab.command("pause", workflow="two", task="b")[0] == "DONE"
    events: list[Any] = []
    answers: list[Future] = []
    with closing(Lab(lab.url, owner=8)) as other, ThreadPoolExecutor(1) as threads:
        lab.store.instruments.listeners = other.store.instruments.listeners = (events.append,)

        def claim_beside(tx):
            """What a finish claims while it holds the instance whose task is being triggered."""
            if not answers:
                answers.append(threads.submit(other.command, "trigger", triggered, task="b"))
                until(lambda: answers[0].done() or other.is_somebody_waiting(), 20)
            return lab.claim_in(tx)

        batch = Batch(final=[lab.final(row) for row in ends])
        finish_and(lab.store, lab.instances, batch, lab.owner, claim_beside)
        assert answers[0].result(20)[0] == "DONE"
        threads.submit(other.store.disconnect).result(20)
    assert lab.states(number)["b"] == "HELD"
    again = [event.transaction for event in events if isinstance(event, TransactionCommitted) and event.tries > 1]
    assert again == [], "one of the two was rolled back, and began again"


def test_a_task_that_was_paused_before_its_instance_is_undone_is_resumed_to_be_undone(lab):
    jobs = {"work": "undo", "undo": ""}
    lab.jobs.own = {
        name: Job(name=name, module="", file="work.py", hash="h", compensation=undo) for name, undo in jobs.items()
    }
    lab.workflow("load", {"a": []}, saga=True)
    number = lab.start("load")
    [row] = lab.claim()
    assert lab.command("pause", number, task="a")[0] == "DONE"
    lab.ends([row], FAILED)
    lab.compensate.tick()
    assert lab.claim() == []
    assert lab.sql("SELECT state FROM qflow.compensations") == [("HELD",)]
    assert lab.command("resume", number, task="a")[0] == "DONE"
    lab.sweep_all()
    lab.run()
    assert lab.sql("SELECT state, saga_state FROM qflow.instances") == [("FAILED", "COMPENSATED")]
    lab.check(drained=True)


def test_a_task_that_was_paused_before_a_termination_is_resumed_to_run_after_it(lab):
    last = {"trigger_rule": "always", "run_on": "terminate"}
    lab.workflow("load", {"a": [], "end": ["a"]}, {"end": last})
    number = lab.start("load")
    assert lab.command("pause", number, task="end")[0] == "DONE"
    lab.command("terminate", number)
    lab.sweep_all()
    assert lab.claim() == []
    assert lab.command("resume", number, task="end")[0] == "DONE"
    lab.sweep_all()
    lab.run()
    lab.sweep_all()
    assert (lab.state(number), lab.states(number)) == ("TERMINATED", {"a": "CANCELLED", "end": "SUCCESS"})
    lab.check(drained=True)

"""Terminate: flag, then sweep; every row ends once, whatever it was doing."""

import threading

import pytest

from qflowd.daemon.embedded import Engine
from qflowd.engine.commands.sweep import Sweep, sweep_last
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import key_range
from qflowd.model.states import Intent, TaskState
from qflowd.store.tx import Tx
from tests.support.daemon import until
from tests.support.lab import CANCELLED, FAILED, SUCCESS

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
PATIENCE_S = 60.0


def test_an_instance_that_nobody_runs_ends_in_one_sweep(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    assert lab.command("terminate", number) == ("DONE", {"instance_id": number, "intent": "TERMINATE"})
    assert lab.state(number) == "RUNNING"
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)) == ("TERMINATED", dict.fromkeys("abc", "CANCELLED"))
    assert lab.claim() == []
    lab.check(drained=True)


def test_what_is_held_ends_the_instance_when_its_result_has_come(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    [row] = lab.claim()
    lab.command("terminate", number)
    assert lab.sweep.tick() < 1
    assert lab.states(number) == {"a": "RUNNING", "b": "CANCELLED", "c": "CANCELLED"}
    assert (lab.state(number), lab.published[-1]) == ("RUNNING", "stopping")
    lab.ends([row], CANCELLED)
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)) == ("TERMINATED", dict.fromkeys("abc", "CANCELLED"))
    lab.check(drained=True)


def test_a_task_that_was_quicker_keeps_its_success(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    rows = lab.claim()
    lab.command("terminate", number)
    lab.ends(rows, SUCCESS)  # the flag is there, the sweep is not: its child becomes ready all the same
    assert lab.states(number) == {"a": "SUCCESS", "b": "READY", "c": "PENDING"}
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)["a"]) == ("TERMINATED", "SUCCESS")
    lab.check(drained=True)


def test_a_last_task_that_ends_after_the_flag_ends_the_instance_by_itself(lab):
    lab.workflow("one", {"a": []})
    number = lab.start("one")
    rows = lab.claim()
    lab.command("terminate", number)
    lab.ends(rows, SUCCESS)
    assert (lab.state(number), lab.states(number)) == ("TERMINATED", {"a": "SUCCESS"})
    lab.check(drained=True)


@pytest.mark.parametrize("state", ["released", "rearmed"])
def test_what_comes_back_to_its_lane_is_swept_too(lab, state):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    [row] = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    if state == "released":
        batch = Batch(released=[Released(row.id, row.fence, 1, 1)])
    else:
        batch = Batch(rearmed=[Rearmed(row.id, row.fence, 1, 1, lab.clock.now())])
    lab.finish(batch=batch)
    assert lab.state(number) == "RUNNING"
    lab.sweep.tick()
    assert (lab.state(number), lab.sql("SELECT COUNT(*) FROM qflow.timer")) == ("TERMINATED", [(0,)])
    lab.check(drained=True)


def test_a_late_result_of_a_swept_row_changes_nothing(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    [row] = lab.claim()
    lab.finish(batch=Batch(released=[Released(row.id, row.fence, 0, 0)]))
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.ends([row], SUCCESS)
    assert lab.states(number) == dict.fromkeys("abc", "CANCELLED")
    lab.check(drained=True)


def test_a_held_submission_is_terminated_at_once(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain", hold=1)
    assert lab.command("terminate", number) == ("DONE", {"instance_id": number, "state": "TERMINATED"})
    assert lab.state(number) == "TERMINATED"
    lab.check(drained=True)


def test_a_row_that_waits_for_its_time_is_cancelled_with_its_timer(lab):
    lab.workflow("chain", CHAIN)
    later = lab.clock.now().replace(year=2027)
    number = lab.start("chain", run_at=later)
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.state(number) == "TERMINATED"
    assert lab.sql("SELECT COUNT(*) FROM qflow.timer") == [(0,)]


def test_an_instance_that_has_ended_cannot_be_terminated(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.run()
    lab.start("chain")
    [row] = lab.claim()
    lab.ends([row], FAILED)
    other = row.id >> 20
    for ended, state in ((number, "SUCCESS"), (other, "FAILED")):
        answer, why = lab.command("terminate", ended)
        assert (answer, why.split(";")[0]) == ("REJECTED", f"instance {ended} has already ended: it is {state}")


def test_asking_twice_is_not_a_fault(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.claim()
    assert lab.command("terminate", number)[0] == "DONE"
    assert lab.command("terminate", number)[0] == "DONE"


def test_other_instances_continue(lab):
    lab.workflow("chain", CHAIN)
    first, second = lab.start("chain"), lab.start("chain")
    lab.command("terminate", first)
    lab.sweep.tick()
    lab.run()
    assert (lab.state(first), lab.state(second)) == ("TERMINATED", "SUCCESS")
    lab.check(drained=True)


def test_any_daemon_finishes_the_sweep_that_another_began(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.command("terminate", number)
    Sweep(lab.store, lab.topics).tick()
    assert lab.state(number) == "TERMINATED"


def test_large_instances_are_swept_in_parts(lab, monkeypatch):
    monkeypatch.setattr("qflowd.engine.commands.sweep.PART", 3)
    lab.workflow("flat", {f"t{i}": [] for i in range(10)})
    number = lab.start("flat")
    held = lab.claim(2)
    lab.command("terminate", number)
    lab.sweep_all()
    assert sorted(lab.states(number).values()) == ["CANCELLED"] * 8 + ["RUNNING"] * 2
    lab.ends(held, CANCELLED)
    lab.sweep_all()
    assert lab.state(number) == "TERMINATED"
    lab.check(drained=True)


def test_an_instance_that_is_not_terminated_is_never_swept(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    assert lab.store.transact(lambda tx: sweep_last(tx, number, Intent.TERMINATE, **key_range(number))) == 0
    assert lab.store.transact(lambda tx: sweep_last(tx, 999, Intent.TERMINATE, **key_range(999))) == 0
    assert lab.states(number)["a"] == "READY"


def test_a_sweep_that_was_applied_before_its_reply_was_lost_may_come_again(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    lab.claim()
    lab.command("terminate", number)
    counts = [
        lab.store.transact(lambda tx: sweep_last(tx, number, Intent.TERMINATE, **key_range(number))) for _ in range(3)
    ]
    fences = lab.sql("SELECT fence FROM qflow.task_instance ORDER BY id")
    assert (counts, fences) == ([1, 1, 1], [(1,), (1,), (1,)])


def test_a_deadline_ends_an_instance_as_failed(lab):
    lab.workflow("chain", CHAIN, timeout="1m")
    number = lab.start("chain")
    [row] = lab.claim()
    lab.promote.tick()
    assert lab.column("workflow_instance", "intent", number) == 0
    lab.clock.advance(60)
    lab.promote.tick()
    assert "intent" in lab.published
    lab.sweep.tick()
    lab.ends([row], CANCELLED)
    lab.sweep.tick()
    assert lab.state(number) == "FAILED"
    shown = lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number))
    assert (shown.reason, shown.error) == ("timeout", "the workflow ran out of its timeout")
    lab.check(drained=True)


def test_a_deadline_of_an_instance_that_has_ended_does_nothing(lab):
    lab.workflow("chain", CHAIN, timeout="1m")
    number = lab.start("chain")
    lab.run()
    lab.clock.advance(60)
    lab.promote.tick()
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_failures_before_the_flag_do_not_make_it_failed(lab):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    first, second = lab.claim()
    lab.ends([first], FAILED)
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.ends([second], TaskState.SUCCESS)
    lab.sweep.tick()
    assert lab.state(number) == "TERMINATED"
    lab.check(drained=True)


def stop_sweep(engine):
    [sweep] = [runner for runner in engine._daemon._runners if isinstance(runner.service, Sweep)]
    sweep.stop()
    assert sweep.join(PATIENCE_S)


def test_a_task_that_was_told_to_end_before_it_began_never_begins(database_url, tmp_path):
    has_begun, may_end, is_told, ran = threading.Event(), threading.Event(), threading.Event(), []

    def occupy():
        has_begun.set()
        may_end.wait(PATIENCE_S)

    engine = Engine(database_url, pools={"inline": 1}, grace="1s", run_dir=tmp_path).with_job(occupy)
    with engine.with_job(lambda: ran.append("work"), name="work"):
        engine.client.submit(job="occupy")
        assert has_begun.wait(PATIENCE_S)
        run = engine.client.submit(job="work")
        until(lambda: [task.state for task in run.tasks()] == ["READY"], what="it stands in its lane")
        stop_sweep(engine)  # it stays ready, and free to be claimed
        engine._daemon.topics.subscribe("intent", is_told.set)
        run.terminate(wait=False)
        assert is_told.wait(PATIENCE_S)
        may_end.set()
        assert run.wait(PATIENCE_S) == "TERMINATED"
        [task] = run.tasks()
        assert (task.state, task.reason, task.started_at, ran) == ("CANCELLED", "terminated", None, [])


def test_an_outage_does_not_make_a_daemon_forget_to_stop_what_runs(database_url, tmp_path, monkeypatch):
    has_begun, may_end, failures = threading.Event(), threading.Event(), []
    run_statement = Tx.run

    def occupy():
        has_begun.set()
        may_end.wait(2 * PATIENCE_S)

    def away_once(tx, statement, **keys):
        if statement == "list_intents" and threading.current_thread().name == "qflowd-executor" and not failures:
            failures.append(statement)
            raise StoreUnavailable("away for a moment")
        return run_statement(tx, statement, **keys)

    # Neither the sweep nor a heartbeat says it again.
    engine = Engine(database_url, pools={"inline": 1}, grace="1s", run_dir=tmp_path, lease="10m").with_job(occupy)
    with engine:
        run = engine.client.submit(job="occupy")
        assert has_begun.wait(PATIENCE_S)
        stop_sweep(engine)
        monkeypatch.setattr(Tx, "run", away_once)
        run.terminate(timeout=PATIENCE_S)
        assert (run.state(), failures) == ("TERMINATED", ["list_intents"])
        may_end.set()

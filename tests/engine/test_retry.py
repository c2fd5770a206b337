"""Retry: failed tasks start anew, what is behind them waits again, and nothing else moves."""

from datetime import timedelta

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS

#   a ─ b ─ d ─ e      c has no part in what fails
#   └── c ──┘
DIAMOND = {"a": [], "b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"]}


def failed_diamond(lab, **more):
    lab.workflow("diamond", DIAMOND, **more)
    number = lab.start("diamond")
    lab.run({"b": FAILED})
    assert lab.state(number) == "FAILED"
    return number


def task_id(lab, number, key):
    return number * ORDINALS + list(lab.states(number)).index(key)


def test_failed_tasks_and_what_waits_for_them_start_anew(lab):
    number = failed_diamond(lab)
    answer = {"instance_id": number, "retried": ["b"], "tasks": 1, "restarted": 3}
    assert lab.command("retry", number) == ("DONE", answer)
    assert lab.state(number) == "RUNNING"
    assert lab.states(number) == {"a": "SUCCESS", "b": "READY", "c": "SUCCESS", "d": "PENDING", "e": "PENDING"}
    lab.check()
    lab.run()
    assert (lab.state(number), set(lab.states(number).values())) == ("SUCCESS", {"SUCCESS"})
    lab.check(drained=True)


def test_several_tasks_are_named_at_once(lab):
    lab.workflow("wide", {"a": [], "b": [], "c": ["a"], "d": []})
    number = lab.start("wide")
    lab.run({"a": FAILED, "b": FAILED, "d": FAILED})
    state, answer = lab.command("retry", number, args='{"tasks": ["a", "d"]}')
    assert (state, answer["retried"], answer["restarted"]) == ("DONE", ["a", "d"], 3)
    assert lab.states(number) == {"a": "READY", "b": "FAILED", "c": "PENDING", "d": "READY"}
    lab.check()
    lab.run()
    number = lab.start("wide")
    lab.run({"a": FAILED})
    assert "has no task 'z'" in lab.command("retry", number, args='{"tasks": ["a", "z"]}')[1]
    assert "leave out the task" in lab.command("retry", number, task="a", args='{"tasks": ["a"]}')[1]


def test_the_instance_looks_as_if_it_had_not_ended(lab):
    number = failed_diamond(lab)
    lab.clock.advance(60)
    lab.command("retry", number)
    row = lab.store.read(lambda tx: tx.one("show_instance", tenant="default", id=number))
    assert (row.state, row.reason, row.error, row.finished_at) == ("RUNNING", None, None, None)
    assert (row.updated_at, row.started_at) == (lab.clock.now(), lab.clock.now() - timedelta(seconds=60))
    assert lab.sql("SELECT succeeded, failed, skipped, open_closers FROM qflow.workflow_instance") == [
        (None, None, None, 1)
    ]


def test_a_retry_has_a_new_budget_and_keeps_what_was_tried(lab):
    lab.workflow("one", {"a": []})
    number = lab.start("one")
    [row] = lab.claim()
    lab.finish(batch=Batch(final=[lab.final(row, FAILED)], attempts=[lab.failed_attempt(row, "no data")]))
    lab.command("retry", number)
    [again] = lab.claim()
    assert (again.attempt, again.crashes, again.solo) == (0, 0, 0)
    assert again.fence == row.fence + 3  # raised by the finish, by the retry, by the claim
    lab.finish(batch=Batch(final=[lab.final(again, FAILED)], attempts=[lab.failed_attempt(again, "no data again")]))
    shown = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert [(found.attempt, found.state, found.error) for found in shown] == [
        (1, "FAILED", "no data"),
        (1, "FAILED", "no data again"),
    ]
    where = {"tenant": "default", "instance_id": number, "after": row.id, "batch": 1}
    behind = [
        lab.store.read(lambda tx, f=each.fence: tx.run("show_attempts", **where, after_fence=f)) for each in shown
    ]
    assert behind == [[shown[1]], []]  # the attempts of one task may be in two parts
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_a_run_that_left_no_attempt_leaves_one_now(lab):
    lab.workflow("one", {"a": []})
    number = lab.start("one")
    [row] = lab.claim()
    lab.ends([row], FAILED)
    lab.command("retry", number)
    assert lab.sql("SELECT fence, attempt, state, reason FROM qflow.attempt") == [(row.fence, 1, int(FAILED), 1)]
    lab.check()


def test_rows_that_never_ran_leave_no_attempt(lab):
    number = failed_diamond(lab)
    lab.command("retry", number)
    assert lab.sql("SELECT COUNT(*) FROM qflow.attempt") == [(1,)]


def test_a_late_result_of_the_first_round_is_not_accepted(lab):
    lab.workflow("one", {"a": []})
    number = lab.start("one")
    [row] = lab.claim()
    lab.ends([row], FAILED)
    lab.command("retry", number)
    lab.ends([row], SUCCESS)
    assert lab.states(number) == {"a": "READY"}
    [again] = lab.claim()
    lab.ends([row], SUCCESS)
    assert lab.states(number) == {"a": "RUNNING"}
    lab.ends([again], SUCCESS)
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_terminated_instance_continues_where_it_was(lab):
    lab.workflow("diamond", DIAMOND)
    number = lab.start("diamond")
    lab.ends(lab.claim())  # a
    held = lab.claim()  # b and c
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.finish(lab.final(held[0], SUCCESS), lab.final(held[1], CANCELLED))
    lab.sweep.tick()
    assert lab.state(number) == "TERMINATED"
    assert lab.command("retry", number)[0] == "DONE"
    done, stopped = (lab.key(row.id) for row in held)
    expected = {"a": "SUCCESS", done: "SUCCESS", stopped: "READY", "d": "PENDING", "e": "PENDING"}
    assert lab.states(number) == expected
    lab.check()
    lab.succeeds(number)


def test_outputs_progress_and_large_values_of_the_first_round_are_gone(lab):
    lab.workflow("one", {"a": []})
    number = lab.start("one")
    [row] = lab.claim()
    task = row.id
    lab.finish(
        batch=Batch(final=[lab.final(row, FAILED, "x" * 100_000)], progress=[(task, row.fence, 1.0, 2.0, "half")])
    )
    assert lab.sql("SELECT COUNT(*) FROM qflow.large_value") == [(1,)]
    lab.command("retry", number)
    assert lab.sql("SELECT COUNT(*) FROM qflow.large_value") == [(0,)]
    assert lab.sql("SELECT COUNT(*) FROM qflow.task_progress") == [(0,)]
    assert lab.sql("SELECT output, started_at, finished_at, reason FROM qflow.task_instance") == [(None, None, None, 0)]


def test_a_checkpoint_outlives_a_retry(lab):
    lab.workflow("one", {"a": []})
    number = lab.start("one")
    [row] = lab.claim()
    lab.finish(batch=Batch(final=[lab.final(row, FAILED)], checkpoints=[(row.id, row.fence, '{"page":7}')]))
    lab.command("retry", number)
    assert lab.sql("SELECT value FROM qflow.checkpoint") == [('{"page":7}',)]


def test_a_deadline_is_armed_again(lab):
    number = failed_diamond(lab, timeout="1h")
    lab.clock.advance(7200)
    lab.promote.tick()  # the first deadline: nothing to do
    lab.command("retry", number)
    lab.clock.advance(3599)
    lab.promote.tick()
    assert lab.column("workflow_instance", "intent", number) == 0
    lab.clock.advance(1)
    lab.promote.tick()
    lab.sweep.tick()
    assert lab.state(number) == "FAILED"
    assert lab.command("retry", number)[0] == "DONE"
    lab.succeeds(number)


# ------------------------------------------------------------------------------------------------ conditions


def conditional(lab):
    """b runs if a says so; c waits for b and for x."""
    tasks = {"a": [], "x": [], "b": {"a": "{{ a.output.go }}"}, "c": ["b", "x"]}
    lab.workflow("conditional", tasks)
    return lab.start("conditional")


@pytest.mark.parametrize(("go", "b", "c"), [(True, "READY", "PENDING"), (False, "SKIPPED", "PENDING")])
def test_conditions_of_parents_that_have_ended_are_looked_at_again(lab, go, b, c):
    number = conditional(lab)
    rows = {lab.key(row.id): row for row in lab.claim()}
    lab.command("terminate", number)
    lab.sweep.tick()  # b and c are cancelled before a ends
    lab.finish(lab.final(rows["a"], SUCCESS, {"go": go}), lab.final(rows["x"], CANCELLED))
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)["b"]) == ("TERMINATED", "CANCELLED")
    lab.command("retry", number)
    assert lab.states(number) == {"a": "SUCCESS", "x": "READY", "b": b, "c": c}
    lab.check()
    lab.run()
    end = "SUCCESS" if go else "SKIPPED"
    assert lab.states(number) == {"a": "SUCCESS", "x": "SUCCESS", "b": end, "c": end}
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_retry_of_which_nothing_may_run_ends_the_instance_at_once(lab):
    lab.workflow("skips", {"a": [], "b": {"a": "{{ a.output.go }}"}})
    number = lab.start("skips")
    [row] = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.finish(lab.final(row, SUCCESS, {"go": False}))
    lab.sweep.tick()
    assert lab.state(number) == "TERMINATED"
    assert lab.command("retry", number)[0] == "DONE"
    assert (lab.state(number), lab.states(number)) == ("SUCCESS", {"a": "SUCCESS", "b": "SKIPPED"})
    lab.check(drained=True)


def test_a_child_sees_the_output_of_the_round_that_was_accepted(lab):
    lab.workflow("pair", {"a": [], "b": {"a": "{{ a.output.go }}"}})
    number = lab.start("pair")
    lab.ends(lab.claim(), FAILED)
    lab.command("retry", number)
    [row] = lab.claim()
    # Another daemon runs it; ours remembers nothing of the failed round.
    assert (row.id, row.round) not in lab.instances.outputs
    lab.finish(lab.final(row, SUCCESS, {"go": True}))
    assert lab.states(number)["b"] == "READY"


def test_skipped_tasks_stay_skipped(lab):
    lab.workflow("mixed", {"a": [], "s": [], "t": ["s"], "b": ["a"]})
    number = lab.start("mixed")
    lab.run({"a": FAILED, "s": SKIPPED})
    lab.command("retry", number)
    assert lab.states(number) == {"a": "READY", "s": "SKIPPED", "t": "SKIPPED", "b": "PENDING"}
    lab.succeeds(number)


# ------------------------------------------------------------------------------------------------ one task


def two_failures(lab):
    lab.workflow("two", {"a": [], "b": [], "c": ["a", "b"]})
    number = lab.start("two")
    lab.run({"a": FAILED, "b": FAILED})
    return number


def test_a_named_task_is_retried_alone(lab):
    number = two_failures(lab)
    answer = {"instance_id": number, "retried": ["a"], "tasks": 1, "restarted": 2}
    assert lab.command("retry", number, task="a") == ("DONE", answer)
    assert lab.states(number) == {"a": "READY", "b": "FAILED", "c": "PENDING"}
    lab.check()
    lab.run()
    assert lab.states(number) == {"a": "SUCCESS", "b": "FAILED", "c": "UPSTREAM_FAILED"}
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)
    lab.command("retry", number, task="b")
    lab.succeeds(number)


def test_a_task_can_be_named_by_its_id_alone(lab):
    number = two_failures(lab)
    assert lab.command("retry", task_id=task_id(lab, number, "b"))[1]["retried"] == ["b"]


def test_a_failed_task_of_a_running_instance_is_retried(lab):
    lab.workflow("two", {"a": [], "b": [], "c": ["a", "b"]})
    number = lab.start("two")
    rows = {lab.key(row.id): row for row in lab.claim()}
    lab.ends([rows["a"]], FAILED)
    assert lab.command("retry", number, task="a")[0] == "DONE"
    assert lab.states(number) == {"a": "READY", "b": "RUNNING", "c": "PENDING"}
    lab.check()
    lab.ends([rows["b"]])
    lab.succeeds(number)


def test_retrying_one_task_of_a_terminated_instance_does_not_make_it_a_success(lab):
    lab.workflow("flat", {"a": [], "b": []})
    number = lab.start("flat")
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.command("retry", number, task="a")[0] == "DONE"
    lab.run()
    assert (lab.state(number), lab.states(number)) == ("FAILED", {"a": "SUCCESS", "b": "CANCELLED"})
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ refusals


def test_what_has_not_failed_is_not_retried(lab):
    lab.workflow("diamond", DIAMOND)
    number = lab.start("diamond")
    why = f"instance {number} is RUNNING and has no failed task to retry; possible now: "
    assert lab.command("retry", number)[1].startswith(why)
    lab.run()
    assert lab.command("retry", number)[1].startswith(f"instance {number} is SUCCESS and has no failed task to retry")


def test_an_instance_that_never_began_is_not_retried(lab):
    lab.workflow("diamond", DIAMOND)
    number = lab.start("diamond", hold=1)
    assert (
        lab.command("retry", number)[1]
        == f"instance {number} is READY and has not begun; possible now: resume, start, terminate"
    )
    lab.command("terminate", number)
    assert lab.command("retry", number)[1] == f"instance {number} is TERMINATED and had not begun; submit it again"


def test_an_instance_that_is_being_terminated_is_not_retried(lab):
    lab.workflow("flat", {"a": [], "b": []})
    number = lab.start("flat")
    rows = lab.claim()
    lab.ends(rows[:1], FAILED)
    lab.command("terminate", number)
    assert (
        lab.command("retry", number)[1]
        == f"instance {number} is RUNNING and being terminated; wait until it is TERMINATED"
    )


def test_a_task_that_waits_for_a_failed_one_names_that(lab):
    number = failed_diamond(lab)
    state, error = lab.command("retry", number, task="d")
    assert (state, error) == (
        "REJECTED",
        f"task d of instance {number} is UPSTREAM_FAILED; retry b, which it waits for",
    )


def test_a_cancelled_task_whose_parent_was_cancelled_names_that(lab):
    lab.workflow("chain", {"a": [], "b": ["a"]})
    number = lab.start("chain")
    lab.command("terminate", number)
    lab.sweep.tick()
    state, error = lab.command("retry", number, task="b")
    assert (state, error) == (
        "REJECTED",
        "task b is CANCELLED and cannot run: a before it did not succeed; retry that, or all",
    )
    assert lab.state(number) == "TERMINATED"


def test_a_task_that_is_not_there_names_those_that_are(lab):
    number = two_failures(lab)
    assert lab.command("retry", number, task="z")[1] == f"instance {number} has no task 'z'; there are a, b, c"
    missing = task_id(lab, number, "a") + 90
    assert lab.command("retry", number, task_id=missing)[1] == f"task_id {missing} is not a task of instance {number}"
    assert lab.command("retry", number, task_id=5)[1].startswith("task_id: must be a whole number from 1048576 to ")
    other = task_id(lab, number, "b")
    assert lab.command("retry", number, task="a", task_id=other)[0] == "REJECTED"


def test_a_task_that_succeeded_is_not_retried(lab):
    number = failed_diamond(lab)
    error = f"task a of instance {number} is SUCCESS; only FAILED and CANCELLED tasks are retried"
    assert lab.command("retry", number, task="a") == ("REJECTED", error)


def test_nothing_is_restarted_while_something_behind_it_is_being_run(lab):
    number = failed_diamond(lab)
    # No rule of this version lets a child run whose parent failed; later ones will.
    lab.sql(
        f"UPDATE qflow.task_instance SET state = {int(TaskState.RUNNING)}, owner = 7, finished_at = NULL "
        f"WHERE id = {task_id(lab, number, 'e')}"
    )
    state, error = lab.command("retry", number)
    assert (state, error) == ("REJECTED", f"e of instance {number} is RUNNING; wait for its end, or terminate first")
    assert lab.states(number)["b"] == "FAILED"


def test_a_rejected_retry_changes_nothing(lab):
    number = failed_diamond(lab)
    before = lab.sql("SELECT id, state, fence, open_parents, need, bad_parents FROM qflow.task_instance ORDER BY id")
    lab.command("retry", number, task="d")
    assert (
        lab.sql("SELECT id, state, fence, open_parents, need, bad_parents FROM qflow.task_instance ORDER BY id")
        == before
    )


def test_many_rows_are_restarted_in_parts(lab, monkeypatch):
    monkeypatch.setattr("qflowd.engine.commands.restart.PART", 2)
    number = failed_diamond(lab)
    assert lab.command("retry", number)[1]["restarted"] == 3
    lab.succeeds(number)

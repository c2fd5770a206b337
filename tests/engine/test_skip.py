"""Skip: a person lets an instance continue without one of its tasks."""

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.model.ids import ORDINALS
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS
from tests.support.spawning import spawn

CHAIN = {"a": [], "b": ["a"], "c": ["b"]}
JOIN = {"a": [], "x": [], "b": ["a", "x"], "c": ["b"]}


def started(lab, tasks=CHAIN):
    lab.workflow("flow", tasks)
    return lab.start("flow")


def skip(lab, number, task, **columns):
    return lab.command("skip", number, task=task, **({"reason": "no data today", "requested_by": "ann@desk"} | columns))


def test_a_failed_task_counts_as_done_and_the_flow_continues(lab):
    number = started(lab)
    lab.run({"b": FAILED})
    assert (lab.state(number), lab.states(number)["c"]) == ("FAILED", "UPSTREAM_FAILED")
    assert skip(lab, number, "b") == (
        "DONE",
        {"instance_id": number, "skipped": ["b"], "tasks": 1, "waits_for_its_turn": False},
    )
    assert lab.states(number) == {"a": "SUCCESS", "b": "SKIPPED", "c": "READY"}
    lab.check()
    lab.run()
    assert (lab.state(number), lab.states(number)["c"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_who_and_why_is_shown_with_the_task_and_what_failed_before_stays(lab):
    lab.workflow("flow", {"a": []})
    number = lab.start("flow")
    [row] = lab.claim()
    lab.finish(batch=Batch(final=[lab.final(row, FAILED)], attempts=[lab.failed_attempt(row, "vendor is down")]))
    skip(lab, number, "a")
    assert lab.state(number) == "SUCCESS"
    [task] = lab.store.read(
        lambda tx: tx.run("show_tasks", tenant="default", instance_id=number, after=0, last=2**62, batch=9999)
    )
    assert (task.state, task.reason, task.error) == ("SKIPPED", "manual", "skipped by ann@desk: no data today")
    shown = lab.store.read(
        lambda tx: tx.run("show_attempts", tenant="default", instance_id=number, after=0, after_fence=0, batch=99)
    )
    assert [(row.attempt, row.state, row.error) for row in shown] == [
        (1, "FAILED", "vendor is down"),
        (1, "SKIPPED", "skipped by ann@desk: no data today"),
    ]
    lab.check(drained=True)


@pytest.mark.parametrize("task", ["a", "b", "c"])
def test_a_task_that_waits_is_skipped_when_its_turn_comes(lab, task):
    number = started(lab)
    assert skip(lab, number, task)[1]["waits_for_its_turn"] == (task != "a")
    assert lab.states(number)[task] == ("SKIPPED" if task == "a" else "PENDING")
    lab.check()
    lab.run()
    states = {"a": "SUCCESS", "b": "SUCCESS", "c": "SUCCESS"} | {task: "SKIPPED"}
    assert (lab.state(number), lab.states(number)) == ("SUCCESS", states)
    lab.check(drained=True)


def test_what_waits_for_others_as_well_waits_for_them_still(lab):
    number = started(lab, JOIN)
    rows = {lab.key(row.id): row for row in lab.claim(wanted=1)}
    assert rows.keys() == {"a"}
    assert skip(lab, number, "x")[0] == "DONE"
    assert lab.states(number) == {"a": "RUNNING", "x": "SKIPPED", "b": "PENDING", "c": "PENDING"}
    lab.check()
    lab.ends(rows.values())
    assert lab.states(number)["b"] == "READY"
    lab.succeeds(number)


def test_the_order_stays_and_a_parent_that_fails_stops_it(lab):
    number = started(lab, JOIN)
    rows = lab.claim()
    skip(lab, number, "b")
    assert lab.states(number) == {"a": "RUNNING", "x": "RUNNING", "b": "PENDING", "c": "PENDING"}
    lab.ends(rows[:1])
    lab.ends(rows[1:], FAILED)
    assert lab.state(number) == "FAILED"
    assert [lab.states(number)[key] for key in "bc"] == ["UPSTREAM_FAILED", "UPSTREAM_FAILED"]
    lab.check(drained=True)
    lab.command("retry", number)
    lab.run()
    assert [lab.states(number)[key] for key in "bc"] == ["SKIPPED", "SUCCESS"]
    lab.check(drained=True)


def test_many_tasks_behind_one_may_be_skipped_among_others(lab):
    """Children of one parent are moved by one list."""
    number = started(lab, {"a": [], **{f"b{i}": ["a"] for i in range(12)}, "end": [f"b{i}" for i in range(12)]})
    skip(lab, number, "b3")
    skip(lab, number, "b7")
    lab.run()
    states = lab.states(number)
    assert [key for key, state in states.items() if state == "SKIPPED"] == ["b3", "b7"]
    assert lab.state(number) == states["end"] == "SUCCESS"
    lab.check(drained=True)


def test_a_task_that_waits_for_its_retry_is_skipped(lab):
    number = started(lab)
    [row] = lab.claim()
    lab.finish(batch=Batch(rearmed=[lab.rearmed(row, 3600)]))
    assert skip(lab, number, "a")[0] == "DONE"
    assert lab.sql("SELECT COUNT(*) FROM qflow.timer") == [(0,)]
    lab.succeeds(number)


def test_a_task_whose_parent_failed_is_skipped_alone(lab):
    number = started(lab)
    lab.run({"a": FAILED})
    assert skip(lab, number, "b")[0] == "DONE"
    lab.run()
    assert lab.states(number) == {"a": "FAILED", "b": "SKIPPED", "c": "SUCCESS"}
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_a_branch_that_its_output_would_have_chosen_is_not_taken(lab):
    number = started(lab, {"a": [], "b": {"a": "{{ a.output.go }}"}, "c": ["a"]})
    lab.run({"a": FAILED})
    skip(lab, number, "a")
    assert lab.states(number) == {"a": "SKIPPED", "b": "SKIPPED", "c": "READY"}
    lab.check()
    lab.succeeds(number)


def test_a_task_that_takes_the_first_result_does_not_take_a_skip_for_one(lab):
    vendors = {key: {"job": "work"} for key in ("first", "second")}
    lab.define("flow", vendors | {"load": {"job": "work", "after": [*vendors], "trigger_rule": "any_success"}})
    number, other = lab.start("flow"), lab.start("flow")
    for instance in (number, other):
        skip(lab, instance, "first")
        assert lab.states(instance)["load"] == "PENDING"
    rows = lab.claim()
    lab.ends(rows[:1])
    lab.ends(rows[1:], FAILED)
    lab.run()
    assert [lab.states(instance)["load"] for instance in (number, other)] == ["SUCCESS", "UPSTREAM_FAILED"]
    lab.check(drained=True)


def test_what_the_job_itself_skipped_stays_neutral(lab):
    number = started(lab, {"a": [], "s": [], "c": ["a", "s"]})
    lab.run({"a": FAILED, "s": SKIPPED})
    skip(lab, number, "a")
    assert (lab.state(number), lab.states(number)["c"]) == ("SUCCESS", "SKIPPED")
    lab.check(drained=True)


def test_skipping_the_last_open_task_ends_the_instance(lab):
    number = started(lab)
    lab.ends(lab.claim())
    lab.ends(lab.claim())
    skip(lab, number, "c")
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_claim_that_came_a_moment_before_is_not_overtaken(lab):
    """What was READY at the command is SKIPPED, and no daemon claims it; what was claimed is refused."""
    number = started(lab, {"a": [], "b": []})
    [row] = lab.claim(wanted=1)
    assert skip(lab, number, lab.key(row.id))[0] == "REJECTED"
    assert skip(lab, number, "b")[0] == "DONE"
    assert lab.claim() == []
    lab.ends([row])
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ then retry and rerun


def test_a_retry_skips_it_again(lab):
    number = started(lab, {"a": [], "b": ["a"], "send": ["b"], "end": ["send"]})
    lab.run({"a": FAILED})
    skip(lab, number, "send")
    lab.command("retry", number)
    assert lab.states(number) == {"a": "READY", "b": "PENDING", "send": "PENDING", "end": "PENDING"}
    lab.check()
    lab.run()
    assert lab.states(number) == {"a": "SUCCESS", "b": "SUCCESS", "send": "SKIPPED", "end": "SUCCESS"}
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_rerun_of_it_or_of_what_is_before_it_runs_it_after_all(lab):
    number = started(lab)
    lab.run({"b": FAILED})
    skip(lab, number, "b")
    lab.run()
    for task in ("b", "a"):
        assert lab.command("rerun", number, task=task)[0] == "DONE"
        lab.check()
        lab.run()
        assert set(lab.states(number).values()) == {"SUCCESS"}
        skip(lab, number, "b")
    lab.check(drained=True)


def test_a_terminated_instance_is_continued_without_a_task(lab):
    number = started(lab)
    [row] = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.finish(lab.final(row, CANCELLED))
    lab.sweep.tick()
    assert skip(lab, number, "a")[0] == "DONE"
    lab.check()
    assert lab.command("retry", number)[0] == "DONE"
    lab.check()
    lab.run()
    assert lab.states(number) == {"a": "SKIPPED", "b": "SUCCESS", "c": "SUCCESS"}
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ maps

MAP = {
    "universe": {"job": "work"},
    "bars": {"job": "work", "after": "universe", "map": ["AAPL", "IBM"], "label": "{{ item }}"},
    "report": {"job": "work", "after": "bars"},
}


def test_a_failed_item_is_skipped_by_its_label(lab):
    lab.define("flow", MAP)
    number = lab.start("flow")
    lab.run({"bars[IBM]": FAILED})
    assert lab.state(number) == "FAILED"
    assert skip(lab, number, "bars[IBM]")[0] == "DONE"
    assert lab.states(number)["bars[IBM]"] == "SKIPPED"
    lab.run()
    assert (lab.state(number), lab.states(number)["report"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_a_map_is_skipped_whole_when_its_turn_comes_but_not_while_its_items_are_open(lab):
    lab.define("flow", MAP)
    number, other = lab.start("flow"), lab.start("flow")
    assert skip(lab, number, "bars")[0] == "DONE"
    lab.ends(lab.claim())
    rows = lab.claim()
    error = f"task bars of instance {other} is PENDING and waits for 2 items that have not ended; skip those, or terminate the instance"
    assert skip(lab, other, "bars") == ("REJECTED", error)
    assert lab.states(number)["bars"] == "SKIPPED"
    lab.ends(rows)
    lab.run()
    assert lab.states(number) == {"universe": "SUCCESS", "bars": "SKIPPED", "report": "SUCCESS"}
    assert lab.state(number) == lab.state(other) == "SUCCESS"
    lab.check(drained=True)


def test_an_item_is_skipped_of_a_map_that_tolerates_its_failure_and_waits_for_the_others_still(lab):
    """As many items have succeeded as must; not even rows have been made for all of them."""
    lab.define("flow", {"bars": {"job": "work", "map": [*range(6)], "tolerate": {"min_ok": 1}, "max_parallel": 3}})
    number = lab.start("flow")
    rows = lab.claim()
    lab.finish(lab.final(rows[0]), lab.final(rows[1], FAILED))
    assert skip(lab, number, "bars[1]")[0] == "DONE"
    lab.check()
    lab.ends(rows[2:], FAILED)
    lab.run({f"bars[{i}]": FAILED for i in range(6)})
    states = lab.states(number)
    assert [states[f"bars[{i}]"] for i in range(6)] == ["SUCCESS", "SKIPPED", *["FAILED"] * 4]
    assert states["bars"] == lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_skipping_the_last_item_of_a_map_that_tolerates_its_failure_ends_the_map(lab):
    lab.define("flow", {"bars": {"job": "work", "map": ["AAPL", "IBM"], "tolerate": {"min_ok": 1}}})
    number = lab.start("flow")
    lab.ends(lab.claim(wanted=1))
    assert skip(lab, number, "bars[1]")[0] == "DONE"
    lab.check()
    lab.run()
    assert lab.states(number) == {"bars": "SUCCESS", "bars[0]": "SUCCESS", "bars[1]": "SKIPPED"}
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_what_ended_after_a_task_that_runs_now_after_all_runs_again_after_it(lab):
    """The instance does not end before."""
    end = {"job": "work", "after": "b", "trigger_rule": "all_done"}
    lab.define("flow", {"a": {"job": "work"}, "b": {"job": "work", "after": "a"}, "z": end})
    number = lab.start("flow")
    lab.run({"a": FAILED})
    assert lab.states(number) == {"a": "FAILED", "b": "UPSTREAM_FAILED", "z": "SUCCESS"}
    assert skip(lab, number, "a")[0] == "DONE"
    assert (lab.state(number), lab.states(number)) == ("RUNNING", {"a": "SKIPPED", "b": "READY", "z": "PENDING"})
    lab.check()
    lab.run({"b": FAILED})
    assert (lab.state(number), lab.states(number)["z"]) == ("FAILED", "SUCCESS")
    lab.check(drained=True)


def test_what_ended_after_a_task_that_still_cannot_run_does_not_run_again(lab):
    end = {"job": "work", "after": "b", "trigger_rule": "all_done"}
    lab.define(
        "flow", {"a": {"job": "work"}, "x": {"job": "work"}, "b": {"job": "work", "after": ["a", "x"]}, "z": end}
    )
    number = lab.start("flow")
    lab.run({"a": FAILED, "x": FAILED})
    assert skip(lab, number, "a")[0] == "DONE"
    assert lab.states(number) == {"a": "SKIPPED", "x": "FAILED", "b": "UPSTREAM_FAILED", "z": "SUCCESS"}
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_what_has_begun_behind_a_skipped_task_continues(lab):
    """It was not to wait for the success of that task."""
    done = {"job": "work", "after": "a", "trigger_rule": "all_done"}
    lab.define("flow", {"a": {"job": "work"}, "m": done | {"map": [1, 2]}, "z": done})
    number = lab.start("flow")
    lab.ends(lab.claim(), FAILED)
    rows = {lab.key(row.id): row for row in lab.claim()}
    spawn(lab, rows["z"], {"AAPL": []})
    lab.ends([rows["m[0]"]])
    before = lab.states(number)
    assert skip(lab, number, "a")[0] == "DONE"
    assert lab.states(number) == before | {"a": "SKIPPED"}
    lab.check()
    lab.ends([rows["m[1]"]])
    lab.run()
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_skip_waits_for_a_daemon_that_has_just_counted_the_items_of_the_map(lab):
    lab.define("flow", MAP)
    number = lab.start("flow")
    lab.run({"bars[AAPL]": FAILED, "bars[IBM]": FAILED})
    assert skip(lab, number, "bars[AAPL]")[0] == "DONE"
    answers: list[str] = []
    lab.just_before("finish", lambda: answers.append(skip(lab, number, "bars[IBM]")[0]))
    lab.run()  # the map ends as it was counted
    assert (answers, lab.states(number)["bars"]) == (["NEW"], "FAILED")
    lab.commands.tick()
    lab.run()
    assert lab.states(number)["bars"] == lab.state(number) == "SUCCESS"
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ refusals


def test_a_task_that_runs_or_has_ended_well_is_not_skipped(lab):
    number = started(lab)
    lab.ends(lab.claim())
    rows = lab.claim()
    rule = "only a task that waits or did not succeed is skipped"
    ended = f"task a of instance {number} is SUCCESS; {rule}"
    running = f"task b of instance {number} is RUNNING; {rule}: wait for its end, or terminate the instance first"
    assert skip(lab, number, "a") == ("REJECTED", ended)
    assert skip(lab, number, "b") == ("REJECTED", running)
    assert skip(lab, number, "c")[0] == "DONE"
    lab.ends(rows)
    lab.run()
    assert skip(lab, number, "c") == ("REJECTED", f"task c of instance {number} is SKIPPED; {rule}")


def test_a_skip_needs_a_reason_and_a_task_that_exists(lab):
    number = started(lab)
    assert skip(lab, number, "a", reason=None) == ("REJECTED", "skip needs a reason; it is kept with the task")
    assert skip(lab, number, None) == ("REJECTED", "skip needs a task")
    assert skip(lab, number, "z")[1] == f"instance {number} has no task 'z'; there are a, b, c"
    assert skip(lab, 999_999, "a")[1].startswith("there is no instance 999999")


def test_a_late_result_of_a_task_that_was_skipped_is_not_accepted(lab):
    """Its daemon was marked dead; the row was given back and skipped."""
    number = started(lab)
    [row] = lab.claim()
    lab.finish(batch=Batch(released=[lab.released(row)]))
    assert skip(lab, number, "a")[0] == "DONE"
    lab.ends([row], SUCCESS)
    assert lab.states(number)["a"] == "SKIPPED"
    lab.run()
    lab.check(drained=True)
    assert lab.sql(f"SELECT state FROM qflow.attempt WHERE task_id = {number * ORDINALS}") == [(int(SKIPPED),)]

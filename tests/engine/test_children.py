"""A task with `workflow: NAME` starts an instance of another workflow, and ends with it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.engine.child_workflows.child_start import DEEPEST
from qflowd.engine.claiming.unclaimed import UnclaimedRows
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState
from qflowd.model.workflow import NO_POOL
from tests.support.lab import CANCELLED, FAILED, Lab

PARAMS = {"market": {"type": "string"}, "day": {"type": ["string", "null"], "default": "{{ business_date }}"}}


@pytest.fixture(autouse=True)
def workflows(lab: Lab) -> None:
    lab.define(
        "load_market",
        {"bars": {"job": "work"}, "check": {"job": "work", "after": "bars"}},
        params=PARAMS,
        outputs={"rows": "{{ bars.output.rows }}", "market": "{{ params.market }}"},
    )
    lab.define(
        "nightly",
        {
            "us": {"workflow": "load_market", "params": {"market": "US"}},
            "report": {"job": "work", "after": "us", "params": {"rows": "{{ us.output.rows }}"}},
        },
    )


def drive(lab: Lab, outcomes: dict[str, TaskState] | None = None, outputs: dict[str, Any] | None = None) -> None:
    """Do all that can be done: start, admit, run, end, tell, command."""
    quiet = 0
    while quiet < 3:
        pauses = [lab.children.tick(), lab.admit.tick(), lab.commands.tick(), lab.sweep.tick(), lab.turns.tick()]
        rows = lab.claim()
        for row in rows:
            key = lab.key(row.id)
            end = lab.final(row, (outcomes or {}).get(key, TaskState.SUCCESS), (outputs or {}).get(key))
            lab.finish(end)
        quiet = 0 if rows or min(pauses) == 0 else quiet + 1


def children(lab: Lab, parent: int) -> list[int]:
    first = parent * ORDINALS
    sql = f"SELECT instance_id FROM qflow.child WHERE task_id BETWEEN {first} AND {first + ORDINALS - 1}"
    return [number for (number,) in lab.sql(sql + " ORDER BY instance_id")]


def error(lab: Lab, parent: int, task: str = "us") -> str:
    return str(lab.sql(f"SELECT error FROM qflow.tasks WHERE instance_id = {parent} AND task = '{task}'")[0][0])


def test_a_task_starts_an_instance_and_ends_with_its_outputs(lab: Lab) -> None:
    parent = lab.start("nightly", business_date="2026-11-20", priority=7)
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"
    [child] = children(lab, parent)
    row = lab.sql(
        "SELECT workflow, state, trigger_type, priority, params, parent_instance_id, parent_task_id "
        f"FROM qflow.instances WHERE id = {child}"
    )[0]
    assert row[:4] == ("load_market", "SUCCESS", "workflow", 7)
    assert json.loads(row[4]) == {"market": "US", "day": "2026-11-20"}
    assert tuple(map(int, row[5:])) == (parent, parent * ORDINALS)
    sql = f"SELECT job, kind, state, output, attempt, child_instance_id FROM qflow.tasks WHERE instance_id = {parent} AND task = 'us'"
    job, kind, state, output, attempt, number = lab.sql(sql)[0]
    assert (job, kind, state, attempt, int(number)) == ("workflow load_market", "child", "SUCCESS", 1, child)
    assert json.loads(output) == {"rows": 3, "market": "US"}
    lab.check(drained=True)


def test_while_the_instance_runs_the_task_holds_nothing_and_says_what_it_waits_for(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    assert lab.states(parent)["us"] == "PENDING"
    lab.admit.tick()
    [child] = children(lab, parent)
    waits = f"waits for instance {child} of workflow load_market, which is RUNNING"
    assert lab.column("tasks", "wait_reason", parent * ORDINALS) == waits
    assert lab.column("instances", "wait_reason", parent) == waits
    assert lab.column("task_instance", "owner", parent * ORDINALS) is None
    lab.check()


def test_a_paused_task_starts_no_instance_until_it_is_resumed(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.command("pause", parent, task="us")
    lab.children.tick()
    lab.sweep_all()
    assert (children(lab, parent), lab.states(parent)["us"]) == ([], "HELD")
    lab.command("resume", parent, task="us")
    lab.sweep_all()
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"


def test_a_failed_instance_fails_the_task_with_its_reason(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, {"bars": FAILED})
    [child] = children(lab, parent)
    assert lab.states(parent) == {"us": "FAILED", "report": "UPSTREAM_FAILED"}
    assert error(lab, parent) == f"instance {child} of workflow load_market failed: task bars: failed"
    assert lab.column("instances", "error", parent) == f"task us: {error(lab, parent)}"
    lab.check(drained=True)


def test_an_unknown_an_archived_and_a_misfed_workflow_fail_the_task(lab: Lab) -> None:
    lab.define("strange", {"us": {"workflow": "nowhere"}})
    lab.define("misfed", {"us": {"workflow": "load_market", "params": {"market": [7]}}})
    lab.define("old", {"one": {"job": "work"}})
    lab.define("of_old", {"us": {"workflow": "old"}})
    assert lab.command("archive", workflow="old")[0] == "DONE"
    parents = [lab.start(name) for name in ("strange", "misfed", "of_old")]
    drive(lab)
    errors = [error(lab, parent) for parent in parents]
    submissions = [children(lab, parent)[0] for parent in parents]
    assert [lab.state(parent) for parent in parents] == ["FAILED"] * 3
    assert errors[0].startswith(f"submission {submissions[0]} was rejected: there is no workflow 'nowhere'")
    assert errors[1].startswith(f"submission {submissions[1]} was rejected: params: market")
    assert errors[2].startswith(f"submission {submissions[2]} was rejected: workflow 'old' is archived")
    lab.check()


def test_outputs_that_have_no_value_fail_the_task(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, outputs={"bars": None})
    assert error(lab, parent).startswith(f"outputs of instance {children(lab, parent)[0]} of workflow load_market: ")
    assert lab.state(parent) == "FAILED"


def test_a_workflow_without_outputs_returns_nothing(lab: Lab) -> None:
    lab.define("quiet", {"one": {"job": "work"}})
    lab.define("caller", {"us": {"workflow": "quiet"}})
    parent = lab.start("caller")
    drive(lab)
    assert lab.state(parent) == "SUCCESS"
    assert lab.column("tasks", "output", parent * ORDINALS) is None


def test_without_params_it_is_given_the_params_of_the_same_names(lab: Lab) -> None:
    lab.define("caller", {"us": {"workflow": "load_market"}}, params={"market": {"type": "string"}, "desk": {}})
    parent = lab.start("caller", params='{"market": "HK", "desk": "rates"}')
    drive(lab, outputs={"bars": {"rows": 1}})
    assert lab.state(parent) == "SUCCESS"
    assert json.loads(lab.column("instances", "params", children(lab, parent)[0]))["market"] == "HK"


def test_params_that_have_no_value_and_conditions_end_the_task_without_an_instance(lab: Lab) -> None:
    lab.define(
        "caller",
        {
            "first": {"job": "work"},
            "us": {"workflow": "load_market", "after": "first", "params": {"market": "{{ first.output.market }}"}},
            "hk": {"workflow": "load_market", "after": "first", "params": {"market": "HK"}, "when": "{{ false }}"},
        },
    )
    parent = lab.start("caller")
    drive(lab)
    assert lab.states(parent) == {"first": "SUCCESS", "us": "FAILED", "hk": "SKIPPED"}
    assert "first.output" in error(lab, parent)
    assert not children(lab, parent)
    lab.check(drained=True)


def test_workflows_that_start_each_other_are_refused(lab: Lab) -> None:
    lab.define("a", {"one": {"workflow": "b"}})
    lab.define("b", {"one": {"workflow": "c"}, "two": {"workflow": "load_market", "params": {"market": "US"}}})
    lab.define("c", {"one": {"workflow": "a"}})
    number = lab.start("a")
    assert lab.column("submissions", "error", number) == "workflow 'a' would start itself for ever: a -> b -> c -> a"


def test_a_cycle_that_comes_later_ends_at_the_limit_of_depth(lab: Lab) -> None:
    lab.define("b", {"one": {"job": "work"}})
    lab.define("a", {"one": {"workflow": "b"}})
    lab.start("a")
    # As if instances had been started by instances for ever: the next level is one too deep.
    lab.children.tick()
    lab.sql(f"UPDATE qflow.child SET depth = {DEEPEST}")
    lab.define("c", {"one": {"job": "work"}})
    lab.define("b", {"us": {"workflow": "c"}})
    lab.admit.tick()
    drive(lab)
    [(deepest,)] = lab.sql("SELECT MAX(instance_id) FROM qflow.child")
    assert error(lab, deepest) == f"instance {deepest} is {DEEPEST} levels below the first: too deep"
    lab.check(drained=True)


def test_terminating_the_parent_terminates_its_instances_first(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    [row] = lab.claim()
    [child] = children(lab, parent)
    assert lab.command("terminate", parent)[0] == "DONE"
    lab.sweep.tick()
    assert lab.state(parent) == "RUNNING"  # it waits for its child
    lab.children.tick()
    lab.commands.tick()
    lab.sweep.tick()
    lab.finish(lab.final(row, CANCELLED))
    drive(lab)
    assert (lab.state(child), lab.state(parent)) == ("TERMINATED", "TERMINATED")
    assert lab.states(parent) == {"us": "CANCELLED", "report": "CANCELLED"}
    [(who, why)] = lab.sql(f"SELECT requested_by, reason FROM qflow.commands WHERE instance_id = {child}")
    assert (who, why) == (f"instance:{parent}", "the task that started it was terminated, skipped or run again")
    lab.check(drained=True)


def test_pause_and_resume_reach_the_instances(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    [child] = children(lab, parent)
    assert lab.command("pause", parent)[0] == "DONE"
    drive(lab)
    assert (lab.state(child), lab.state(parent)) == ("PAUSED", "PAUSED")
    assert lab.states(child) == {"bars": "HELD", "check": "PENDING"}
    assert lab.command("resume", parent)[0] == "DONE"
    drive(lab, outputs={"bars": {"rows": 3}})
    assert (lab.state(child), lab.state(parent)) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_a_paused_parent_starts_nothing(lab: Lab) -> None:
    parent = lab.start("nightly")
    assert lab.command("pause", parent)[0] == "DONE"
    drive(lab)
    assert lab.states(parent)["us"] == "HELD"
    assert not children(lab, parent)
    lab.command("resume", parent)
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"


def test_a_retry_continues_the_instance_where_it_failed(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, {"check": FAILED}, {"bars": {"rows": 3}})
    [child] = children(lab, parent)
    assert lab.state(parent) == "FAILED"
    assert lab.command("retry", parent)[0] == "DONE"
    assert lab.states(parent)["us"] == "READY"
    drive(lab)
    assert (lab.state(child), lab.state(parent)) == ("SUCCESS", "SUCCESS")
    assert children(lab, parent) == [child]
    assert lab.column("task_instance", "round", child * ORDINALS) == 0  # bars did not run again
    assert json.loads(lab.column("tasks", "output", parent * ORDINALS)) == {"rows": 3, "market": "US"}
    lab.check(drained=True)


def test_a_retry_that_fails_again_says_so(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, {"bars": FAILED})
    lab.command("retry", parent)
    drive(lab, {"bars": FAILED})
    [child] = children(lab, parent)
    assert (lab.state(child), lab.state(parent)) == ("FAILED", "FAILED")
    lab.check(drained=True)


def test_an_instance_that_somebody_retried_by_itself_ends_the_task_at_its_retry(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, {"bars": FAILED})
    [child] = children(lab, parent)
    lab.command("retry", child)
    drive(lab, outputs={"bars": {"rows": 4}})
    assert (lab.state(child), lab.state(parent)) == ("SUCCESS", "FAILED")
    lab.command("retry", parent)
    drive(lab)
    assert lab.state(parent) == "SUCCESS"
    assert children(lab, parent) == [child]


def test_a_retry_after_a_termination_continues_the_instance(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    lab.command("terminate", parent)
    drive(lab)
    [child] = children(lab, parent)
    assert (lab.state(child), lab.state(parent)) == ("TERMINATED", "TERMINATED")
    lab.command("retry", parent)
    drive(lab, outputs={"bars": {"rows": 4}})
    assert (lab.state(child), lab.state(parent)) == ("SUCCESS", "SUCCESS")
    assert children(lab, parent) == [child]


def test_a_rerun_starts_another_instance(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, outputs={"bars": {"rows": 3}})
    [before] = children(lab, parent)
    state, result = lab.command("rerun", parent, task="us", args='{"set": {"market": "HK"}}')
    assert state == "DONE", result
    drive(lab, outputs={"bars": {"rows": 5}})
    assert lab.state(parent) == "SUCCESS"
    _, after = children(lab, parent)
    assert int(lab.column("tasks", "child_instance_id", parent * ORDINALS)) == after > before
    assert json.loads(lab.column("tasks", "output", parent * ORDINALS)) == {"rows": 5, "market": "HK"}
    lab.check(drained=True)


def test_a_retry_of_a_refused_one_submits_it_anew(lab: Lab) -> None:
    lab.define("strange", {"us": {"workflow": "later"}})
    parent = lab.start("strange")
    drive(lab)
    assert lab.state(parent) == "FAILED"
    lab.define("later", {"one": {"job": "work"}})
    lab.command("retry", parent)
    drive(lab)
    assert lab.state(parent) == "SUCCESS"


def test_a_task_whose_instance_runs_is_not_started_anew(lab: Lab) -> None:
    lab.define(
        "caller",
        {"first": {"job": "work"}, "us": {"workflow": "load_market", "after": "first", "params": {"market": "US"}}},
    )
    parent = lab.start("caller")
    lab.ends(lab.claim())
    lab.children.tick()
    lab.admit.tick()
    [child] = children(lab, parent)
    state, why = lab.command("rerun", parent, task="first")
    assert (state, why) == (
        "REJECTED",
        f"us of instance {parent} waits for instance {child}; wait for its end, or terminate it first",
    )


def test_an_instance_whose_task_a_person_skips_is_terminated(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    state, result = lab.command("skip", parent, task="us", reason="the vendor is closed")
    assert state == "DONE", result
    lab.define("other", {"one": {"job": "work"}})
    lab.children.tick()
    lab.commands.tick()
    drive(lab)
    [child] = children(lab, parent)
    assert lab.state(child) == "TERMINATED"
    assert lab.states(parent)["us"] == "SKIPPED"
    lab.check()


def test_two_daemons_start_one_instance_and_end_the_task_once(lab: Lab) -> None:
    parent = lab.start("nightly")
    rival = Lab(lab.url, owner=8)
    try:
        [rows], _ = UnclaimedRows(lab.store, NO_POOL, 10).next()
        assert rival.children.tick() == 0
        assert rows
        lab.children.tick()
        assert len(children(lab, parent)) == 1
    finally:
        rival.close()


def test_the_terminated_instance_of_a_running_parent_fails_the_task(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    [child] = children(lab, parent)
    lab.command("terminate", child)
    drive(lab)
    assert lab.state(parent) == "FAILED"
    assert error(lab, parent) == f"instance {child} of workflow load_market was terminated"
    assert lab.column("tasks", "reason", parent * ORDINALS) == "terminated"


def test_overrides_of_a_task_that_starts_a_workflow_are_its_params_and_priority(lab: Lab) -> None:
    number = lab.start("nightly", overrides='{"tasks": {"us": {"pool": "io"}}}')
    assert "only its params and priority can be overridden" in lab.column("submissions", "error", number)
    parent = lab.start("nightly", overrides='{"tasks": {"us": {"params": {"market": "CN"}, "priority": 3}}}')
    drive(lab, outputs={"bars": {"rows": 3}})
    child = children(lab, parent)[0]
    assert json.loads(lab.column("instances", "params", child))["market"] == "CN"
    assert lab.column("instances", "priority", child) == 3


MARKETS = {
    "us": {"workflow": "load_market", "map": ["US", "HK", "CN"], "params": {"market": "{{ item }}"}, "max_parallel": 2}
}


def test_a_map_starts_an_instance_for_each_item_a_few_at_a_time(lab: Lab) -> None:
    lab.define("markets", MARKETS | {"report": {"job": "work", "after": "us"}})
    parent = lab.start("markets")
    while lab.children.tick() == 0:
        pass
    assert len(children(lab, parent)) == 2
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"
    assert len(children(lab, parent)) == 3
    outputs = lab.sql(
        f"SELECT output FROM qflow.tasks WHERE instance_id = {parent} AND kind = 'child' ORDER BY map_index"
    )
    assert [json.loads(output)["market"] for (output,) in outputs] == ["US", "HK", "CN"]
    lab.check(drained=True)


def test_a_retry_of_a_map_retries_the_instances_that_failed(lab: Lab) -> None:
    lab.define("markets", MARKETS)
    parent = lab.start("markets")
    drive(lab, {"check": FAILED}, {"bars": {"rows": 3}})
    assert lab.state(parent) == "FAILED"
    before = children(lab, parent)
    assert lab.command("retry", parent)[0] == "DONE"
    drive(lab)
    assert lab.state(parent) == "SUCCESS"
    assert children(lab, parent) == before
    assert lab.command("rerun", parent, task="us")[0] == "DONE"
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"
    assert len(children(lab, parent)) >= 3
    assert not set(children(lab, parent)[-3:]) & set(before)
    lab.check(drained=True)


def test_a_terminated_map_waits_for_the_instances_of_its_items(lab: Lab) -> None:
    lab.define("markets", MARKETS)
    parent = lab.start("markets")
    while lab.children.tick() == 0:
        pass
    lab.admit.tick()
    lab.command("terminate", parent)
    drive(lab)
    assert [lab.state(child) for child in children(lab, parent)] == ["TERMINATED"] * 2
    assert lab.state(parent) == "TERMINATED"
    lab.check(drained=True)


def test_a_map_over_what_is_not_a_list_fails_and_an_empty_one_starts_nothing(lab: Lab) -> None:
    of_first = {"after": "first", "workflow": "load_market", "params": {"market": "{{ item }}"}}
    tasks = {"first": {"job": "work"}, "us": of_first | {"map": "{{ first.output }}"}}
    lab.define("markets", tasks)
    none, wrong = lab.start("markets"), lab.start("markets")
    rows = lab.claim()
    lab.finish(*(lab.final(row, output=[] if row.id < wrong * ORDINALS else 7) for row in rows))
    drive(lab)
    assert (lab.state(none), lab.state(wrong)) == ("SUCCESS", "FAILED")
    assert "list" in error(lab, wrong)
    assert not children(lab, none) + children(lab, wrong)
    lab.check(drained=True)


def test_a_task_that_has_not_started_its_workflow_says_why(lab: Lab) -> None:
    parent = lab.start("nightly")
    assert lab.column("tasks", "wait_reason", parent * ORDINALS) == "no daemon is running"


def test_an_instance_that_has_undone_itself_is_not_retried_but_started_anew(lab: Lab) -> None:
    lab.define(
        "load", {"bars": {"job": "work", "compensate": "work"}, "check": {"job": "work", "after": "bars"}}, saga=True
    )
    lab.define("caller", {"us": {"workflow": "load"}})
    parent = lab.start("caller")

    def run(outcomes: dict[str, TaskState]) -> None:
        drive(lab, outcomes)
        while lab.compensate.tick() == 0:
            pass
        drive(lab)

    run({"check": FAILED})
    [undone] = children(lab, parent)
    assert lab.column("instances", "saga_state", undone) == "COMPENSATED"
    assert lab.state(parent) == "FAILED"
    lab.command("retry", parent)
    run({})
    assert lab.state(parent) == "SUCCESS"
    assert children(lab, parent)[0] == undone
    assert len(children(lab, parent)) == 2
    lab.check(drained=True)


def test_a_retry_that_the_instance_refuses_is_told_with_its_error(lab: Lab) -> None:
    parent = lab.start("nightly")
    drive(lab, {"bars": FAILED})
    [child] = children(lab, parent)
    lab.command("retry", parent)
    lab.children.tick()
    lab.sql(f"UPDATE qflow.commands SET action = 'rerun' WHERE instance_id = {child}")  # one that will be refused
    drive(lab)
    failed = f"instance {child} of workflow load_market failed: task bars: failed; its retry was rejected: "
    assert error(lab, parent).startswith(failed)
    lab.check(drained=True)


def test_a_timeout_of_the_parent_terminates_its_instances(lab: Lab) -> None:
    lab.define("caller", {"us": {"workflow": "load_market", "params": {"market": "US"}}}, timeout="1h")
    parent = lab.start("caller")
    lab.children.tick()
    lab.admit.tick()
    lab.clock.advance(3601)
    lab.promote.tick()
    drive(lab)
    [child] = children(lab, parent)
    assert (lab.state(child), lab.state(parent)) == ("TERMINATED", "FAILED")
    assert lab.column("instances", "reason", parent) == "timeout"
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ a daemon that is late


@pytest.fixture
def other(lab: Lab) -> Iterator[Lab]:
    """Another daemon on the same store."""
    found = Lab(lab.url, owner=8)
    yield found
    found.close()


def test_a_late_end_does_not_cut_a_task_off_from_the_instance_that_it_has_continued_since(lab: Lab, other: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    lab.run({"bars": FAILED})

    def end_and_retry() -> None:
        other.children.tick()
        assert other.command("retry", parent)[0] == "DONE"
        other.children.tick()

    lab.just_before("finish", end_and_retry)
    lab.children.tick()
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"
    lab.check(drained=True)


def test_a_late_command_does_not_terminate_the_instance_that_a_task_has_continued_since(lab: Lab, other: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    assert lab.command("terminate", parent)[0] == "DONE"

    def terminate_and_retry() -> None:
        drive(other)
        assert other.state(parent) == "TERMINATED"
        assert other.command("retry", parent)[0] == "DONE"
        other.children.tick()
        other.commands.tick()

    lab.just_before("tell_child", terminate_and_retry)
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"
    lab.check(drained=True)


@pytest.mark.parametrize("what", [{"task": "us"}, {}], ids=["the task", "the instance"])
def test_what_is_paused_while_it_is_about_to_start_starts_nothing(lab: Lab, other: Lab, what: dict[str, str]) -> None:
    parent = lab.start("nightly")

    def pause() -> None:
        assert other.command("pause", parent, **what)[0] == "DONE"
        other.sweep_all()

    lab.just_before("start_children", pause)
    lab.children.tick()
    assert (children(lab, parent), lab.states(parent)["us"]) == ([], "HELD")
    assert lab.command("resume", parent, **what)[0] == "DONE"
    lab.sweep_all()
    drive(lab, outputs={"bars": {"rows": 3}})
    assert lab.state(parent) == "SUCCESS"


def test_a_task_that_waits_for_its_instance_cannot_be_triggered(lab: Lab) -> None:
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    [child] = children(lab, parent)
    why = f"task us of instance {parent} is PENDING; it waits for instance {child}, which it has started"
    assert lab.command("trigger", parent, task="us") == ("REJECTED", why)
    assert lab.states(parent)["us"] == "PENDING"

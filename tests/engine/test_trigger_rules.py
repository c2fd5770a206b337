"""Trigger rules on real databases: who runs, who waits, when the instance ends, what a retry starts anew."""

from __future__ import annotations

from contextlib import closing

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.plans.gather import gather
from qflowd.engine.plans.render import render
from qflowd.model.errors import InvalidWorkflow
from tests.support.lab import CANCELLED, FAILED, SKIPPED, SUCCESS, Lab


def claimed(lab):
    return {lab.key(row.id): row for row in lab.claim()}


def test_any_success_runs_with_the_first_success_and_the_instance_waits_for_the_rest(lab):
    rules = {"quote": {"trigger_rule": "any_success"}}
    lab.workflow("vendors", {"one": [], "two": [], "three": [], "quote": ["one", "two", "three"]}, rules)
    number = lab.start("vendors")
    rows = claimed(lab)
    lab.finish(lab.final(rows["one"], FAILED))
    assert lab.states(number)["quote"] == "PENDING"
    lab.finish(lab.final(rows["two"]))
    assert lab.states(number)["quote"] == "READY"
    lab.check()
    lab.ends(lab.claim())
    assert (lab.states(number)["quote"], lab.state(number)) == ("SUCCESS", "RUNNING")
    lab.check()
    lab.finish(lab.final(rows["three"]))
    assert lab.state(number) == "FAILED"  # one did
    lab.check(drained=True)


def test_any_success_without_one_ends_with_its_last_parent(lab):
    rules = {"quote": {"trigger_rule": "any_success"}, "report": {"trigger_rule": "any_success"}}
    lab.workflow("vendors", {"one": [], "two": [], "quote": ["one", "two"], "report": ["quote"]}, rules)
    number = lab.start("vendors")
    rows = claimed(lab)
    lab.finish(lab.final(rows["one"], SKIPPED))
    assert lab.states(number)["quote"] == "PENDING"
    lab.finish(lab.final(rows["two"], FAILED))
    assert lab.states(number) == {
        "one": "SKIPPED",
        "two": "FAILED",
        "quote": "UPSTREAM_FAILED",
        "report": "UPSTREAM_FAILED",
    }
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


@pytest.mark.parametrize("outcome", [FAILED, SKIPPED])
@pytest.mark.parametrize(
    ("rule", "with_failure", "with_skip"),
    [
        ("all_success", "UPSTREAM_FAILED", "SKIPPED"),
        ("none_failed", "UPSTREAM_FAILED", "SUCCESS"),
        ("all_done", "SUCCESS", "SUCCESS"),
        ("always", "SUCCESS", "SUCCESS"),
        ("any_success", "SUCCESS", "SUCCESS"),
    ],
)
def test_a_rule_decides_what_an_end_is_worth(lab, rule, with_failure, with_skip, outcome):
    lab.workflow("join", {"a": [], "b": [], "end": ["a", "b"]}, {"end": {"trigger_rule": rule}})
    number = lab.start("join")
    lab.run({"a": outcome})
    assert lab.states(number)["end"] == (with_failure if outcome is FAILED else with_skip)
    assert lab.state(number) == ("FAILED" if outcome is FAILED else "SUCCESS")
    lab.check(drained=True)


def test_a_finally_task_runs_after_a_failure_that_has_spread(lab):
    tasks = {"load": [], "check": ["load"], "factors": ["check"], "cleanup": []}
    lab.workflow("daily", tasks, {"cleanup": {"trigger_rule": "always"}})
    number = lab.start("daily")
    rows = claimed(lab)
    assert set(rows) == {"load"}
    lab.finish(lab.final(rows["load"], FAILED))
    ends = {"load": "FAILED", "check": "UPSTREAM_FAILED", "factors": "UPSTREAM_FAILED"}
    assert lab.states(number) == ends | {"cleanup": "READY"}
    assert lab.state(number) == "RUNNING"
    lab.run()
    assert (lab.state(number), lab.states(number)) == ("FAILED", ends | {"cleanup": "SUCCESS"})
    lab.check(drained=True)


def test_a_false_condition_skips_under_every_rule(lab):
    tasks = {"a": [], "b": [], "end": {"a": "{{ a.output.go }}", "b": True}}
    lab.workflow("gate", tasks, {"end": {"trigger_rule": "all_done"}})
    number = lab.start("gate")
    rows = claimed(lab)
    lab.finish(lab.final(rows["a"], SUCCESS, {"go": False}), lab.final(rows["b"], FAILED))
    assert lab.states(number)["end"] == "SKIPPED"
    lab.check(drained=True)


def rendered(lab, rows):
    lane = lab.lane(lab.column("task_instance", "lane", rows[0].id))
    lab.store.read(lambda tx: lab.instances.load(tx, [row.id for row in rows]))
    return render(lab.store.read(lambda tx: gather(tx, lab.instances, (lane, rows))), None)


def test_the_condition_of_a_parent_that_failed_is_not_looked_at_again(lab):
    tasks = {"a": [], "end": {"a": "{{ a.output.go }}"}}
    lab.workflow("gate", tasks, {"end": {"trigger_rule": "all_done"}})
    lab.start("gate")
    lab.ends(lab.claim(), FAILED)
    groups, failed = rendered(lab, lab.claim())
    assert not failed
    assert [task.task_key for group in groups for task in group.assignments] == ["end"]


def test_a_condition_without_a_value_fails_the_task_under_every_rule(lab):
    tasks = {"a": [], "end": {"a": "{{ a.output.missing }}"}}
    lab.workflow("gate", tasks, {"end": {"trigger_rule": "all_done"}})
    lab.start("gate")
    [row] = lab.claim()
    lab.finish(lab.final(row, SUCCESS, {}))
    groups, [unrenderable] = rendered(lab, lab.claim())
    assert not groups
    assert "missing" in str(unrenderable.error)


def test_a_task_is_given_nothing_of_a_parent_that_failed(lab):
    lab.workflow("join", {"a": [], "b": [], "end": ["a", "b"]}, {"end": {"trigger_rule": "all_done"}})
    lab.start("join")
    rows = claimed(lab)
    lab.finish(lab.final(rows["a"], FAILED), lab.final(rows["b"], SUCCESS, 5))
    [group], _ = rendered(lab, lab.claim())
    assert group.upstreams[0] == '{"a":null,"b":5}'


def test_a_retry_starts_anew_what_ran_after_the_failure(lab):
    lab.workflow("daily", {"load": [], "cleanup": ["load"]}, {"cleanup": {"trigger_rule": "always"}})
    number = lab.start("daily")
    lab.run({"load": FAILED})
    assert lab.states(number) == {"load": "FAILED", "cleanup": "SUCCESS"}
    assert lab.command("retry", number)[0] == "DONE"
    assert lab.states(number) == {"load": "READY", "cleanup": "PENDING"}
    lab.check()
    lab.run()
    assert (lab.state(number), lab.states(number)["cleanup"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_a_named_retry_of_a_task_that_can_run_is_not_refused(lab):
    lab.workflow("daily", {"load": [], "cleanup": ["load"]}, {"cleanup": {"trigger_rule": "always"}})
    number = lab.start("daily")
    lab.run({"load": FAILED, "cleanup": FAILED})
    assert lab.command("retry", number, task="cleanup")[0] == "DONE"
    assert lab.states(number) == {"load": "FAILED", "cleanup": "READY"}


# ------------------------------------------------------------------------------------------------ when


def dispatched(lab):
    """Claim what is ready and send it; the keys of what was sent. What is not sent is written as it ended."""
    rows = lab.claim()
    sent, batch = lab.send(rows)
    if batch:
        lab.finish(batch=batch)
    return sorted(lab.key(number) for number in sent), {lab.key(row.id): row for row in rows}


def test_a_task_whose_when_is_false_is_skipped_before_it_begins(lab):
    of_task = {"b": {"when": "params.full"}, "c": {"when": "a.output.n > 3 and params.full == false"}}
    lab.workflow("daily", {"a": [], "b": [], "c": ["a"], "d": ["b"]}, of_task)
    number = lab.start("daily", params='{"full": false}')
    sent, rows = dispatched(lab)
    assert sent == ["a"]
    assert lab.states(number) == {"a": "RUNNING", "b": "SKIPPED", "c": "PENDING", "d": "SKIPPED"}
    [(reason,)] = lab.sql(f"SELECT reason FROM qflow.tasks WHERE id = {rows['b'].id}")
    assert reason == "condition"
    lab.check()
    lab.finish(lab.final(rows["a"], SUCCESS, {"n": 5}))
    assert dispatched(lab)[0] == ["c"]
    lab.check()


def test_a_when_without_a_value_fails_the_task(lab):
    lab.workflow("daily", {"a": [], "b": ["a"]}, {"b": {"when": "a.output.missing > 3"}})
    number = lab.start("daily")
    lab.ends(lab.claim())
    assert dispatched(lab)[0] == []
    assert lab.states(number)["b"] == "FAILED"
    lab.check(drained=True)


def test_the_last_task_may_be_skipped_by_its_when(lab):
    lab.workflow("daily", {"a": []}, {"a": {"when": False}})
    number = lab.start("daily")
    assert dispatched(lab)[0] == []
    assert (lab.state(number), lab.states(number)) == ("SUCCESS", {"a": "SKIPPED"})
    lab.check(drained=True)


def test_a_task_that_was_skipped_by_its_when_is_counted_once_by_those_behind_it(lab):
    """It may be skipped before its last parent has ended; that parent's end must not end it again."""
    of_task = {"any": {"trigger_rule": "any_success", "when": False}, "end": {"trigger_rule": "all_done"}}
    lab.workflow("daily", {"a": [], "b": [], "any": ["a", "b"], "end": ["any", "b"]}, of_task)
    number = lab.start("daily")
    rows = claimed(lab)
    lab.finish(lab.final(rows["a"]))
    assert dispatched(lab)[0] == []
    assert lab.states(number)["any"] == "SKIPPED"
    assert lab.states(number)["end"] == "PENDING"
    lab.check()
    lab.finish(lab.final(rows["b"], FAILED))
    assert lab.states(number)["end"] == "READY"
    lab.check()
    lab.run()
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ on_failure


CONTINUE = {"on_failure": "continue"}


def summary(lab, number):
    [row] = lab.sql(f"SELECT state, reason, error FROM qflow.instances WHERE id = {number}")
    return row


def test_a_failure_that_may_be_lets_what_depends_on_it_run_and_the_instance_succeed(lab):
    lab.workflow("daily", {"news": [], "factors": ["news"]}, {"news": CONTINUE})
    number = lab.start("daily")
    lab.run({"news": FAILED})
    assert lab.states(number) == {"news": "FAILED", "factors": "SUCCESS"}
    assert summary(lab, number) == ("SUCCESS", "tolerated", None)
    lab.check(drained=True)


def test_a_condition_on_a_task_that_failed_is_false(lab):
    lab.workflow("daily", {"news": [], "factors": {"news": "{{ news.output.n > 0 }}"}}, {"news": CONTINUE})
    number = lab.start("daily")
    lab.run({"news": FAILED})
    assert lab.states(number) == {"news": "FAILED", "factors": "SKIPPED"}
    assert summary(lab, number) == ("SUCCESS", "tolerated", None)


def test_any_success_needs_a_success_even_where_failures_may_be(lab):
    of_task = {"one": CONTINUE, "two": CONTINUE, "close": {"trigger_rule": "any_success"}}
    lab.workflow("daily", {"one": [], "two": [], "close": ["one", "two"]}, of_task)
    number = lab.start("daily")
    lab.run({"one": FAILED, "two": FAILED})
    assert lab.states(number)["close"] == "UPSTREAM_FAILED"
    assert summary(lab, number) == ("FAILED", "error", "tasks could not run, because tasks before them failed")
    number = lab.start("daily")
    lab.run({"one": FAILED})
    assert lab.states(number)["close"] == "SUCCESS"
    assert summary(lab, number)[:2] == ("SUCCESS", "tolerated")
    lab.check(drained=True)


def test_the_error_of_the_instance_is_that_of_a_failure_that_counts(lab):
    lab.workflow("daily", {"a": [], "b": []}, {"a": CONTINUE})
    number = lab.start("daily")
    lab.run({"a": FAILED, "b": FAILED})
    assert summary(lab, number) == ("FAILED", "error", "task b: failed")


def test_a_tolerated_failure_can_be_retried(lab):
    lab.workflow("daily", {"news": [], "factors": ["news"]}, {"news": CONTINUE})
    number = lab.start("daily")
    lab.run({"news": FAILED})
    assert lab.command("retry", number)[0] == "DONE"
    assert lab.states(number) == {"news": "READY", "factors": "PENDING"}
    lab.run()
    assert summary(lab, number) == ("SUCCESS", None, None)
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ run_on: terminate


CLOSE = {"close": {"trigger_rule": "always", "run_on": "terminate"}}
DAILY = {"load": [], "check": ["load"], "close": []}


def test_a_terminated_instance_runs_its_last_task_and_ends_after_it(lab):
    lab.workflow("daily", DAILY, CLOSE)
    number = lab.start("daily")
    [load] = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.claim() == []  # what runs is over first
    lab.ends([load], CANCELLED)
    for _ in range(3):
        lab.sweep.tick()
    assert lab.states(number) == {"load": "CANCELLED", "check": "CANCELLED", "close": "READY"}
    lab.check()
    lab.ends(lab.claim())
    assert lab.state(number) == "RUNNING"
    lab.sweep.tick()
    assert lab.states(number) == {"load": "CANCELLED", "check": "CANCELLED", "close": "SUCCESS"}
    assert summary(lab, number) == ("TERMINATED", "terminated", None)
    assert lab.claim() == []
    lab.check(drained=True)


def test_an_instance_whose_timeout_is_over_ends_failed_after_its_last_task(lab):
    lab.workflow("daily", DAILY, CLOSE, timeout="1h")
    number = lab.start("daily")
    lab.clock.advance(3600)
    lab.promote.tick()
    for _ in range(3):
        lab.sweep.tick()
    lab.run()
    lab.sweep.tick()
    assert summary(lab, number)[:2] == ("FAILED", "timeout")
    assert lab.states(number)["close"] == "SUCCESS"
    lab.check(drained=True)


def test_a_last_task_that_was_running_runs_on_and_not_again(lab):
    lab.workflow("daily", {"load": [], "close": ["load"]}, CLOSE)
    number = lab.start("daily")
    lab.ends(lab.claim())
    [close] = lab.claim()
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.ends([close])
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)["close"]) == ("TERMINATED", "SUCCESS")
    assert lab.claim() == []
    lab.check(drained=True)


def test_a_last_task_that_was_stopped_before_it_began_runs_all_the_same(lab):
    lab.workflow("daily", {"load": [], "close": ["load"]}, CLOSE)
    number = lab.start("daily")
    lab.ends(lab.claim())
    [close] = lab.claim()
    lab.command("terminate", number)
    lab.ends([close], CANCELLED)  # its end would end the instance
    assert lab.state(number) == "RUNNING"
    for _ in range(3):
        lab.sweep.tick()
    lab.run()
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)["close"]) == ("TERMINATED", "SUCCESS")
    lab.check(drained=True)


def test_a_second_termination_spares_nothing(lab):
    lab.workflow("daily", DAILY, CLOSE)
    number = lab.start("daily")
    lab.command("terminate", number)
    for _ in range(3):
        lab.sweep.tick()
    [close] = lab.claim()
    assert lab.command("pause", number)[0] == "REJECTED"
    assert lab.command("retry", number)[0] == "REJECTED"
    lab.command("terminate", number)
    lab.sweep.tick()
    assert lab.state(number) == "RUNNING"
    lab.ends([close], CANCELLED)
    lab.sweep.tick()
    assert (lab.state(number), lab.states(number)["close"]) == ("TERMINATED", "CANCELLED")
    lab.check(drained=True)


def test_a_paused_instance_that_is_terminated_runs_its_last_task(lab):
    lab.workflow("daily", DAILY, CLOSE)
    number = lab.start("daily")
    lab.command("pause", number)
    lab.sweep.tick()
    lab.command("terminate", number)
    for _ in range(3):
        lab.sweep.tick()
    assert [lab.key(row.id) for row in lab.claim()] == ["close"]


def test_a_retry_after_a_termination_runs_everything_and_the_last_task_at_the_end(lab):
    lab.workflow("daily", DAILY, CLOSE)
    number = lab.start("daily")
    lab.command("terminate", number)
    for _ in range(3):
        lab.sweep.tick()
    lab.run()
    lab.sweep.tick()
    assert lab.command("retry", number)[0] == "DONE"
    assert lab.states(number) == {"load": "READY", "check": "PENDING", "close": "PENDING"}
    lab.check()
    lab.run()
    assert summary(lab, number) == ("SUCCESS", None, None)
    lab.check(drained=True)


@pytest.mark.parametrize("rule", ["always", "all_success"])
@pytest.mark.parametrize(("action", "task"), [("rerun", "close"), ("retry", None), ("retry", "report")])
def test_a_last_task_that_its_daemon_has_cancelled_runs_and_is_told_a_second_time(lab, rule, action, task):
    lab.workflow(
        "daily", {"load": [], "close": ["load"], "report": ["close"]}, {**CLOSE, "report": {"trigger_rule": rule}}
    )
    number = lab.start("daily")
    lab.ends(lab.claim())
    [close] = lab.claim()
    lab.command("terminate", number)
    lab.ends([close], CANCELLED)  # what comes after it has counted it
    for _ in range(3):
        lab.sweep.tick()
    assert lab.states(number)["close"] == "READY"
    lab.ends(lab.claim())
    lab.sweep_all()
    assert (lab.state(number), lab.states(number)["close"]) == ("TERMINATED", "SUCCESS")
    assert lab.command(action, number, task=task)[0] == "DONE"
    lab.check()
    lab.run()
    assert (lab.state(number), lab.states(number)["report"]) == ("SUCCESS", "SUCCESS")
    lab.check(drained=True)


def test_of_tasks_that_run_after_a_termination_one_that_waits_for_another_runs_after_it(lab):
    last = {"trigger_rule": "always", "run_on": "terminate"}
    lab.workflow("daily", {"load": [], "close": ["load"], "logout": ["close"]}, {"close": last, "logout": last})
    number = lab.start("daily")
    lab.command("terminate", number)
    for _ in range(3):
        lab.sweep.tick()
    assert lab.states(number) == {"load": "CANCELLED", "close": "READY", "logout": "PENDING"}
    lab.ends(lab.claim(), FAILED)
    assert lab.states(number) == {"load": "CANCELLED", "close": "FAILED", "logout": "READY"}
    lab.ends(lab.claim())
    lab.sweep_all()
    assert (lab.state(number), lab.states(number)["logout"]) == ("TERMINATED", "SUCCESS")
    lab.check(drained=True)


def test_run_on_needs_the_rule_always():
    with pytest.raises(InvalidWorkflow, match=r"tasks\.a\.run_on: is for tasks with `trigger_rule: always`"):
        parse("workflow: w\ntasks: {a: {job: j, run_on: terminate}}", "yaml", "w.yaml")


def test_a_last_task_that_another_daemon_has_run_since_is_not_run_again(lab):
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    lab.workflow("desk", {"a": [], "close": ["a"]}, CLOSE)
    number = lab.start("desk")
    lab.command("terminate", number)
    lab.sweep.tick()
    with closing(Lab(lab.url, owner=8)) as other:

        def run_it():
            other.sweep.tick()
            other.run()

        lab.just_before("sweep", run_it, statement="lock_task")
        lab.sweep_all()
    assert lab.claim() == []
    assert lab.states(number) == {"a": "CANCELLED", "close": "SUCCESS"}
    assert lab.state(number) == "TERMINATED"

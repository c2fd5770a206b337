"""`rerun`, `skip` and `compensate` for many instances: of a task that is named, or of the failures that a filter chooses."""

from __future__ import annotations

import json

import pytest

from qflowd.model.workflow import Job
from tests.support.bulk import failed, many
from tests.support.failures import TIMEOUT, fail, failures

DONE = {"matched": 2, "done": 2, "refused": 0, "refusals": {}}
BARS = {"fetch": {"job": "work", "map": ["AAPL", "IBM", "MSFT"], "label": "{{ item }}", "params": {}}}


def test_one_task_of_many_instances_runs_again_with_other_params(chains):
    numbers = [chains.start(key) for key in ("daily_bars", "daily_news", "chain")]
    chains.run()
    args = {"args": '{"set":{"feed":"second"}}', "task": "b"}
    assert many(chains, "rerun", args, state="SUCCESS", workflow="daily_*") == ("DONE", DONE)
    assert [chains.states(number)["b"] for number in numbers] == ["READY", "READY", "SUCCESS"]
    overrides = [chains.column("workflow_instance", "overrides", number) for number in numbers]
    assert [text and json.loads(text) for text in overrides] == [
        *[{"tasks": {"b": {"params": {"feed": "second"}}}}] * 2,
        None,
    ]
    chains.run()
    chains.check(drained=True)


def test_one_task_of_many_instances_is_skipped_with_one_reason(chains):
    numbers = [*failed(chains, "daily_bars"), *failed(chains, "daily_news")]
    columns = {"task": "a", "reason": "no session", "requested_by": "ann@desk"}
    assert many(chains, "skip", columns, state="FAILED", workflow="daily_*", since="2d") == ("DONE", DONE)
    chains.run()
    assert [chains.states(number) for number in numbers] == [{"a": "SKIPPED", "b": "SUCCESS"}] * 2
    chains.check(drained=True)


def test_of_failures_each_runs_again_or_is_skipped_and_no_other_task(lab):
    lab.define("bars", BARS)
    numbers = [lab.start("bars") for _ in range(2)]
    fail(lab, {"fetch[AAPL]": TIMEOUT, "fetch[MSFT]": TIMEOUT, "fetch[IBM]": "ValueError: close: -1"})
    answer = many(lab, "skip", {"reason": "halted"}, error_class="*Timeout")
    assert answer == ("DONE", DONE)
    lab.run()
    assert [(row.instance_id, row.label) for row in failures(lab)] == [(number, "IBM") for number in numbers[::-1]]
    assert {state for number in numbers for state in lab.states(number).values()} == {"FAILED", "SKIPPED"}
    lab.check(drained=True)
    assert many(lab, "rerun", error_class="ValueError") == ("DONE", DONE)
    lab.check()
    lab.run()
    assert [lab.state(number) for number in numbers] == ["SUCCESS", "SUCCESS"]
    states = {"fetch": "SUCCESS", "fetch[AAPL]": "SKIPPED", "fetch[IBM]": "SUCCESS", "fetch[MSFT]": "SKIPPED"}
    assert lab.states(numbers[0]) == states
    lab.check(drained=True)


def test_failures_of_several_tasks_of_an_instance_are_skipped_together(lab):
    lab.workflow("join", {"a": [], "x": [], "b": ["a", "x"], "c": ["b"]})
    number = lab.start("join")
    fail(lab, {"a": TIMEOUT, "x": TIMEOUT})
    assert many(lab, "skip", {"reason": "no session"}, task="*")[1]["done"] == 1
    assert lab.states(number) == {"a": "SKIPPED", "x": "SKIPPED", "b": "READY", "c": "PENDING"}
    lab.check()
    lab.succeeds(number)


def test_many_instances_are_compensated(lab):
    lab.jobs.own["undo"] = Job(name="undo", module="", file="work.py", hash="h")
    lab.workflow("load", {"a": []}, {"a": {"compensate": "undo"}})
    lab.workflow("other", {"a": []})
    numbers = [lab.start("load") for _ in range(2)]
    plain = lab.start("other")
    lab.run()
    state, result = many(lab, "compensate", state="SUCCESS")
    why = f"instance {plain} is SUCCESS and has nothing to undo, as no task of it that started has a compensation"
    assert (state, result) == (
        "DONE",
        {"matched": 3, "done": 2, "refused": 1, "refusals": {str(plain): f"{why}; possible now: rerun"}},
    )
    lab.compensate.tick()
    lab.run()
    assert [lab.column("workflow_instance", "saga_state", number) for number in numbers] == [2, 2]


@pytest.mark.parametrize(
    ("action", "columns", "why"),
    [
        ("rerun", {}, "rerun is for single tasks: name one, or have the filter choose failures by task or error_class"),
        ("skip", {"reason": "x"}, "skip is for single tasks: name one, or have the filter choose failures by "),
        ("skip", {"task": "a"}, "skip needs a reason; it is kept with the task"),
        ("handle", {}, "handle needs a reason, such as what was done about it; it is kept with the failure"),
        ("compensate", {"task": "a"}, "compensate is not for single tasks; leave out the task"),
    ],
)
def test_what_no_instance_could_be_asked_is_refused_at_once(chains, action, columns, why):
    failed(chains, count=2)
    state, error = many(chains, action, columns, state="FAILED")
    assert (state, error[: len(why)]) == ("REJECTED", why)


def test_what_is_not_possible_in_some_is_told_of_each(chains):
    [number], other = failed(chains), chains.start("chain")
    rows = chains.claim()
    state, result = many(chains, "rerun", {"task": "a"}, workflow="chain")
    assert (state, result["done"], result["refused"]) == ("DONE", 1, 1)
    assert result["refusals"][str(other)].startswith(
        f"task a of instance {other} is RUNNING; only a task that has ended"
    )
    assert chains.states(number)["a"] == "READY"
    chains.ends(rows)
    chains.check()

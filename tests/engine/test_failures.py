"""The failures that nobody has handled: what is listed, what a person says of it, and what is retried from the list."""

from __future__ import annotations

import json

import pytest

from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.model.names import shown_name
from qflowd.model.workflow import Job
from tests.engine.test_many_instances import _repeat
from tests.support.bulk import many
from tests.support.failures import TIMEOUT, fail, failures, names
from tests.support.lab import FAILED, Lab

CHAIN = {"a": [], "b": ["a"]}


def handle(lab: Lab, number: int, note: str | None = "vendor was down, bars came later", **columns):
    return lab.command("handle", number, reason=note, requested_by="ann@desk", **columns)


@pytest.fixture
def failed(lab: Lab) -> tuple[Lab, int]:
    lab.workflow("daily_bars", {"a": [], "x": [], "b": ["a"]})
    number = lab.start("daily_bars", business_date="2026-11-20")
    fail(lab, {"a": TIMEOUT, "x": "ValueError: close: -1"})
    return lab, number


def test_a_failed_task_is_listed_with_what_a_person_needs_to_judge_it(failed):
    lab, number = failed
    assert lab.state(number) == "FAILED"
    listed = {row.task: row for row in failures(lab)}
    assert listed.keys() == {"a", "x"}, "b did not fail, it was never run"
    row = listed["a"]
    assert (row.instance_id, row.workflow, str(row.business_date)) == (number, "daily_bars", "2026-11-20")
    assert (row.error_class, row.error, row.attempts) == ("requests.exceptions.Timeout", TIMEOUT, 1)
    assert (row.state, row.instance_state, row.kind, row.job) == ("FAILED", "FAILED", "task", "work")
    assert listed["x"].error_class == "ValueError"


def test_what_a_person_has_handled_is_gone_until_it_fails_again_and_listed_with_the_note(failed, monkeypatch):
    monkeypatch.setattr("qflowd.client.failures.PAGE", 1)
    lab, number = failed
    assert handle(lab, number, task="a") == ("DONE", {"instance_id": number, "handled": ["a"], "failures": 1})
    assert [row[1] for row in names(lab)] == ["x"]
    assert lab.states(number)["a"] == "FAILED", "the row itself stays as it is"
    [row] = Client(DatabaseTransport(lab.store)).failures(handled=True)
    assert (row.name, row.handled_by, row.note) == ("a", "ann@desk", "vendor was down, bars came later")
    assert (row.error_class, row.error, row.state) == ("requests.exceptions.Timeout", TIMEOUT, "FAILED")
    assert row.failed_at <= row.handled_at == lab.clock.now()
    lab.command("retry", number, task="a")
    fail(lab, {"a": TIMEOUT})
    assert sorted(row[1] for row in names(lab)) == ["a", "x"], "a later failure is a new one"
    assert handle(lab, number, "restated")[1]["failures"] == 2
    assert failures(lab) == []
    handled = [(row.task, row.note) for row in Client(DatabaseTransport(lab.store)).failures(handled=True)]
    assert handled == [("x", "restated"), ("a", "restated"), ("a", "vendor was down, bars came later")]
    assert [row.task for row in Client(DatabaseTransport(lab.store)).failures({"task": "x"}, handled=True)] == ["x"]
    lab.check()


def test_what_succeeds_is_skipped_or_runs_again_is_gone_by_itself(failed):
    lab, number = failed
    lab.command("skip", number, task="x", reason="not traded today")
    assert [row[1] for row in names(lab)] == ["a"]
    lab.command("retry", number)
    assert failures(lab) == []
    lab.run()
    assert (lab.state(number), failures(lab)) == ("SUCCESS", [])


NOWHERE = 999_999_999 << 20  # a task of an instance that no test comes to


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"reason": None}, "handle needs a reason, such as what was done about it; it is kept with the failure"),
        (
            {"task": "b"},
            "instance {} is FAILED, and task b has no failure that nobody has handled",
        ),
        ({"task": "daily"}, "instance {} has no task 'daily'"),
        (
            {"task_id": NOWHERE},
            f"instance {{}} is FAILED, and task {NOWHERE} has no failure that nobody has handled",
        ),
    ],
)
def test_what_cannot_be_handled_is_refused(failed, columns, why):
    lab, number = failed
    state, error = lab.command("handle", number, **({"reason": "seen"} | columns))
    assert (state, error.split(";")[0].split(", such")[0]) == ("REJECTED", why.format(number).split(", such")[0])
    assert len(failures(lab)) == 2


def test_an_instance_without_failures_has_nothing_to_be_handled(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    state, error = handle(lab, number)
    assert (state, error.split(";")[0]) == (
        "REJECTED",
        f"instance {number} is RUNNING, and it has no failure that nobody has handled",
    )


def test_items_of_a_map_are_listed_each_and_their_head_is_not(lab):
    lab.define("bars", {"fetch": {"job": "work", "map": ["AAPL", "IBM", "MSFT"], "label": "{{ item }}", "params": {}}})
    number = lab.start("bars")
    fail(lab, {"fetch[IBM]": TIMEOUT})
    assert lab.state(number) == "FAILED"
    assert [(row.task, row.label, row.map_index) for row in failures(lab)] == [("fetch", "IBM", 1)]
    assert handle(lab, number, task="fetch[IBM]")[1]["handled"] == ["fetch[IBM]"]
    lab.command("retry", number, task="fetch[IBM]")
    fail(lab, {"fetch[IBM]": TIMEOUT})
    assert handle(lab, number, task="fetch")[1]["handled"] == ["fetch[IBM]"]


def test_an_item_that_is_mistyped_is_named_with_the_one_that_was_meant(lab):
    symbols = [f"S{i:04}" for i in range(1200)]
    lab.define("bars", {"fetch": {"job": "work", "map": symbols, "label": "{{ item }}", "params": {}}})
    number = lab.start("bars")
    fail(lab, {"fetch[S0003]": TIMEOUT})
    for task, error in {
        "fetch[s0003]": f"task fetch of instance {number} has no item 's0003'; did you mean S0003?",
        "fetch[S0033x]": f"task fetch of instance {number} has no item 'S0033x'; did you mean S0033?",
        "fetsh[S0003]": f"instance {number} has no task 'fetsh[S0003]'; did you mean fetch?",
        "fetch[S0004]": f"instance {number} is RUNNING, and task fetch[S0004] has no failure that nobody has handled; "
        "fetch[S0003] can be handled, retried or skipped; possible now: pause, skip, terminate",
    }.items():
        state, why = handle(lab, number, task=task)
        assert (state, why[: len(error)]) == ("REJECTED", error)
    assert handle(lab, number, task="fetch[S0003]")[0] == "DONE"


def test_a_compensation_that_failed_is_told_from_its_task(lab):
    jobs = {"load": Job(name="load", module="", file="work.py", hash="h", compensation="undo")}
    lab.jobs.own |= jobs | {"undo": Job(name="undo", module="", file="work.py", hash="h")}
    lab.define("loads", {"a": {"job": "load"}}, saga=True)
    number = lab.start("loads")
    fail(lab, {"a": TIMEOUT})
    lab.compensate.tick()
    lab.run({"a": FAILED})
    assert [shown_name(row) for row in failures(lab)] == ["undo a", "a"]
    dry = {"args": '{"dry_run":true}', "reason": "seen"}
    for pattern, would in {"undo a": ["undo a"], "a": ["a"], "*a": ["a", "undo a"]}.items():
        [instance] = many(lab, "handle", dry, task=pattern)[1]["instances"]
        assert instance["result"]["handled"] == would
    assert handle(lab, number, task="undo b")[1] == f"instance {number} has no task 'undo b'; did you mean undo a?"
    assert handle(lab, number, task="a")[1]["handled"] == ["a"]
    assert handle(lab, number, task="undo a")[1]["handled"] == ["undo a"]


def test_the_head_of_a_map_without_a_list_is_listed(lab):
    lab.define("bars", {"fetch": {"job": "work", "map": "{{ params.symbols }}", "params": {}}})
    lab.start("bars", params='{"symbols":7}')
    lab.claim()
    [row] = failures(lab)
    assert (row.task, row.kind, row.map_index) == ("fetch", "head", None)


@pytest.mark.parametrize(
    ("error", "shown"),
    [
        ("ValueError: a: b", "ValueError"),
        ("KeyError", "KeyError"),
        ("no data: for 000300", "error"),
        ("the job called sys.exit(3); return, or raise an exception", "error"),
        ("", ""),
    ],
)
def test_the_class_of_an_error_is_its_type_or_one_word(lab, error, shown):
    lab.workflow("chain", CHAIN)
    lab.start("chain")
    fail(lab, {"a": error})
    assert [row.error_class for row in failures(lab)] == [shown or ""]


# ------------------------------------------------------------------------------------------------ many of them


def fail_all(lab: Lab) -> list[int]:
    for key in ("daily_bars", "daily_news"):
        lab.workflow(key, {"a": [], "x": []})
    bars = lab.start("daily_bars")
    fail(lab, {"a": TIMEOUT})
    news = lab.start("daily_news")
    fail(lab, {"a": TIMEOUT, "x": "ValueError: close is -1"})
    return [bars, news]


def test_failures_of_one_class_are_retried_and_others_stay(lab):
    bars, news = fail_all(lab)
    answer = many(lab, "retry", error_class="*Timeout", since="2d")
    assert answer == ("DONE", {"matched": 2, "done": 2, "refused": 0, "refusals": {}})
    assert [lab.states(number) for number in (bars, news)] == [
        {"a": "READY", "x": "SUCCESS"},
        {"a": "READY", "x": "FAILED"},
    ]
    lab.run()
    assert (lab.state(bars), lab.state(news)) == ("SUCCESS", "FAILED")
    lab.check(drained=True)


def test_many_failures_are_handled_by_workflow_and_a_dry_run_counts_them(lab):
    bars, news = fail_all(lab)
    dry = many(lab, "handle", {"args": '{"dry_run":true}'}, workflow="daily_*")
    would = [(row["id"], row["result"]) for row in dry[1]["instances"]]
    assert would == [
        (bars, {"handled": ["a"], "failures": 1}),
        (news, {"handled": ["a", "x"], "failures": 2}),
    ]
    assert many(lab, "handle", {"reason": "restated"}, workflow="daily_n*")[1]["done"] == 1
    assert [row[0] for row in names(lab)] == [bars]
    state, error = many(lab, "handle", {"reason": "restated"}, workflow="daily_n*")
    nobody = "no failure that nobody has handled matches workflow=daily_n*; `qflowd failures` lists those there are"
    assert (state, error) == ("REJECTED", nobody)


def test_one_task_is_named_beside_a_filter_where_the_action_is_for_tasks(lab):
    bars, news = fail_all(lab)
    assert many(lab, "handle", {"reason": "seen", "task": "x"}, state="FAILED")[1]["done"] == 1
    assert sorted(names(lab)) == [
        (bars, "a", None, "requests.exceptions.Timeout"),
        (news, "a", None, "requests.exceptions.Timeout"),
    ]
    why = "compensate is not for single tasks; leave out the task"
    assert many(lab, "compensate", {"task": "x"}, state="OPEN") == ("REJECTED", why)


def test_failures_among_thousands_of_instances_are_found_by_their_own_index(lab):
    bars, _ = fail_all(lab)
    lab.sql(f"DELETE FROM qflow.task_instance WHERE id >> 20 <> {bars}")
    number = lab.start(job="work")
    _repeat(lab, "workflow_instance", number, 1)
    _repeat(lab, "task_instance", number << 20, 1 << 20)
    assert [row.instance_id for row in failures(lab)] == [bars]
    plan = json.dumps(
        [
            [str(cell) for cell in row]
            for row in lab.sql(f"{EXPLAIN[lab.store.dialect.name]} SELECT * FROM qflow.failures")
        ]
    )
    assert INDEX[lab.store.dialect.name] in plan
    for whole in ("Seq Scan on task_instance", 'SCAN x"', 'SCAN t"', 'SCAN i"'):
        assert whole not in plan


EXPLAIN = {"sqlite": "EXPLAIN QUERY PLAN", "postgres": "EXPLAIN", "mysql": "EXPLAIN"}
INDEX = {"sqlite": "task_instance_failed", "postgres": "task_instance_failed", "mysql": "task_instance_claim"}

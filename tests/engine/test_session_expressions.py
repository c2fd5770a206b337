"""Expressions that ask the calendar of their workflow, wherever the engine evaluates some."""

from __future__ import annotations

import json
from typing import Any

from qflowd.engine.plans.gather import gather
from qflowd.engine.plans.render import render
from tests.support.lab import Lab

FRIDAY = "2026-11-20"
CLOSES: dict[str, Any] = {
    "fetch": {
        "job": "work",
        "params": {"file": "closes_{{ format(business_date, '%Y%m%d') }}.csv", "before": "{{ params.before }}"},
        "limits": {"day:{{ format(prev_session(business_date), '%m%d') }}": 1},
    },
    "check": {"job": "work", "params": {}, "after": {"fetch": "is_session(business_date)"}},
    "holiday": {"job": "work", "params": {}, "after": {"fetch": "not is_session(business_date)"}},
    "month": {"job": "work", "params": {}, "when": "business_date == month_end_session(business_date)"},
    "week": {
        "job": "work",
        "map": "{{ sessions(days(business_date, -5), business_date) }}",
        "label": "{{ format(item, '%m%d') }} before {{ next_session(item) }}",
        "params": {"days": "{{ [prev_session(item), item, next_session(item, 1, 'XHKG')] }}"},
    },
}
BEFORE = {"before": {"type": "string", "default": "{{ prev_session(business_date, 2) }}"}}


def closes(lab: Lab, **more: Any) -> None:
    lab.define("closes", CLOSES, calendar="XSHG", params=BEFORE, **more)


def sent_params(lab: Lab) -> dict[str, Any]:
    """Claim what is ready: what is sent for each task. What is not sent is written as it ended."""
    found = {}
    for row in lab.claim():
        lane = lab.lane(lab.column("task_instance", "lane", row.id))
        lab.store.read(lambda tx, row=row: lab.instances.load_claimed(tx, [row]))
        gathered = lab.store.read(lambda tx, lane=lane, row=row: gather(tx, lab.instances, (lane, [row])))
        groups, failed = render(gathered, None)
        found |= {lab.key(row.id): str(one.error) for one in failed}
        found |= {lab.key(task.task_id): json.loads(task.params) for group in groups for task in group.assignments}
    return found


def test_params_lists_labels_limits_and_conditions_ask_the_workflow_s_calendar(lab: Lab) -> None:
    closes(lab)
    number = lab.start("closes", business_date=FRIDAY)
    assert json.loads(lab.column("workflow_instance", "params", number)) == {"before": "2026-11-18"}
    limits = {limits for (limits,) in lab.sql("SELECT limits FROM qflow.lane") if limits}
    assert limits == {"day:1119=1"}
    sent = sent_params(lab)
    assert sent["fetch"] == {"file": "closes_20261120.csv", "before": "2026-11-18"}
    assert sent["month"] == "when: business_date == month_end_session(business_date)"
    assert sent["week[1116 before 2026-11-17]"] == {"days": ["2026-11-13", "2026-11-16", "2026-11-17"]}
    assert sent["week[1120 before 2026-11-23]"] == {"days": ["2026-11-19", "2026-11-20", "2026-11-23"]}
    assert len(sent) == 7
    lab.check()


def test_the_end_of_a_task_asks_it_for_the_edges_behind_it(lab: Lab) -> None:
    closes(lab)
    days = {lab.start("closes", business_date=day): day for day in (FRIDAY, "2026-10-01")}
    lab.run()
    states = {day: lab.states(number) for number, day in days.items()}
    assert [states[FRIDAY][key] for key in ("check", "holiday")] == ["SUCCESS", "SKIPPED"]
    assert [states["2026-10-01"][key] for key in ("check", "holiday")] == ["SKIPPED", "SUCCESS"]
    lab.check(drained=True)


def test_instances_take_turns_by_what_the_calendar_says(lab: Lab) -> None:
    closes(lab, concurrency={"policy": "sequential", "keyed": "{{ month_end_session(business_date) }}"})
    numbers = [lab.start("closes", business_date=day) for day in (FRIDAY, "2026-11-23", "2026-10-30")]
    assert [lab.state(number) for number in numbers] == ["RUNNING", "READY", "RUNNING"]
    keys = [lab.column("workflow_instance", "concurrency_key", number) for number in numbers]
    assert keys[0] == keys[1] != keys[2]


def test_a_workflow_that_another_one_starts_asks_its_own_calendar(lab: Lab) -> None:
    lab.define(
        "next_day",
        {"a": {"job": "work"}},
        calendar="XHKG",
        params={"day": {"type": "string"}},
        outputs={"day": "{{ next_session(params.day) }}"},
    )
    tasks = {
        "hong_kong": {"workflow": "next_day", "params": {"day": "{{ next_session(business_date) }}"}},
        "report": {"job": "work", "after": "hong_kong", "params": {"day": "{{ hong_kong.output.day }}"}},
    }
    lab.define("nightly", tasks, calendar="XSHG")
    lab.start("nightly", business_date="2026-09-30")
    reports: list[Any] = []
    while not reports:
        lab.children.tick()
        lab.admit.tick()
        rows = lab.claim()
        reports = [row for row in rows if lab.key(row.id) == "report"]
        lab.ends([row for row in rows if row not in reports])
    sent, _ = lab.send(reports)
    assert len(sent) == 1
    outputs = [output for (output,) in lab.sql("SELECT output FROM qflow.tasks WHERE task = 'hong_kong'")]
    assert [json.loads(output) for output in outputs] == [{"day": "2026-10-09"}]  # the one after Shanghai's 8th


def test_a_submission_without_a_business_date_is_told_to_have_one(lab: Lab) -> None:
    closes(lab)
    number = lab.submit("closes")
    lab.admit.tick()
    [(state, error)] = lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")
    assert state == "REJECTED"
    assert "the default of before cannot be evaluated: {{ prev_session(business_date, 2) }}: " in error
    assert error.endswith("not null; where it is business_date, submit the instance with one")


def test_past_the_horizon_a_task_fails_and_its_sentence_says_so(lab: Lab) -> None:
    params = {"day": "{{ next_session(business_date) }}"}
    lab.define("closes", {"fetch": {"job": "work", "params": params}}, calendar="XSHG")
    lab.start("closes", business_date="2199-01-04")
    [why] = sent_params(lab).values()
    assert why.startswith("{{ next_session(business_date) }}: calendar XSHG is known to ")
    assert "2199-01-04 is past that horizon; a newer release" in why


def test_limits_of_a_submission_say_so_where_no_calendar_is_named(lab: Lab) -> None:
    lab.define("closes", {"fetch": {"job": "work"}}, calendar="XSHG")
    lab.define("plain", {"fetch": {"job": "work"}})
    overrides = json.dumps({"tasks": {"fetch": {"limits": {"day:{{ prev_session(business_date) }}": 1}}}})
    states = {}
    for workflow in ("closes", "plain"):
        number = lab.submit(workflow, overrides=overrides, business_date=FRIDAY)
        lab.admit.tick()
        [(state, error)] = lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")
        states[workflow] = state, error and error.rpartition(": ")[2]
    assert states["closes"][0] == "ACCEPTED"
    assert states["plain"] == ("REJECTED", "XSHG`, or name one as the last argument")

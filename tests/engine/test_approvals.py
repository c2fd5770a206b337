"""A task with `wait_for: {approval: …}` waits for a person."""

from __future__ import annotations

import json

import pytest

from tests.support.lab import Lab
from tests.support.signals_sent import drive, error, wait_reason

SHIP = {"approval": "Ship the NAV of {{ business_date }}?", "deadline": "1h"}


@pytest.fixture
def nav(lab: Lab) -> int:
    """An instance whose task `ship` waits for an approval, and what is behind it is told who gave it."""
    lab.define(
        "nav",
        {
            "ask": {"wait_for": SHIP},
            "ship": {"job": "work", "after": "ask", "params": {"by": "{{ ask.output.by }}"}},
        },
    )
    number = lab.start("nav", business_date="2026-11-20")
    drive(lab)
    return number


def test_an_approval_lets_the_task_continue_and_says_who_when_and_why(lab: Lab, nav: int) -> None:
    assert wait_reason(lab, nav, "ask") == (
        "waits for approval: Ship the NAV of 2026-11-20? since 2026-11-20T09:30:00Z, at most until 2026-11-20T10:30:00Z"
    )
    lab.clock.advance(60)
    state, result = lab.command("approve", nav, task="ask", reason="looks right", requested_by="ann")
    assert (state, result) == ("DONE", {"instance_id": nav, "approved": ["ask"]})
    drive(lab)
    assert lab.state(nav) == "SUCCESS"
    [(output,)] = lab.sql(f"SELECT output FROM qflow.tasks WHERE instance_id = {nav} AND task = 'ask'")
    assert json.loads(output) == {"approved": True, "by": "ann", "at": "2026-11-20T09:31:00Z", "note": "looks right"}
    [row] = lab.sql(
        "SELECT instance_id, workflow, task, subject, state, default_answer, answered_by, note FROM qflow.approvals"
    )
    assert row == (nav, "nav", "ask", "Ship the NAV of 2026-11-20?", "APPROVED", "reject", "ann", "looks right")
    lab.check(drained=True)


def test_a_rejection_fails_the_task_for_good_and_a_retry_asks_again(lab: Lab, nav: int) -> None:
    assert lab.command("reject", nav, reason="wrong fx", requested_by="bob")[0] == "DONE"
    drive(lab)
    assert (lab.state(nav), error(lab, nav, "ask")) == ("FAILED", "rejected by bob: wrong fx")
    assert lab.states(nav) == {"ask": "FAILED", "ship": "UPSTREAM_FAILED"}
    lab.command("retry", nav)
    drive(lab)
    assert lab.sql("SELECT state, answered_by FROM qflow.approvals") == [("WAITING", None)]
    lab.command("approve", nav)
    drive(lab)
    assert lab.state(nav) == "SUCCESS"


@pytest.mark.parametrize(
    ("default", "state", "shown"),
    [("reject", "FAILED", "nobody had approved 'Ship it?' by 2026-11-20T10:30:00Z"), ("approve", "SUCCESS", "None")],
)
def test_nobody_answers_by_the_deadline(lab: Lab, default: str, state: str, shown: str) -> None:
    lab.define(
        "nav", {"ask": {"job": "work", "wait_for": {"approval": "Ship it?", "deadline": "1h", "default": default}}}
    )
    number = lab.start("nav")
    drive(lab)
    lab.clock.advance(3600)
    verdict = {"reject": "rejected", "approve": "approved"}[default]
    assert lab.command("approve", number) == (
        "REJECTED",
        f"the deadline of task ask of instance {number} was 2026-11-20T10:30:00Z: it is {verdict}, as nobody answered",
    )
    drive(lab)
    assert (lab.state(number), error(lab, number, "ask")) == (state, shown)
    words = f"instance {number} is {state}, and task ask of it does not wait for an approval any more (its deadline was 2026-"
    assert lab.command("approve", number, task="ask")[1].startswith(words)


def test_what_cannot_be_answered_is_refused_in_a_sentence(lab: Lab, nav: int) -> None:
    assert lab.command("approve", nav, task="ship")[1].startswith(
        f"instance {nav} is RUNNING, and task ship of it does not wait for an approval; ask does; possible now: "
    )
    assert lab.command("approve", nav, task="shop")[1].startswith(f"instance {nav} has no task 'shop'")
    assert lab.command("reject", nav, requested_by="bob")[0] == "DONE"
    assert lab.command("approve", nav, task="ask")[1] == (
        f"task ask of instance {nav} was rejected by bob at 2026-11-20T09:30:00Z"
    )
    drive(lab)
    assert lab.command("approve", nav)[1].startswith(
        f"instance {nav} is FAILED, and none of its tasks waits for an approval; possible now: "
    )
    lab.define("two", {"a": {"wait_for": {"approval": "A?"}}, "b": {"wait_for": {"approval": "B?"}}})
    number = lab.start("two")
    drive(lab)
    assert lab.command("approve", number)[1] == f"several tasks of instance {number} wait for approvals: a, b; name one"
    lab.command("terminate", number)
    assert "nothing of it is approved" in lab.command("approve", number, task="a")[1]
    lab.sweep_all()
    assert {state for (state,) in lab.sql(f"SELECT state FROM qflow.approvals WHERE instance_id = {number}")} == {
        "CLOSED"
    }


def test_what_is_behind_a_task_that_runs_again_is_asked_for_again(lab: Lab) -> None:
    lab.define(
        "nav", {"nav": {"job": "work"}, "ship": {"job": "work", "after": "nav", "wait_for": {"approval": "Ship it?"}}}
    )
    number = lab.start("nav")
    drive(lab)
    lab.command("approve", number)
    drive(lab)
    assert lab.state(number) == "SUCCESS"
    assert lab.command("rerun", number, task="nav")[0] == "DONE"
    drive(lab)
    assert lab.states(number) == {"nav": "SUCCESS", "ship": "PENDING"}

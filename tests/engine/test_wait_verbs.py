"""What people do to tasks that wait for a fact: as to others."""

from __future__ import annotations

import pytest

from tests.support.lab import FAILED, Lab
from tests.support.signals_sent import DAY, NAME, SIGNAL, drive, send, wait_reason


@pytest.fixture
def bars(lab: Lab) -> int:
    """An instance whose first task only waits."""
    lab.define("bars", {"ready": {"wait_for": SIGNAL}, "load": {"job": "work", "after": "ready"}})
    number = lab.start("bars", business_date=DAY)
    drive(lab)
    return number


def test_a_task_that_waits_can_be_skipped(lab: Lab, bars: int) -> None:
    assert lab.command("skip", bars, task="ready", reason="not today")[0] == "DONE"
    send(lab)
    drive(lab)
    assert lab.states(bars) == {"ready": "SKIPPED", "load": "SUCCESS"}
    lab.check(drained=True)


def test_a_terminated_wait_ends_and_its_signal_changes_nothing(lab: Lab, bars: int) -> None:
    assert lab.command("terminate", bars)[0] == "DONE"
    lab.sweep_all()
    send(lab)
    drive(lab)
    assert (lab.state(bars), lab.states(bars)["ready"]) == ("TERMINATED", "CANCELLED")
    assert lab.command("retry", bars)[0] == "DONE"
    drive(lab)
    assert lab.states(bars)["ready"] == "SUCCESS"


def test_what_a_paused_instance_waits_for_comes_and_what_is_behind_it_is_held(lab: Lab) -> None:
    lab.define(
        "plain",
        {"a": {"wait_for": SIGNAL}, "b": {"job": "work", "after": "a"}, "c": {"job": "work", "wait_for": SIGNAL}},
    )
    number = lab.start("plain", business_date=DAY)
    drive(lab)
    lab.command("pause", number)
    lab.sweep_all()
    send(lab)
    drive(lab)
    assert lab.states(number) == {"a": "SUCCESS", "b": "HELD", "c": "HELD"}
    lab.command("resume", number)
    lab.sweep_all()
    drive(lab)
    assert lab.state(number) == "SUCCESS"


def test_a_wait_of_a_paused_task_does_not_begin(lab: Lab) -> None:
    lab.define("plain", {"a": {"wait_for": {"delay": "10m"}}})
    number = lab.start("plain")
    lab.command("pause", number, task="a")
    drive(lab)
    assert wait_reason(lab, number, "a").startswith("task a is paused")
    lab.command("resume", number, task="a")
    drive(lab)
    assert wait_reason(lab, number, "a").startswith("waits until ")


def test_a_rerun_waits_anew_and_a_retry_of_a_job_that_has_waited_does_not(lab: Lab) -> None:
    lab.define("plain", {"a": {"job": "work", "wait_for": {"delay": "10m"}}})
    number = lab.start("plain")
    drive(lab)
    lab.clock.advance(600)
    lab.promote.tick()
    lab.waits.tick()
    [row] = lab.claim()
    lab.finish(lab.final(row, FAILED))
    assert lab.command("retry", number)[0] == "DONE"
    drive(lab)
    assert lab.state(number) == "SUCCESS"
    assert lab.command("rerun", number, task="a")[0] == "DONE"
    drive(lab)
    assert lab.states(number) == {"a": "PENDING"}
    lab.clock.advance(600)
    drive(lab)
    assert lab.state(number) == "SUCCESS"


def test_maps_and_started_workflows_wait_as_jobs_do(lab: Lab) -> None:
    lab.define("inner", {"x": {"job": "work"}})
    lab.define(
        "outer",
        {
            "m": {"job": "work", "map": [1, 2], "params": {"i": "{{ item }}"}, "wait_for": SIGNAL},
            "w": {"workflow": "inner", "wait_for": SIGNAL},
        },
    )
    number = lab.start("outer", business_date=DAY)
    drive(lab)
    assert set(lab.states(number).values()) == {"PENDING"}
    [(job,)] = lab.sql(f"SELECT job FROM qflow.tasks WHERE instance_id = {number} AND task = 'w'")
    assert job == "workflow inner"
    send(lab)
    drive(lab)
    assert lab.state(number) == "SUCCESS"
    lab.check(drained=True)


def test_a_trigger_ends_a_wait_for_a_time_and_no_other(lab: Lab, bars: int) -> None:
    lab.define("times", {"a": {"job": "work", "wait_for": {"delay": "10m"}}})
    number = lab.start("times")
    drive(lab)
    assert lab.command("trigger", number, task="a")[0] == "DONE"
    drive(lab)
    assert lab.state(number) == "SUCCESS"
    assert lab.command("trigger", bars, task="ready")[1] == (
        f"task ready of instance {bars} is PENDING; waits for signal {NAME} since 2026-11-20T09:30:00Z, "
        "at most until 2026-11-20T11:30:00Z: send it, or `skip` the task"
    )
    lab.check()

"""What a submission can ask for: overrides, hold, priority, run_at, version, a single job."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.contract.desk import Desk
from tests.support.daemon import until


def written(desk: Desk, instant: datetime) -> str:
    """An instant as a client of this database writes it."""
    if desk.kind == "sqlite":
        return instant.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return instant.strftime("%Y-%m-%d %H:%M:%S.%f") + ("+00" if desk.kind == "postgres" else "")


def outputs(desk: Desk, number: int) -> dict[str, object]:
    return {key: json.loads(row["output"]) for key, row in desk.tasks(number).items() if row["output"]}


def test_params_and_defaults_reach_the_tasks(desk: Desk):
    number = desk.submit(workflow="daily_bars", params='{"trade_date": "2026-11-18"}')
    row = desk.ended(number)
    assert json.loads(row["params"]) == {"trade_date": "2026-11-18"}
    assert outputs(desk, number)["bars"] == {"count": 2, "trade_date": "2026-11-18", "factor": 1.0}
    number = desk.submit(workflow="daily_bars")
    assert json.loads(desk.ended(number)["params"]) == {"trade_date": "2026-11-20"}


def test_overrides_change_this_run_only(desk: Desk):
    overrides = {
        "tasks": {"bars": {"params": {"factor": 2.5}, "priority": 5, "timeout": "2m"}, "check": {"pool": "one"}}
    }
    number = desk.submit(workflow="daily_bars", overrides=json.dumps(overrides))
    beside = desk.submit(workflow="daily_bars")
    desk.ended(number)
    desk.ended(beside)
    assert outputs(desk, number)["bars"]["factor"] == 2.5
    assert outputs(desk, beside)["bars"]["factor"] == 1.0
    assert (desk.tasks(number)["check"]["pool"], desk.tasks(beside)["check"]["pool"]) == ("one", "default")


def test_an_override_of_retries_and_timeout_holds(desk: Desk):
    number = desk.submit(workflow="broken", overrides='{"tasks": {"bad": {"retries": 1, "retry_delay": "50ms"}}}')
    assert desk.ended(number)["state"] == "FAILED"
    assert desk.tasks(number)["bad"]["attempt"] == 2
    number = desk.submit(job="slow", params='{"seconds": 30}', overrides='{"tasks": {"slow": {"timeout": "300ms"}}}')
    assert desk.ended(number)["state"] == "FAILED"
    task = desk.tasks(number)["slow"]
    assert (task["state"], task["reason"]) == ("FAILED", "timeout")
    assert "300ms" in task["error"] or "0.3" in task["error"]


def test_a_held_instance_waits_until_it_is_resumed(desk: Desk):
    number = desk.submit(workflow="daily_bars", hold=1)
    assert desk.answer(number)["state"] == "ACCEPTED"
    row = desk.instance(number)
    assert (row["state"], row["progress"], row["started_at"]) == ("READY", 0, None)
    assert row["wait_reason"] == "held until it is resumed"
    assert desk.tasks(number) == {}
    command = desk.command("resume", number)
    assert (command["state"], json.loads(command["result"])) == ("DONE", {"instance_id": number, "tasks": 3})
    assert desk.ended(number)["state"] == "SUCCESS"
    assert desk.command("resume", number)["state"] == "REJECTED"


def test_a_held_instance_can_be_terminated(desk: Desk):
    number = desk.submit(workflow="daily_bars", hold=1)
    desk.answer(number)
    assert desk.command("terminate", number, reason="not today")["state"] == "DONE"
    assert desk.ended(number)["state"] == "TERMINATED"


def test_greater_priority_is_sooner(desk: Desk, tmp_path: Path):
    gate = tmp_path / "gate"
    blocker = desk.submit(job="held", params=json.dumps({"gate": str(gate)}))
    desk.task(blocker, "held", "RUNNING")
    numbers = {
        p: desk.submit(job="in_turn", priority=p, params=json.dumps({"label": str(p)})) for p in (0, -1000, 1000, 10)
    }
    for number in numbers.values():
        desk.task(number, "in_turn", "READY")
    gate.touch()
    for number in numbers.values():
        desk.ended(number)
    started = sorted(numbers, key=lambda p: desk.tasks(numbers[p])["in_turn"]["started_at"])
    assert started == [1000, 10, 0, -1000]
    assert desk.instance(numbers[1000])["priority"] == 1000


def test_run_at_in_the_future_waits_and_then_runs(desk: Desk):
    run_at = datetime.now(UTC) + timedelta(seconds=2)
    number = desk.submit(workflow="daily_bars", run_at=written(desk, run_at))
    desk.answer(number)
    tasks = desk.tasks(number)
    assert [row["state"] for row in tasks.values()] == ["PENDING"] * 3
    assert tasks["universe"]["wait_reason"].startswith(f"waits until {run_at:%Y-%m-%d}")
    assert tasks["bars"]["wait_reason"] == "waits for tasks before it: universe"
    assert desk.instance(number)["state"] == "RUNNING"
    assert desk.ended(number)["state"] == "SUCCESS"
    started = desk.tasks(number)["universe"]["started_at"]
    assert str(started).replace("T", " ")[:23] >= f"{run_at:%Y-%m-%d %H:%M:%S.%f}"[:23]


def test_run_at_in_the_past_runs_at_once(desk: Desk):
    number = desk.submit(job="hello", run_at=written(desk, datetime(2020, 1, 1, tzinfo=UTC)))
    assert desk.ended(number)["state"] == "SUCCESS"


def test_sqlite_reads_every_usual_way_to_write_an_instant(desk: Desk):
    if desk.kind != "sqlite":
        return
    for text in (
        "2020-01-01",
        "2020-01-01 09:30",
        "2020-01-01T09:30:00+09:00",
        "20200101T093000Z",
        " 2020-01-01T09:30:00Z ",
    ):
        assert desk.ended(desk.submit(job="hello", run_at=text))["state"] == "SUCCESS"


def test_a_single_job_is_an_instance_with_one_task(desk: Desk):
    number = desk.submit(
        job="hello", params='{"name": "desk"}', business_date="2026-11-20", name="by hand", priority=-5
    )
    row = desk.ended(number)
    assert (row["workflow"], row["version"], row["name"], str(row["business_date"])) == (
        None,
        None,
        "by hand",
        "2026-11-20",
    )
    [task] = desk.tasks(number).values()
    assert task["id"] == number << 20
    assert (task["task"], task["job"], task["kind"], task["map_index"]) == ("hello", "hello", "task", None)
    assert json.loads(task["params"]) == {"name": "desk"}
    assert json.loads(task["output"]) == {"greeting": "Hello, desk!"}


def test_an_older_version_runs_when_it_is_asked_for(desk: Desk):
    text = "workflow: versioned\ntasks:\n  a: {job: hello, params: {name: %s}}\n"
    versions = "SELECT version FROM qflow.workflows WHERE workflow = 'versioned'"
    for number, name in ((1, "old"), (2, "new")):
        desk.daemon.write("workflows/versioned.yaml", text % name)
        until(lambda n=number: desk.run(versions) == [{"version": n}], what=f"version {number}")
    old, new = desk.submit(workflow="versioned", version=1), desk.submit(workflow="versioned")
    assert (desk.ended(old)["version"], desk.ended(new)["version"]) == (1, 2)
    assert outputs(desk, old) == {"a": {"greeting": "Hello, old!"}}
    assert outputs(desk, new) == {"a": {"greeting": "Hello, new!"}}


def test_terminate_stops_what_runs_and_cancels_what_waits(desk: Desk):
    number = desk.submit(job="slow", params='{"seconds": 60}')
    desk.task(number, "slow", "RUNNING")
    assert desk.command("terminate", number)["state"] == "DONE"
    row = desk.ended(number)
    assert (row["state"], row["reason"]) == ("TERMINATED", "terminated")
    assert desk.tasks(number)["slow"]["state"] == "CANCELLED"


def test_terminating_what_is_about_to_start_costs_no_worker(desk: Desk):
    """An order to stop a task that came back unstarted closed its worker for ever: a few of them, and the pool stood still."""
    user = desk.connect()
    for _ in range(30):
        desk.run("BEGIN", connection=user)
        for number in [desk.submit(connection=user, job="hello") for _ in range(2)]:
            desk.insert("commands", user, action="terminate", instance_id=number)
        desk.run("COMMIT", connection=user)
        desk.insert("commands", action="terminate", instance_id=desk.submit(job="hello"))
    user.close()
    desk.is_alive()
    busy = "SELECT SUM(busy) AS n FROM qflow.pools"
    until(lambda: int(desk.run(busy)[0]["n"]) == 0)


def test_retry_runs_the_failed_and_what_depended_on_it_again(desk: Desk):
    number = desk.submit(workflow="broken")
    assert desk.ended(number)["state"] == "FAILED"
    good = desk.tasks(number)["good"]["finished_at"]
    assert desk.command("retry", number)["state"] == "DONE"
    attempts = "SELECT fence FROM qflow.attempts WHERE instance_id = %s AND task = 'bad'"
    until(lambda: len(desk.run(attempts, (number,))) == 2)
    assert desk.ended(number)["state"] == "FAILED"
    assert desk.tasks(number)["good"]["finished_at"] == good


def test_schedules_are_switched_by_command(desk: Desk):
    schedule = "SELECT enabled, source, next_fire_at FROM qflow.schedules WHERE workflow = 'nightly'"
    [before] = desk.run(schedule)
    assert (before["enabled"], before["source"]) == (1, "file")
    assert before["next_fire_at"] is not None
    assert desk.command("disable", workflow="nightly")["state"] == "DONE"
    assert desk.run(schedule) == [{"enabled": 0, "source": "command", "next_fire_at": None}]
    assert desk.command("enable", workflow="nightly")["state"] == "DONE"
    assert desk.run(schedule) == [{"enabled": 1, "source": "command", "next_fire_at": before["next_fire_at"]}]

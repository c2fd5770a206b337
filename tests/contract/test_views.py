"""What the views show, on all three databases alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.contract.desk import Desk
from tests.support.daemon import until


def rows(desk: Desk, view: str, number: int) -> list[dict[str, Any]]:
    order = "ORDER BY id" if view == "logs" else ""
    return desk.run(f"SELECT * FROM qflow.{view} WHERE instance_id = %s {order}", (number,))


def test_an_instance_that_went_well(desk: Desk):
    number = desk.submit(workflow="daily_bars", trigger_type="desk", business_date="2026-11-12", idempotency_key="v/1")
    row = desk.ended(number)
    told = {
        k: v for k, v in row.items() if k not in ("created_at", "started_at", "finished_at", "updated_at", "duration_s")
    }
    assert told | {"business_date": str(told["business_date"]), "progress": float(told["progress"])} == {
        "id": number, "tenant": "default", "workflow": "daily_bars", "version": 1, "name": "daily_bars", "state": "SUCCESS",
        "reason": None, "saga_state": "NONE", "trigger_type": "desk", "business_date": "2026-11-12", "priority": 0,
        "params": '{"trade_date":"2026-11-20"}', "progress": 1.0, "error": None, "wait_reason": None,
        "parent_instance_id": None, "parent_task_id": None, "backfill_id": None, "late_at": None,
    }  # fmt: skip
    assert row["created_at"] <= row["started_at"] <= row["finished_at"] == row["updated_at"]
    assert 0 <= float(row["duration_s"]) < 20
    for task in desk.tasks(number).values():
        assert (task["state"], task["attempt"], task["daemon"] is not None) == ("SUCCESS", 1, True)
        assert row["created_at"] == task["created_at"]
        assert task["ready_at"] <= task["started_at"] <= task["finished_at"] <= row["finished_at"]
        assert (task["error"], task["wait_reason"], task["reason"]) == (None, None, None)


def test_an_instance_that_failed_says_where_and_why(desk: Desk):
    number = desk.submit(workflow="broken")
    row = desk.ended(number)
    assert (row["state"], row["progress"]) == ("FAILED", 1)
    assert "bad" in row["error"]
    assert "no data for AAPL" in row["error"]
    tasks = desk.tasks(number)
    assert {key: task["state"] for key, task in tasks.items()} == {
        "good": "SUCCESS", "bad": "FAILED", "never": "UPSTREAM_FAILED",
    }  # fmt: skip
    assert (tasks["bad"]["reason"], tasks["bad"]["error"]) == ("error", "ValueError: no data for AAPL")
    assert (tasks["never"]["started_at"], tasks["never"]["attempt"]) == (None, 0)
    [bad] = [attempt for attempt in rows(desk, "attempts", number) if attempt["task"] == "bad"]
    assert (bad["state"], bad["reason"], bad["attempt"], bad["error"]) == (
        "FAILED",
        "error",
        1,
        "ValueError: no data for AAPL",
    )
    assert "raise ValueError(text)" in bad["traceback"]
    assert bad["started_at"] <= bad["finished_at"]
    [code] = desk.run("SELECT hash FROM qflow.jobs WHERE job = 'fail'")
    assert bad["code_hash"] == code["hash"]


def test_every_attempt_is_a_row(desk: Desk):
    number = desk.submit(job="flaky")
    assert desk.ended(number)["state"] == "SUCCESS"
    first, second = sorted(rows(desk, "attempts", number), key=lambda row: row["fence"])
    assert (first["attempt"], first["state"], first["error"]) == (1, "FAILED", "OSError: vendor hung up")
    assert (second["attempt"], second["state"], second["error"]) == (2, "SUCCESS", None)
    assert first["fence"] < second["fence"]
    task = desk.tasks(number)["flaky"]
    assert (task["attempt"], task["state"], task["error"]) == (2, "SUCCESS", None)


def test_a_retry_that_waits_says_until_when_and_shows_the_last_error(desk: Desk):
    overrides = '{"tasks": {"flaky": {"retry_delay": "1h"}}}'
    number = desk.submit(job="flaky", overrides=overrides)
    desk.answer(number)
    task = until(lambda: (row := desk.tasks(number)["flaky"])["attempt"] == 1 and row["state"] == "PENDING" and row)
    assert task["wait_reason"].startswith("waits until 20")
    assert task["error"] == "OSError: vendor hung up"
    assert desk.command("terminate", number)["state"] == "DONE"
    assert desk.ended(number)["state"] == "TERMINATED"


def test_a_task_that_put_itself_off_says_until_when_and_why(desk: Desk, tmp_path: Path):
    number = desk.submit(job="put_off", params=json.dumps({"gate": str(tmp_path / "never")}))
    desk.answer(number)
    task = until(lambda: (row := desk.tasks(number).get("put_off")) and row["state"] == "PENDING" and row)
    assert task["wait_reason"].startswith("waits until 20")
    assert task["wait_reason"].endswith(": the exchange has not published yet")
    assert task["attempt"] == 0
    desk.command("terminate", number)


def test_what_lands_later_is_submitted_once_and_looked_for_without_an_attempt(desk: Desk, tmp_path: Path):
    gate = tmp_path / "landed"
    number = desk.submit(job="ordered", params=json.dumps({"gate": str(gate), "pieces": 5}))
    desk.answer(number)
    until(
        lambda: "0 of 5 pieces" in (desk.tasks(number)["ordered"]["wait_reason"] or ""),
        what="a look that found nothing",
    )
    gate.touch()
    assert desk.ended(number)["state"] == "SUCCESS"
    task = desk.tasks(number)["ordered"]
    assert (task["attempt"], task["output"]) == (1, "5")
    assert [line["message"] for line in rows(desk, "logs", number)] == ["submitted"]


def test_what_a_running_task_tells_of_its_progress_is_in_its_row(desk: Desk, tmp_path: Path):
    gate = tmp_path / "gate"
    number = desk.submit(job="counting", params=json.dumps({"gate": str(gate)}))
    desk.answer(number)
    row = until(lambda: (row := desk.tasks(number)["counting"])["progress_text"] and row)
    assert (row["progress"], row["progress_done"], row["progress_total"]) == (0.25, 2, 8)
    assert (row["state"], row["progress_text"]) == ("RUNNING", "2 of 8 symbols")
    gate.touch()
    assert desk.ended(number)["state"] == "SUCCESS"
    assert desk.tasks(number)["counting"]["progress"] == 0.25  # as it said last


def test_an_attempt_that_was_not_short_is_measured(desk: Desk):
    number = desk.submit(job="slow", params='{"seconds": 1.2}')
    assert desk.ended(number)["state"] == "SUCCESS"
    [attempt] = rows(desk, "attempts", number)
    assert float(attempt["duration_s"]) >= 1.2
    assert 0 <= attempt["cpu_s"] < 1.2
    assert attempt["peak_memory_mb"] > 1


def test_a_skipped_job_says_so(desk: Desk):
    number = desk.submit(job="nothing")
    assert desk.ended(number)["state"] == "SUCCESS"
    task = desk.tasks(number)["nothing"]
    assert (task["state"], task["reason"], task["error"]) == ("SKIPPED", "skipped", "no data")


def test_progress_counts_the_tasks_that_have_ended(desk: Desk):
    number = desk.submit(workflow="daily_bars", overrides='{"tasks": {"check": {"pool": "nowhere"}}}')
    desk.task(number, "check", "READY")
    row = desk.instance(number)
    assert (row["state"], round(float(row["progress"]), 4)) == ("RUNNING", 0.6667)
    assert desk.tasks(number)["check"]["wait_reason"] == row["wait_reason"] == "no live daemon has pool nowhere"
    assert desk.command("terminate", number)["state"] == "DONE"
    row = desk.ended(number)
    assert (row["state"], row["progress"], desk.tasks(number)["check"]["state"]) == ("TERMINATED", 1, "CANCELLED")


def test_a_job_that_nobody_knows_waits_and_says_why(desk: Desk):
    number = desk.submit(workflow="strange_job")
    assert desk.answer(number)["state"] == "ACCEPTED"
    assert desk.task(number, "a", "READY")["wait_reason"] == "no live daemon knows job not_here_yet"
    assert desk.instance(number)["wait_reason"] == "no live daemon knows job not_here_yet"
    desk.daemon.write(
        "plugins/late.py", "from qflowd import job\n\n@job\ndef not_here_yet() -> str:\n    return 'here'\n"
    )
    assert desk.ended(number)["state"] == "SUCCESS"
    (desk.daemon.folder / "plugins/late.py").unlink()
    until(
        lambda: (
            desk.run("SELECT state, daemons FROM qflow.jobs WHERE job = 'not_here_yet'")
            == [{"state": "WITHDRAWN", "daemons": None}]
        )
    )
    number = desk.submit(job="not_here_yet")  # registered once: it waits
    assert desk.answer(number)["state"] == "ACCEPTED"
    assert desk.task(number, "not_here_yet", "READY")["wait_reason"] == "no live daemon knows job not_here_yet"
    desk.command("terminate", number)


def test_a_job_that_nobody_knows_names_the_plugin_files_with_errors(desk: Desk):
    file = desk.daemon.folder / "plugins/late.py"
    desk.daemon.write("plugins/late.py", "from qflowd import job\n\nraise RuntimeError('not today')\n")
    number = desk.submit(workflow="strange_job")
    desk.answer(number)
    reason = f"no live daemon knows job not_here_yet; plugin files with errors: {file}"
    until(lambda: desk.instance(number)["wait_reason"] == reason)
    assert desk.task(number, "a", "READY")["wait_reason"] == reason
    file.unlink()
    until(lambda: desk.instance(number)["wait_reason"] == "no live daemon knows job not_here_yet")
    desk.command("terminate", number)


def test_a_full_pool_says_so_and_counts(desk: Desk, tmp_path: Path):
    gate = tmp_path / "gate"
    first = desk.submit(job="held", params=json.dumps({"gate": str(gate)}))
    desk.task(first, "held", "RUNNING")
    second, third = desk.submit(job="in_turn"), desk.submit(job="without_pool")
    task = desk.task(second, "in_turn", "READY")
    holder = f"{first << 20} (held of instance {first})"
    assert task["wait_reason"] == f"waits for a free slot in pool one, the oldest task in it is {holder}"
    assert desk.run("SELECT processes, threads, busy, ready_tasks FROM qflow.pools WHERE pool = 'one'") == [
        {"processes": 1, "threads": 1, "busy": 1, "ready_tasks": 1}
    ]
    assert desk.task(third, "without_pool", "READY")["wait_reason"] == "no live daemon has pool nowhere"
    gate.touch()
    assert desk.ended(first)["state"] == desk.ended(second)["state"] == "SUCCESS"
    assert desk.command("terminate", third)["state"] == "DONE"


def test_logs_show_prints_and_records_with_their_attributes(desk: Desk):
    number = desk.submit(workflow="daily_bars")
    desk.ended(number)
    lines = until(lambda: len(found := rows(desk, "logs", number)) >= 3 and found)
    told = {(row["task"], row["stream"], row["level"], row["logger"], row["message"]) for row in lines}
    assert ("bars", "stdout", "INFO", None, "printed") in told
    assert ("bars", "log", "WARNING", "vendor", "slow vendor") in told
    assert any(row["message"] == "fetching 2 symbols" and row["level"] == "INFO" for row in lines)
    [extra] = [row["attributes"] for row in lines if row["message"] == "slow vendor"]
    assert json.loads(extra) == {"vendor": "x"}
    assert {row["task_id"] for row in lines} == {desk.tasks(number)["bars"]["id"]}
    assert [row["message"] for row in lines if row["stream"] == "log"] == ["fetching 2 symbols", "slow vendor"]


def test_jobs_workflows_and_daemons_are_registered(desk: Desk):
    [hello] = desk.run("SELECT * FROM qflow.jobs WHERE job = 'hello'")
    assert json.loads(hello["params_schema"])["properties"]["name"] == {"default": "world", "type": "string"}
    assert (hello["doc"], hello["state"], hello["error"]) == ("Greet somebody.", "ACTIVE", None)
    assert hello["file"].endswith("plugins/jobs.py")
    [flaky] = desk.run("SELECT settings FROM qflow.jobs WHERE job = 'flaky'")
    assert json.loads(flaky["settings"]) == {"retries": 1, "retry_delay": "100ms"}
    [daily] = desk.run("SELECT * FROM qflow.workflows WHERE workflow = 'daily_bars'")
    assert (daily["title"], daily["domain"], daily["type"], json.loads(daily["tags"])) == (
        "Daily bars",
        "market",
        "etl",
        ["eod", "us"],
    )
    assert (daily["enabled"], daily["version"], daily["state"], daily["source"], daily["error"]) == (
        1,
        1,
        "ACTIVE",
        "file",
        None,
    )
    [daemon] = desk.run("SELECT * FROM qflow.daemons")
    assert (daemon["pid"], daemon["state"], daemon["pools"]) == (desk.daemon.pid, "READY", "default, one")
    assert daemon["name"] == hello["daemons"]
    assert daemon["memory_mb"] > 1
    assert round(daemon["lease_s"]) == 30  # as configured, whatever the daemon has done since its last beat


def test_a_broken_file_shows_its_error_and_the_last_good_version_continues(desk: Desk):
    desk.daemon.write("workflows/fragile.yaml", "workflow: fragile\ntasks:\n  a: {job: hello}\n")
    error = "SELECT version, error FROM qflow.workflows WHERE workflow = 'fragile'"
    until(lambda: desk.run(error) == [{"version": 1, "error": None}])
    desk.daemon.write("workflows/fragile.yaml", "workflow: fragile\ntasks:\n  a: {job: hello, after: nix}\n")
    [row] = until(lambda: (found := desk.run(error))[0]["error"] and found)
    assert row["version"] == 1
    assert "nix" in row["error"]
    assert desk.ended(desk.submit(workflow="fragile"))["state"] == "SUCCESS"


def test_an_output_above_64_kb_is_kept_apart_and_still_reaches_the_next_task(desk: Desk):
    small, large = (
        desk.submit(job="large", params='{"size": 65000}'),
        desk.submit(job="large", params='{"size": 70000}'),
    )
    desk.ended(small)
    desk.ended(large)
    assert len(desk.tasks(small)["large"]["output"]) == 65002
    assert desk.tasks(large)["large"]["output"] is None
    [stored] = desk.run("SELECT SUM(LENGTH(value)) AS n FROM qflow.large_value WHERE task_id = %s", (large << 20,))
    assert int(stored["n"]) == 70002
    number = desk.submit(workflow="passes_on")
    assert desk.ended(number)["state"] == "SUCCESS", desk.tasks(number)
    assert json.loads(desk.tasks(number)["next"]["output"]) == 100_000


def test_sixteen_megabytes_are_the_most_that_a_job_may_return(desk: Desk):
    most, more = (
        desk.submit(job="large", params='{"size": 16000000}'),
        desk.submit(job="large", params='{"size": 17000000}'),
    )
    assert desk.ended(most)["state"] == "SUCCESS", desk.tasks(most)
    assert desk.ended(more)["state"] == "FAILED"
    task = desk.tasks(more)["large"]
    assert (task["reason"], task["output"]) == ("error", None)
    assert "16" in task["error"]
    assert "MB" in task["error"] or "bytes" in task["error"]
    desk.is_alive()


def test_many_middling_outputs_at_once_are_all_kept(desk: Desk):
    """Together they are larger than one packet of MariaDB."""
    user = desk.connect()
    desk.run("BEGIN", connection=user)
    numbers = [desk.submit(connection=user, job="large", params='{"size": 64000}') for _ in range(300)]
    desk.run("COMMIT", connection=user)
    user.close()
    last = desk.ended(numbers[-1], 60)
    assert last["state"] == "SUCCESS"
    done = "SELECT COUNT(*) AS n FROM qflow.instances WHERE id BETWEEN %s AND %s AND state = 'SUCCESS'"
    until(lambda: desk.run(done, (numbers[0], numbers[-1])) == [{"n": 300}], 60)


PRINTING = """
import os, signal, sys, time
from qflowd import job

@job
def prints(end: str) -> None:
    print("printed")
    print("to stderr, without an end", end="", file=sys.stderr)
    os.write(1, b"written raw, without an end")
    if end == "fails":
        raise ValueError("bad")
    if end == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if end == "hangs":
        time.sleep(60)
"""


@pytest.mark.parametrize("end", ["returns", "fails", "dies", "hangs"])
def test_whoever_sees_the_end_of_an_instance_finds_all_that_it_printed(desk: Desk, end: str):
    desk.daemon.write("plugins/printing.py", PRINTING)
    until(lambda: desk.run("SELECT job FROM qflow.jobs WHERE job = 'prints' AND state = 'ACTIVE'"))
    overrides = '{"tasks": {"prints": {"timeout": "300ms"}}}'
    for _ in range(5):
        number = desk.submit(job="prints", params=json.dumps({"end": end}), overrides=overrides)
        attempts = {"dies": 3}.get(end, 1)
        desk.ended(number)
        messages = sorted(row["message"] for row in rows(desk, "logs", number))
        assert messages.count("printed") == messages.count("written raw, without an end") == attempts, messages


def test_views_say_whose_the_rows_are(desk: Desk):
    number = desk.submit(job="fetch_bars", params='{"symbols": []}', tenant="fund_b")
    assert desk.ended(number)["tenant"] == "fund_b"
    for view in ("tasks", "attempts", "logs"):
        assert {row["tenant"] for row in rows(desk, view, number)} == {"fund_b"}, view
    for view in ("workflows", "schedules"):
        assert {row["tenant"] for row in desk.run(f"SELECT tenant FROM qflow.{view}")} == {"default"}, view


def test_the_error_of_an_attempt_is_one_line(desk: Desk):
    number = desk.submit(job="fail", params='{"text": "1 validation error\\npx\\n  Input should be a number"}')
    error = "ValueError: 1 validation error px Input should be a number"
    assert desk.ended(number)["error"] == f"task fail: {error}"
    [attempt] = desk.run("SELECT error, traceback FROM qflow.attempts WHERE instance_id = %s", (number,))
    assert attempt["error"] == error
    assert "error\npx\n" in attempt["traceback"]

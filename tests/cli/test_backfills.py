"""Backfills from the command line and over HTTP, driven by real daemons, one of which is killed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import qflowd
from qflowd.model.roles import Role
from tests.support.daemon import Daemon, until
from tests.support.http import ApiServer

PATIENCE_S = 30
JOBS = """
from pathlib import Path

from qflowd import job


@job(retries=0)
def load(day: str, gate: str):
    if day == "2026-10-09":
        raise ValueError("no bars")
    while not Path(gate).exists():
        pass
    return day
"""
WORKFLOW = """
workflow: daily
calendar: XSHG
params: {gate: {type: string}}
tasks:
  load: {job: load, timeout: 120s, params: {day: "{{ business_date }}", gate: "{{ params.gate }}"}}
"""


@pytest.mark.slow
def test_a_backfill_survives_its_daemon_and_is_paused_and_stopped(
    run, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QFLOWD_DATABASE_URL", database_url)
    gate = tmp_path / "gate"
    asked = ("backfill", "daily", "--from", "2026-10-01", "--to", "2026-10-16", "-p", f"gate={gate}", "--max-active", 2)
    files = {"plugins": {"load.py": JOBS}, "workflows": {"daily.yaml": WORKFLOW}}
    fault = {"QFLOWD_FAULT": "step_backfill:before_commit:2:kill"}
    daemon = Daemon(database_url, tmp_path / "desk", **files, env=fault, config="[pools.default]\nprocesses = 2")
    with daemon, qflowd.connect(database_url) as client:
        until(client.workflows, PATIENCE_S, what="the workflow is stored")
        ran = run(*asked, "--dry-run")
        assert ran.out == (
            "backfill daily: would run for 7 sessions of XSHG: 2026-10-08, 2026-10-09, 2026-10-12, 2026-10-13, "
            "2026-10-14, 2026-10-15, 2026-10-16\n"
        ), ran.err
        ran = run("backfill", "daily", "--from", "2026-10-17", "--to", "2026-10-16", "-p", "gate=1", "--dry-run")
        assert ran.err == "qflowd: backfill daily: --from: 2026-10-17 is after --to, 2026-10-16\n"
        number = run(*asked, "--json").json["result"]["backfill"]
        until(lambda: not daemon.is_running, PATIENCE_S, what="the second step is killed")
        daemon.env.clear()
        daemon.start()
        backfill = client.backfill(number)
        until(
            lambda: backfill.info()["failed"] == 1 and backfill.info()["active"] == 2, PATIENCE_S, what="two are open"
        )
        assert run("backfills", "pause", number, "--reason", "vendor is down").out == f"pause {number}: done\n"
        gate.touch()
        until(lambda: backfill.info()["active"] == 0, PATIENCE_S, what="what was submitted has ended")
        told = run("backfills", "show", number, "--dates").out
        assert f"backfill {number} of daily: PAUSED, 7 sessions of XSHG, 2026-10-01 to 2026-10-16, oldest first" in told
        assert "43%: 2 done, 1 failed, 0 skipped, 0 active, 4 waiting; about " in told
        assert re.search(r"paused by \S.* since \S.*: vendor is down\n", told)
        assert (told.count("no bars"), told.count("OPEN")) == (1, 4)
        with ApiServer(database_url) as api:
            assert api.as_(Role.SUBMIT).post(f"/backfills/{number}/resume").code == 40301
            [listed] = api.get("/backfills").data["items"]
            assert (listed["state"], listed["waiting"], listed["only_missing"]) == ("PAUSED", 4, False)
            assert api.post(f"/backfills/{number}/resume?wait=30").data["state"] == "DONE"
            until(lambda: api.get(f"/backfills/{number}").data["state"] == "DONE", PATIENCE_S, what="its end")
            first = api.get(f"/backfills/{number}/dates?limit=2").data
            assert [each["state"] for each in first["items"]] == ["DONE", "FAILED"]
            rest = api.get(f"/backfills/{number}/dates?limit=9&cursor={first['next']}")
            assert {each["state"] for each in rest.data["items"]} == {"DONE"}
            reply = api.post("/backfills?wait=30", {"workflow": "daily", "from": "2026-10-01", "to": "2026-10-16",
                "only_missing": True, "dry_run": True, "params": {"gate": "x"}})  # fmt: skip
            assert reply.data["result"]["list"] == ["2026-10-09"]
            assert api.get("/backfills/4711").code == api.post("/backfills/4711/stop").code == 40401
        dates = [info.business_date for info in client.instances(workflow="daily")]
        assert len(dates) == len(set(dates)) == 7
        assert run("backfills", "stop", number).err == f"qflowd: stop {number}: backfill {number} is DONE\n"
        assert f"{number}  daily" in run("backfills").out

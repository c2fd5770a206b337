"""Commands against a real daemon: exit codes, following, and a person's first minutes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from tests.client.live import Project, project_of
from tests.conftest import KINDS, GetServer


@pytest.fixture(scope="module", params=KINDS)
def daemon(request: pytest.FixtureRequest, get_server: GetServer, tmp_path_factory: Any) -> Iterator[Project]:
    yield from project_of(request.param, get_server, tmp_path_factory)


@pytest.fixture
def project(run, daemon: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A running daemon whose project is the current folder."""
    monkeypatch.setenv("QFLOWD_DATABASE_URL", daemon.url)
    monkeypatch.chdir(daemon.folder)
    return daemon


def test_waiting_follows_to_the_end_and_tells_it_by_exit_code(run, project):
    assert run("submit", "pair", "-p", "a=3", "--wait").code == 0
    failed = run("submit", "flaky", "-p", "flag=/nowhere", "--wait")
    assert failed.code == 1
    assert run("submit", "nobody", "--wait").code == 3
    ran = run("submit", "--job", "add", "-p", "a=1", "--wait", "--json")
    assert (ran.code, ran.json["state"]) == (0, "SUCCESS")
    shown = run("show", failed.out.strip()).out
    assert "RuntimeError: no /nowhere yet" in shown
    assert "UPSTREAM_FAILED" in shown
    assert [row["state"] for row in run("ps", "--json", "--limit", 3).json] == ["SUCCESS", "FAILED", "SUCCESS"]


def test_a_terminated_instance_is_exit_code_4_of_who_waits(run, project):
    number = int(run("submit", "--job", "nap", "-p", "seconds=60").out)
    command = [sys.executable, "-m", "qflowd", "submit", "--job", "nap", "-p", "seconds=60", "--wait"]
    waiting = subprocess.Popen(command, cwd=project.folder, env=project.env, stdout=-1, stderr=-1, text=True)
    assert waiting.stdout
    other = int(waiting.stdout.readline())
    ran = run("terminate", number, other)
    _, err = waiting.communicate(timeout=30)
    assert (ran.code, waiting.returncode) == (0, 4), ran.err + err
    assert "TERMINATED" in err
    assert run("terminate", number).code == 1
    assert run("retry", number, "--json").json[0]["result"]["retried"] == ["nap"]
    assert run("terminate", number).code == 0


def test_a_task_is_run_again_or_skipped_by_name(run, project):
    number = run("submit", "pair", "-p", "a=3", "--wait").out.strip()
    for value, code, said in (
        ("c=1", 1, "--set: "),
        ("a=5", 0, "would be done: first is rerun; tasks that start anew: 2"),
    ):
        ran = run("rerun", number, "--task", "first", "--set", value, "--dry-run")
        assert (ran.code, said in ran.out + ran.err) == (code, True), ran.out + ran.err
    ran = run("rerun", number, "--task", "first", "--set", "a=5")
    assert (ran.code, ran.out) == (0, f"rerun {number}: done\n"), ran.err
    assert run("rerun", number, "--task", "third").code == 1
    failed = run("submit", "flaky", "--wait").out.strip()
    assert "needs a reason" in run("skip", failed, "--task", "look").err
    [answer] = run("skip", failed, "--task", "look", "--reason", "no session", "--json").json
    assert (answer["state"], answer["result"]["skipped"]) == ("DONE", ["look"])
    assert ": no session" in run("show", failed).out


def test_what_was_waited_for_has_its_logs(run, project):
    for _ in range(5):
        ran = run("submit", "--job", "add", "-p", "a=1", "--wait")
        logs = run("logs", ran.out.strip())
        assert (logs.err, len(logs.out.splitlines())) == ("", 3), logs


def test_logs_follow_what_runs(run, project):
    number = int(run("submit", "--job", "nap", "-p", "seconds=1").out)
    ran = run("logs", "-f", number)
    assert ran.code == 0
    assert ran.out.count("still here") == 20
    assert f"instance {number} is SUCCESS" in ran.err
    assert run("logs", number).out == ran.out


def test_schedules_are_switched_off_and_on(run, project):
    assert run("schedules", "disable", "flaky").out == "disable flaky: done\n"
    assert run("schedules", "--json").json[0]["enabled"] is False
    assert run("schedules", "enable", "flaky").code == 0
    assert run("schedules", "--json").json[0]["enabled"] is True
    ran = run("schedules", "enable", "nobody")
    assert ran.code == 1
    assert "nobody" in ran.err


def test_a_fresh_project_runs_what_the_next_steps_say(run, tmp_path):
    assert run("init").code == 0
    assert run("submit", "hello", "-p", "name=you").out == "1\n"
    command = [sys.executable, "-m", "qflowd", "run", "--until-idle"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr
    assert run("show", 1, "--json").json["instance"]["state"] == "SUCCESS"
    assert "Hello, you!" in run("logs", 1).out
    assert run("plugins", "--json").json == []

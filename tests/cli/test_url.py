"""`qflowd --url`: the same commands over an HTTP API."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from qflowd.cli.commands import COMMANDS, NEED_DATABASE
from qflowd.model.roles import Role
from tests.cli.conftest import Run
from tests.support.http import ApiServer
from tests.support.stand_in import StandIn

DOCUMENT = '{"workflow": "daily", "tasks": {"one": {"job": "hello"}}}'


@pytest.fixture(scope="module")
def api(shared: StandIn) -> Iterator[ApiServer]:
    shared.daemon()
    shared.workflow("daily", DOCUMENT, cron="0 5 * * *")
    with ApiServer(shared.url) as found:
        yield found


@pytest.fixture
def by_url(run: Run, api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command over HTTP, without a database in the environment."""
    monkeypatch.setenv("QFLOWD_TOKEN", api.token or "")
    monkeypatch.delenv("QFLOWD_URL", raising=False)
    return lambda *args: run("--url", f"http://127.0.0.1:{api.port}", *args)


def test_what_is_submitted_is_shown_explained_and_steered(by_url: Run, shared: StandIn):
    number = int(by_url("submit", "--job", "hello", "-p", "name=desk").out)
    assert shared.sql(f"SELECT trigger_type FROM qflow.submissions WHERE id = {number}") == [("cli",)]
    assert "waits for a daemon" in by_url("why", number).out
    shared.admit(number, tasks=("FAILED",))
    shared.fail(number, "ValueError: bad close")
    shared.log(number, "reading AAPL")
    shared.end(number, "FAILED", "hello: ValueError")
    assert [row["id"] for row in by_url("ps", "--json").json] == [number]
    assert "ValueError: bad close" in by_url("show", number).out
    assert "reading AAPL" in by_url("logs", number).out
    assert by_url("failures", "--json").json[0]["error"] == "ValueError: bad close"
    thread = shared.answer_commands("DONE", None, result='{"retried": ["hello"], "tasks": 1}')
    assert by_url("retry", number).code == 0
    thread.join()
    rejected = shared.answer_commands("REJECTED", "instance 1 has ended")
    ran = by_url("pause", number)
    rejected.join()
    assert (ran.code, "instance 1 has ended" in ran.err) == (1, True)


@pytest.mark.parametrize(
    "command",
    ["workflows", "schedules", "jobs", "plugins", "daemons", "pools", "limits", "definitions", "versions daily"],
)
def test_lists_are_those_of_the_database(run: Run, by_url: Run, shared: StandIn, monkeypatch, command: str):
    over_http = by_url(*command.split(), "--json")
    assert over_http.code == 0, over_http.err
    monkeypatch.setenv("QFLOWD_DATABASE_URL", shared.url)
    by_database = run(*command.split(), "--json")

    def steady(text: str) -> object:
        return [{key: value for key, value in row.items() if key != "seen_at"} for row in json.loads(text)]

    assert steady(over_http.out) == steady(by_database.out)


def test_a_plan_is_made_of_what_the_api_knows(by_url: Run):
    ran = by_url("plan", "daily")
    assert (ran.code, "hello" in ran.out) == (0, True), ran.err


@pytest.mark.parametrize("name", sorted(NEED_DATABASE))
def test_commands_that_need_the_database_say_so(by_url: Run, name: str):
    assert name in COMMANDS
    ran = by_url(
        name, *({"init": ["here"], "login-link": ["ann"], "tenants": ["list"], "token": ["list"]}.get(name, []))
    )
    assert ran.code == 2
    assert f"`qflowd {name}` works on the database itself" in ran.err


def test_the_token_is_of_a_file_or_the_environment_alone(by_url: Run, api: ApiServer, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("QFLOWD_TOKEN")
    ran = by_url("ps")
    assert (ran.code, "needs a token" in ran.err) == (2, True)
    file = tmp_path / "token"
    file.write_text(f"{api.token}\n")
    file.chmod(0o600)
    assert by_url("--token-file", file, "ps")[::2] == (0, "")
    ran = by_url("--token-file", tmp_path / "none", "ps")
    assert (ran.code, "cannot be read" in ran.err) == (2, True)
    ran = by_url("--token-file", "/dev/zero", "ps")
    assert (ran.code, "a token is a line" in ran.err) == (2, True)
    monkeypatch.setenv("QFLOWD_TOKEN", "qf_unknown")
    ran = by_url("ps")
    assert (ran.code, "qf_unknown" in ran.err) == (2, False)
    assert by_url("--token", "qf_x", "ps").code == 2  # there is no such option


def test_a_token_that_others_can_read_is_used_with_a_warning(by_url: Run, api: ApiServer, tmp_path: Path, monkeypatch):
    monkeypatch.delenv("QFLOWD_TOKEN")
    file = tmp_path / "the token"
    file.write_text(f"{api.token}\n")
    file.chmod(0o640)
    ran = by_url("--token-file", file, "ps", "--json")
    assert (ran.code, ran.json is not None) == (0, True)
    assert ran.err == f"warning: others can read --token-file {file}; chmod 600 '{file}' keeps it to you\n"
    with monkeypatch.context() as another:  # whoever gave it to the caller has decided who reads it
        another.setattr(os, "geteuid", lambda: file.stat().st_uid + 1)
        assert by_url("--token-file", file, "ps")[::2] == (0, "")


def test_what_the_role_does_not_allow_is_said(by_url: Run, api: ApiServer, monkeypatch):
    monkeypatch.setenv("QFLOWD_TOKEN", api.token_of(Role.READ))
    ran = by_url("submit", "daily")
    assert (ran.code, "needs role submit" in ran.err) == (2, True)
    assert by_url("daemons").code == 0
    assert "here" not in by_url("daemons").out


def test_an_api_that_is_not_there_is_told_from_a_wrong_url(run: Run, monkeypatch):
    monkeypatch.setenv("QFLOWD_TOKEN", "qf_x")
    ran = run("--url", "http://127.0.0.1:9", "ps")
    assert (ran.code, "http://127.0.0.1:9 does not answer" in ran.err) == (5, True)
    ran = run("--url", "sqlite:///x.db", "ps")
    assert (ran.code, "QFLOWD_DATABASE_URL" in ran.err) == (2, True)


def test_top_shows_what_the_api_does(by_url: Run, shared: StandIn, api: ApiServer) -> None:
    ran = by_url("top")
    assert ran.code == 0, ran.err
    assert ran.out.splitlines()[0].endswith(f" · http://127.0.0.1:{api.port}")
    assert "Daemons (1)" in ran.out
    assert by_url("top", "--json").json["daemons"][0]["name"] == "desk"

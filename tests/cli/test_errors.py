"""Exit codes and messages: what is wrong is named in a line, with the remedy, and never as a traceback."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

READING = ("ps", "workflows", "schedules", "jobs", "plugins", "daemons", "pools", "limits")


@pytest.mark.parametrize("command", [*READING, "show 1", "logs 1", "submit x", "terminate 1", "schedules enable x"])
def test_a_database_that_cannot_be_reached_is_exit_code_5(run, monkeypatch, command):
    monkeypatch.setenv("QFLOWD_DATABASE_URL", "postgresql://u:hidden@127.0.0.1:1/x")
    ran = run(*command.split())
    assert (ran.code, ran.out) == (5, "")
    assert ran.err.startswith("qflowd: cannot reach PostgreSQL at postgresql://u@127.0.0.1:1/x")
    assert ran.err.count("\n") == 1
    assert "refused; Is the server running" in ran.err
    assert "hidden" not in ran.err


@pytest.mark.parametrize("command", ["ps", "submit hello", "show 1"])
def test_a_missing_sqlite_file_is_exit_code_5_and_is_not_made(run, tmp_path, command):
    ran = run(*command.split())
    assert ran.code == 5
    assert "there is no database file" in ran.err
    assert "`qflowd init`" in ran.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.bare
def test_a_database_without_schema_is_exit_code_5(run, postgres_url, monkeypatch):
    monkeypatch.setenv("QFLOWD_DATABASE_URL", postgres_url)
    ran = run("ps")
    assert ran.code == 5
    assert "holds no qflowd schema; run `qflowd migrate`" in ran.err


def test_every_fault_of_the_configuration_is_told_with_exit_code_2(run, tmp_path):
    (tmp_path / "qflowd.toml").write_text('[database]\nurl = "oracle://x"\n[daemon]\nlease = "1s"\n[extra]\n')
    ran = run("ps")
    assert ran.code == 2
    assert all(word in ran.err for word in ("qflowd.toml:2", "qflowd.toml:4", "daemon.lease", "extra"))


def test_validate_says_only_what_is_wrong_with_the_configuration_that_would_name_the_files(run, tmp_path):
    (tmp_path / "qflowd.toml").write_text("[extra]\n")
    ran = run("validate")
    assert (ran.code, "extra" in ran.err, "no workflow files" in ran.err) == (2, True, False)


def test_a_configuration_can_be_named(run, sqlite_engine, tmp_path, monkeypatch):
    (tmp_path / "other.toml").write_text(f'[database]\nurl = "{sqlite_engine.url}"\n')
    monkeypatch.delenv("QFLOWD_DATABASE_URL")
    assert run("ps").code == 5
    assert run("--config", tmp_path / "other.toml", "ps").code == 0
    monkeypatch.setenv("QFLOWD_CONFIG", "missing.toml")
    ran = run("ps")
    assert ran.code == 2
    assert "missing.toml" in ran.err


@pytest.mark.parametrize("command", ["show 4711", "logs 4711", "logs -f 4711"])
def test_an_unknown_id_is_exit_code_1(run, sqlite_engine, command):
    ran = run(*command.split())
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "qflowd: there is no instance 4711; `qflowd ps` lists what there is\n"


def test_ids_that_no_database_can_hold_are_unknown(run, engine):
    assert run("show", 10**30).err.startswith(f"qflowd: there is no instance {10**30}")
    assert run("terminate", 10**30).code == 2
    half = run("submit", "a", "--name", "x\udcff")
    assert (half.code, "name: contains half a character" in half.err) == (2, True)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("ps", "--tenant", "desk"), "--tenant stands before the command: qflowd --tenant TENANT ps …"),
        (("submit", "a", "--url=http://x"), "--url stands before the command: qflowd --url URL submit …"),
        (("token", "--token-file", "t", "list"), "qflowd --token-file FILE token …"),
        (("limits", "pause", "a", "--config", "x"), "qflowd --config FILE limits pause …"),
        (("show", "1", "--timezone", "UTC"), "qflowd --timezone ZONE show …"),
        (("ps", "--version"), "--version stands before the command: qflowd --version ps …"),
        (("--colour", "ps"), "No such option '--colour'"),
        (("shwo", "1"), "No such command 'shwo'. Did you mean 'show'?"),
        (("retrys", "1"), "No such command 'retrys'. Did you mean 'retry'?"),
        (("versions", "activte", "daily", "3"), "No such command 'activte'. Did you mean 'activate'?"),
        (("show", "one"), "'one' is not a valid integer"),
        (("submit",), "Name either a WORKFLOW or a --job."),
        (("submit", "a", "--job", "b"), "not both"),
        (("submit", "a", "-p", "x"), "'x' must be written as name=value"),
        (("submit", "a", "-p", "x=[1"), "x: JSON is not valid JSON"),
        (("submit", "a", "--params", "{"), "--params is not valid JSON"),
        (("submit", "a", "--params", "[1]"), "--params must be a JSON object"),
        (("submit", "a", "--params", "@none.json"), "No such file"),
        (("submit", "a", "--business-date", "tomorrow"), "business_date: 'tomorrow' is not a date"),
        (("submit", "a", "--run-at", "soon"), "run_at: 'soon' is not an instant"),
        (("submit", "a b"), "workflow 'a b' contains ' '"),
        (("ps", "--state", "broken"), "there is no state 'BROKEN'"),
        (("logs", "1", "-f", "--json"), "--json prints one document"),
        (("ps", "--limit", "0"), "0 is not in the range"),
        (("submit", "a", "--priority", "99999999999999999999"), "priority: must be a whole number from -1000 to 1000"),
        (("submit", "a", "--version", "0"), "version: must be a whole number from 1"),
        (("submit", "a", "--key", "\udcff"), "idempotency_key: contains half a character"),
    ],
)
def test_wrong_usage_is_exit_code_2_and_says_what_is_wrong(run, sqlite_engine, args, message):
    ran = run(*args)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_help_is_quick_because_it_imports_nothing_heavy():
    code = (
        "import sys, qflowd.cli\n"
        "qflowd.cli.main(['--help'])\n"
        "heavy = {'msgspec', 'apsw', 'yaml', 'psycopg', 'pymysql', 'json', 'jsonschema_rs', 'croniter'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "assert not [name for name in sys.modules if name.startswith('qflowd.') and not name.startswith('qflowd.cli')]\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "Exit codes:" in ran.stdout
    for word in ("REJECTED", "submit", "doctor", "interrupted"):
        assert word in ran.stdout


def test_every_command_has_help(run):
    from qflowd.cli.commands import GROUPS

    for name in (name for entries in GROUPS.values() for name in entries):
        ran = run(name, "--help")
        assert ran.code == 0, name
        assert f"Usage: qflowd {name}" in ran.out


def test_versions_are_shown(run):
    assert run("--version").out.startswith("qflowd ")
    ran = run("doctor")
    assert re.search(r"ok      versions: qflowd \S+, Python 3\.\S+, apsw \S+, psycopg \S+, PyMySQL \S+\n", ran.out)


@pytest.mark.parametrize("command", ["ps", "ps --json", "--help"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_not_a_traceback(sqlite_engine, monkeypatch, command, unbuffered):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    sqlite_engine.sql(sqlite_engine.insert("submissions", job="hello"))
    sqlite_engine.admit(1)
    closed, full = (
        subprocess.run(
            ["/bin/sh", "-c", f"{sys.executable} -m qflowd {command} {to}"], capture_output=True, text=True, check=False
        )
        for to in (">&-", ">/dev/full")
    )
    assert "Traceback" not in closed.stderr
    assert (full.returncode, full.stderr.count("\n")) == (1, 1)
    assert "No space left on device" in full.stderr

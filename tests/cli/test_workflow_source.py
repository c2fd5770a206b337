"""Which description of a workflow `qflowd plan NAME` shows: the stored one, or a file of the configured folders."""

from __future__ import annotations

from pathlib import Path

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.workflow_store import store_workflow

DAILY = "workflow: daily\ntasks:\n  load: {job: fetch, retries: 2}\n"


@pytest.fixture
def file(run, tmp_path: Path) -> Path:
    """A workflow in the configured folder."""
    (tmp_path / "qflowd.toml").write_text('[workflows]\ndirs = ["workflows"]\n', "utf-8")
    (tmp_path / "workflows").mkdir()
    path = tmp_path / "workflows/daily.yaml"
    path.write_text(DAILY, "utf-8")
    return path


def shown(run) -> tuple[list, str]:
    """What `plan --explain` shows, and what it remarks; `plan` shows and remarks the same."""
    explained, planned = run("plan", "daily", "--explain", "--json"), run("plan", "daily", "--json")
    assert explained.err == planned.err
    assert [row["value"] for row in explained.json] == [planned.json["tasks"][0]["retries"]]
    return [(row["task"], row["key"], row["value"]) for row in explained.json], explained.err


def test_the_stored_workflow_is_shown_and_a_file_that_differs_is_named(run, own_engine, file):
    own_engine.daemon(jobs=("hello",))
    not_stored = "qflowd: showing workflows/daily.yaml; the database does not have it yet\n"
    assert shown(run) == ([("load", "retries", 2)], not_stored)
    origin = {"source": DAILY, "format": "yaml", "file": None, "pool_of": lambda job: None}
    own_engine.store.transact(lambda tx: store_workflow(tx, parse(DAILY, "yaml", "daily.yaml"), **origin))
    assert shown(run) == ([("load", "retries", 2)], "")
    file.write_text(DAILY.replace("2", "5"), "utf-8")
    differs = "workflows/daily.yaml differs, see `qflowd plan workflows/daily.yaml`"
    assert shown(run) == ([("load", "retries", 2)], f"qflowd: showing version 1 as stored; {differs}\n")

    nowhere = "in the database or the configured folders, and no such file"
    for name, hint in (("dayly", "did you mean daily?"), ("hello", "it is a job: `qflowd submit --job hello`")):
        ran = run("plan", name, "--explain")
        assert (ran.code, ran.err) == (1, f"qflowd: there is no workflow {name!r} {nowhere}; {hint}\n")


def test_without_a_database_the_file_is_shown_and_a_name_is_compared_with_those_of_files(run, file):
    assert shown(run) == (
        [("load", "retries", 2)],
        "qflowd: showing workflows/daily.yaml; the database cannot be asked\n",
    )
    ran = run("plan", "dayly")
    assert ran.code == 5
    assert "there is no workflow 'dayly' in the configured folders; did you mean daily?\n" in ran.err
    assert "there is no database file" in ran.err
    file.write_text(DAILY.replace("retries", "retrys"), "utf-8")
    ran = run("plan", "daily", "--explain")
    assert (ran.code, "daily.yaml:3: tasks.load.retrys: unknown key" in ran.err) == (1, True)

"""`qflowd versions`: the list, the difference of two, and the commands that choose one."""

from __future__ import annotations

import json

import pytest

from qflowd.define import stored
from qflowd.define.workflow_file import parse

BARS = {"a": {"job": "load", "retries": 2, "params": {"code": "3"}}, "b": {"job": "check", "after": "a"}}


@pytest.fixture
def daily(own_engine):
    """A workflow of two versions."""

    def document(tasks):
        return stored.write(parse(json.dumps({"workflow": "daily", "tasks": tasks}), "json", "daily"))

    engine = own_engine
    engine.workflow("daily", document(BARS))
    row = {"definition_id": 1, "version": 2, "state": 2, "format": "json", "hash": "0123456789abcdef"}
    row |= {"source": "file", "created_at": "NOW", "activated_at": "NOW", "activated_by": "ann", "replaced": 1}
    changed = {
        "a": {"job": "load", "retries": 3, "params": {"code": 3}},
        "c": {"job": "check", "after": "a", "pool": "io"},
    }
    engine.sql(engine.insert("workflow_version", **row, document=document(changed), note="a try"))
    return engine


def test_versions_are_listed_compared_and_chosen(run, daily):
    rows = run("versions", "daily", "--json").json
    assert [(row["version"], row["state"], row["activated_by"], row["note"]) for row in rows] == [
        (2, "ARCHIVED", "ann", "a try"),
        (1, "ACTIVE", None, None),
    ]
    listed = run("versions", "daily").out.splitlines()
    assert listed[0].split()[:2] == ["VERSION", "STATE"]
    assert "0123456789ab " in listed[1]
    assert run("versions", "list", "daily").out == run("versions", "--", "daily").out == "\n".join([*listed, ""])

    assert run("versions", "diff", "daily", 1, 2).out.splitlines() == [
        "daily  version 1 → 2",
        "",
        "  a",
        '    ~ params.code: "3" → 3',
        "    ~ retries: 2 → 3",
        "",
        "  + c  job: check, after: {a: true}, pool: io",
        "",
        "  - b  job: check, after: {a: true}",
    ]
    assert run("versions", "diff", "daily", 1, 1).out == "daily  version 1 → 1\n  nothing that runs has changed\n"
    assert run("versions", "diff", "daily", 2, 1, "--json").json["differences"][0] == {
        "change": "changed",
        "task": "a",
        "key": "params.code",
        "before": 3,
        "after": "3",
    }

    ran = run("versions", "activate", "daily", 2, "--reason", "good after all", "--no-wait")
    assert ran.out == "activate daily: asked\n"
    daily.sql("DELETE FROM qflow.commands")
    daily.daemon()
    thread = daily.answer_commands("REJECTED", "version 2 is already ACTIVE")
    ran = run("versions", "rollback", "daily")
    thread.join()
    assert (ran.code, ran.err) == (1, "qflowd: rollback daily: version 2 is already ACTIVE\n")


def test_what_does_not_exist_is_named_with_the_remedy(run, daily):
    for words, error in [
        (("daily", 1, 7), "workflow 'daily' has no version 7; the newest is 2"),
        (("daily", 0, 1), "workflow 'daily' has no version 0; the newest is 2"),
        (("weekly", 1, 2), "there is no workflow 'weekly'; `qflowd workflows` lists those there are"),
    ]:
        ran = run("versions", "diff", *words)
        assert (ran.code, ran.err) == (1, f"qflowd: {error}\n")
    assert run("versions", "weekly").code == 1
    assert run("versions", "diff", "daily", "one", "two").code == 2


def test_archived_workflows_are_listed_only_if_they_are_asked_for(run, own_engine):
    engine = own_engine
    for key in ("daily", "weekly"):
        engine.workflow(key, "{}", cron="0 17 * * *")
    engine.sql(f"UPDATE qflow.workflow_definition SET archived_at = {engine.now} WHERE workflow = 'daily'")
    for command in ("workflows", "schedules"):
        assert [line.split()[0] for line in run(command).out.splitlines()] == ["WORKFLOW", "weekly"]
        assert [row["workflow"] for row in run(command, "--all", "--json").json] == ["daily", "weekly"]
        assert "ARCHIVED" in run(command, "--all").out.splitlines()[0]
    engine.daemon()
    thread = engine.answer_commands("DONE")
    ran = run("workflows", "unarchive", "daily")
    thread.join()
    assert ran.out == "unarchive daily: done\n"
    assert run("workflows", "archive", "weekly", "--no-wait").out == "archive weekly: asked\n"


def test_a_draft_and_a_canary_are_asked_for(run, daily, tmp_path):
    file = tmp_path / "new.yaml"
    file.write_text("workflow: daily\ntasks:\n  a: {job: load}\n", "utf-8")
    assert run("versions", "draft", file, "--no-wait").out == "draft daily: asked\n"
    assert run("versions", "canary", "daily", 2, "--share", "12.5%", "--no-wait").out == "canary daily: asked\n"
    assert run("versions", "canary", "daily", "--end", "--no-wait").out == "end_canary daily: asked\n"
    rows = daily.sql("SELECT action, workflow, args FROM qflow.commands ORDER BY id")
    assert [(action, workflow, args and json.loads(args)) for action, workflow, args in rows] == [
        ("draft", "daily", {"source": file.read_text("utf-8"), "format": "yaml", "file": str(file)}),
        ("canary", "daily", {"version": 2, "share": 0.125}),
        ("end_canary", "daily", None),
    ]
    file.write_text("workflow: daily\ntasks: {}\n", "utf-8")
    assert run("versions", "draft", file).err == f"qflowd: {file}:2: tasks: holds no task\n"
    for words in (("daily",), ("daily", 2), ("daily", "--share", "1%"), ("daily", 2, "--share", "much")):
        assert run("versions", "canary", *words).code == 2
    for share in ("150%", "1", "0"):
        ran = run("versions", "canary", "daily", 2, "--share", share)
        assert ran.code == 2
        assert f"{share} must be above 0% and below 100%; `qflowd versions activate` gives a version all" in ran.err

"""Drafts and canaries: a new version is stored without running, tried by a share of instances, and then takes over."""

import json
from collections import Counter

import pytest

from qflowd.engine.definitions.canary import PARTS, runs_canary
from tests.support.versions import states, versions

A, B = {"a": []}, {"a": [], "b": ["a"]}


def text(tasks, workflow="daily"):
    return json.dumps({"workflow": workflow, "tasks": {key: {"job": "work"} for key in tasks}})


def ask(lab, action, **args):
    return lab.command(action, workflow="daily", args=json.dumps(args) if args else None)


def draft(lab, source, format="json"):
    return ask(lab, "draft", source=source, format=format)


@pytest.fixture
def daily(lab):
    lab.workflow("daily", A)
    return lab


@pytest.mark.parametrize("share", [1, 500, 1000, 2500, 9999])
def test_a_share_of_ids_is_exact_within_a_thousandth_and_even_in_every_stretch(share):
    chosen = [runs_canary(number, share) for number in range(1, 20_001)]
    assert abs(sum(chosen) / 20_000 - share / PARTS) < 0.001
    for start in range(0, 20_000, 100):
        assert abs(sum(chosen[start : start + 100]) - share / 100) <= 2


def test_a_draft_is_stored_and_runs_only_when_it_is_named(daily):
    assert draft(daily, text("ab")) == ("DONE", {"workflow": "daily", "version": 2})
    assert states(daily) == {1: "ACTIVE", 2: "DRAFT"}
    row = versions(daily)[2]
    assert (row.source, row.activated_at, row.share) == ("command", None, 0)
    assert list(daily.states(daily.start("daily"))) == ["a"]
    assert list(daily.states(daily.start("daily", version=2))) == ["a", "b"]
    assert draft(daily, text("ab"))[1]["version"] == 2  # the same draft again
    assert ask(daily, "activate", version=2)[0] == "DONE"
    assert states(daily) == {1: "ARCHIVED", 2: "ACTIVE"}


def test_a_draft_whose_text_becomes_the_file_is_activated_and_not_doubled(lab, folder):
    folder.write("a")
    draft(lab, text("ab"))
    folder.write("ab")
    assert states(lab) == {1: "ARCHIVED", 2: "ACTIVE"}
    assert (versions(lab)[2].activated_by, versions(lab)[2].source) == ("file", "file")
    draft(lab, text("abc"))
    ask(lab, "activate", version=3)
    folder.write("abc")
    assert states(lab) == {1: "ARCHIVED", 2: "ARCHIVED", 3: "ACTIVE"}


@pytest.mark.parametrize(
    ("source", "format", "error"),
    [
        ("workflow: daily\ntasks: {}", "yaml", "draft:2: tasks: holds no task"),
        ("{", "json", "draft:"),
        (text("ab", "weekly"), "json", "the draft describes workflow 'weekly', not 'daily'"),
        (text("ab"), "xml", "args.format: must be one of json, toml, yaml, not 'xml'"),
        ("x" * 1_000_001, "yaml", "draft: is too large"),
        (None, "json", "args.source: is missing"),
    ],
)
def test_a_draft_with_faults_is_refused_with_all_of_them(daily, source, format, error):
    state, answer = draft(daily, source, format)
    assert (state, answer[: len(error)]) == ("REJECTED", error)
    assert states(daily) == {1: "ACTIVE"}


def test_a_fault_of_a_draft_names_its_file(daily):
    faulty = ask(daily, "draft", source="workflow: daily\ntasks: {}", format="yaml", file="new.yaml")
    assert faulty == ("REJECTED", "new.yaml:2: tasks: holds no task")


def test_a_canary_gets_its_share_of_new_instances_and_views_show_it(daily):
    daily.workflow("daily", B)
    assert ask(daily, "canary", version=1, share=0.25) == ("DONE", {"workflow": "daily", "version": 1, "share": 0.25})
    for _ in range(40):
        daily.submit("daily")
    while not daily.admit.tick():
        pass
    rows = daily.sql("SELECT id, version FROM qflow.instances")
    assert Counter(version for _, version in rows)[1] in (9, 10, 11)
    assert all((version == 1) == runs_canary(number, 2500) for number, version in rows)
    assert {version: float(row.share) for version, row in versions(daily).items()} == {2: 0.75, 1: 0.25}
    [(version, share)] = daily.sql("SELECT canary_version, canary_share FROM qflow.workflows")
    assert (version, float(share)) == (1, 0.25)


def test_who_names_a_version_gets_that_whatever_the_canary(daily):
    daily.workflow("daily", B)
    ask(daily, "canary", version=1, share=0.9999)
    assert {tuple(daily.states(daily.start("daily", version=2))) for _ in range(5)} == {("a", "b")}


def test_a_task_that_is_triggered_alone_runs_the_active_version(daily):
    daily.workflow("daily", B)
    ask(daily, "canary", version=1, share=0.9999)
    state, result = daily.command("trigger", workflow="daily", task="b")
    daily.admit.tick()
    daily.run()
    assert (state, daily.states(result["instance_id"])) == ("DONE", {"a": "SKIPPED", "b": "SUCCESS"})


@pytest.mark.parametrize("action", ["end", "activate", "rollback", "file"])
def test_a_canary_ends_with_its_command_or_with_any_activation(daily, action):
    daily.workflow("daily", B)
    ask(daily, "canary", version=1, share=0.5)
    if action == "end":
        assert ask(daily, "end_canary") == ("DONE", {"workflow": "daily", "version": 2})
    elif action == "activate":
        ask(daily, "activate", version=1)
    elif action == "rollback":
        ask(daily, "rollback")
    else:
        daily.workflow("daily", {"c": []})
    assert daily.sql("SELECT canary_version, canary_share FROM qflow.workflows") == [(None, None)]
    assert sum(row.share for row in versions(daily).values()) == 1
    assert ask(daily, "end_canary") == ("REJECTED", "workflow 'daily' has no canary")


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"version": 1, "share": 0.1}, "version 1 of workflow 'daily' is ACTIVE: all other instances already run it"),
        ({"version": 7, "share": 0.1}, "workflow 'daily' has no version 7; the newest is 1"),
        (
            {"version": 1, "share": 1},
            "args.share: must be a number from 0.0001 to 0.9999, not 1; 0.1 is a tenth of new instances, `activate` gives",
        ),
        ({"version": 1, "share": 0}, "args.share: must be a number from 0.0001 to 0.9999, not 0; "),
        ({"version": 1, "share": 3}, "args.share: must be a number from 0.0001 to 0.9999, not 3; "),
        ({"version": 1, "share": 0.00001}, "args.share: must be a number from 0.0001 to 0.9999, not 1e-05; "),
        ({"version": 1, "share": "10%"}, "args.share: must be a number from 0.0001 to 0.9999, not '10%'; "),
        ({"version": 1}, "args.share: is missing"),
    ],
)
def test_a_canary_that_cannot_be_is_refused(daily, args, error):
    state, answer = ask(daily, "canary", **args)
    assert (state, answer[: len(error)]) == ("REJECTED", error)

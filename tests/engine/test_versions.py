"""Versions of a workflow: a command says which of them runs, until its file changes."""

import json
import logging

import pytest

from tests.support.versions import states, versions

A, B, C = {"a": []}, {"a": [], "b": ["a"]}, {"a": [], "b": ["a"], "c": ["b"]}
NIGHTLY, NOON = {"schedule": "0 2 * * *", "title": "Nightly"}, {"schedule": "0 12 * * *", "title": "At noon"}


def activate(lab, version, **columns):
    return lab.command("activate", workflow="daily", args=json.dumps({"version": version}), **columns)


def runs(lab):
    """The tasks of a new instance."""
    return list(lab.states(lab.start("daily")))


@pytest.fixture
def three(lab):
    for tasks in (A, B, C):
        lab.workflow("daily", tasks)
    return lab


def test_every_stored_version_says_where_it_came_from_and_what_it_replaced(three):
    rows = versions(three)
    assert states(three) == {1: "ARCHIVED", 2: "ARCHIVED", 3: "ACTIVE"}
    assert [(row.version, row.source, row.activated_by, row.replaced) for row in rows.values()] == [
        (3, "sdk", "sdk", 2),
        (2, "sdk", "sdk", 1),
        (1, "sdk", "sdk", None),
    ]


def test_an_activated_version_is_what_new_instances_run_and_old_ones_keep_theirs(three):
    before = three.start("daily")
    answer = activate(three, 1, reason="c writes the wrong table", requested_by="ann@desk")
    assert answer == ("DONE", {"workflow": "daily", "version": 1, "replaced": 3})
    assert states(three) == {1: "ACTIVE", 2: "ARCHIVED", 3: "ARCHIVED"}
    row = versions(three)[1]
    assert (row.activated_by, row.note, row.replaced) == ("ann@desk", "c writes the wrong table", 3)
    assert runs(three) == ["a"]
    three.run()
    assert three.states(before) == dict.fromkeys("abc", "SUCCESS")
    assert "schedule" in three.published


def test_one_rollback_after_another_goes_further_back(three):
    assert three.command("rollback", workflow="daily")[1]["version"] == 2
    assert runs(three) == ["a", "b"]
    assert three.command("rollback", workflow="daily") == ("DONE", {"workflow": "daily", "version": 1, "replaced": 2})
    assert runs(three) == ["a"]
    assert three.command("rollback", workflow="daily") == (
        "REJECTED",
        "version 1 of workflow 'daily' has replaced no other; `qflowd versions` lists what can be activated",
    )


def test_a_rollback_undoes_an_activation(three):
    activate(three, 1)
    assert three.command("rollback", workflow="daily")[1]["version"] == 3
    assert runs(three) == ["a", "b", "c"]


def test_any_version_can_be_run_once_whichever_is_active(three):
    number = three.start("daily", version=2)
    assert list(three.states(number)) == ["a", "b"]
    assert states(three)[3] == "ACTIVE"


def test_title_and_schedule_are_those_of_the_active_version(lab):
    lab.workflow("daily", A, **NIGHTLY)
    lab.workflow("daily", A, **NOON)
    activate(lab, 1)
    [row] = lab.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
    assert (row.title, row.version, row.source) == ("Nightly", 1, "command")
    [schedule] = lab.store.read(lambda tx: tx.run("list_schedules", tenant="default"))
    assert (schedule.cron, f"{schedule.next_fire_at:%d %H}") == ("0 2 * * *", "21 02")
    lab.workflow("daily", A)
    lab.command("rollback", workflow="daily")
    assert len(lab.sql("SELECT cron FROM qflow.schedule")) == 1


def test_the_same_text_stored_again_leaves_the_choice_of_a_command_alone(three):
    activate(three, 1)
    three.workflow("daily", C)
    assert states(three) == {1: "ACTIVE", 2: "ARCHIVED", 3: "ARCHIVED"}
    three.workflow("daily", B)  # another text than the last: a new version, though it is that of version 2
    assert states(three) == {1: "ARCHIVED", 2: "ARCHIVED", 3: "ARCHIVED", 4: "ACTIVE"}
    assert versions(three)[4].replaced == 1


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"version": 9}, "workflow 'daily' has no version 9; the newest is 3"),
        ({"version": 3}, "version 3 of workflow 'daily' is already ACTIVE"),
        ({"version": "new"}, "args.version: must be a whole number from 1 to 2147483648, not 'new'"),
        ({"version": 0}, "args.version: must be a whole number from 1 to 2147483648, not 0"),
        ({"versoin": 2}, "args.version: is missing\nargs.versoin: unknown key; did you mean version?"),
        (None, "args.version: is missing"),
    ],
)
def test_what_cannot_be_activated_is_refused_with_the_reason(three, args, error):
    text = None if args is None else json.dumps(args)
    assert three.command("activate", workflow="daily", args=text) == ("REJECTED", error)
    assert states(three)[3] == "ACTIVE"


def test_a_command_on_versions_names_an_existing_workflow(lab):
    for action, args in (("activate", '{"version": 1}'), ("rollback", None)):
        assert lab.command(action, workflow="nothing", args=args) == (
            "REJECTED",
            "there is no workflow 'nothing'; `qflowd workflows` lists those there are",
        )
        assert lab.command(action, args=args) == ("REJECTED", f"{action} needs a workflow")


@pytest.mark.parametrize("args", ["[1]", "{", '{"version": 1, "version": 2}', "3"])
def test_args_that_are_not_a_json_object_are_refused(three, args):
    state, error = three.command("activate", workflow="daily", args=args)
    assert state == "REJECTED"
    assert error.startswith("args")


def test_versions_of_another_tenant_are_unknown(three):
    assert activate(three, 1, tenant="others")[0] == "REJECTED"
    assert three.store.read(lambda tx: tx.run("list_versions", workflow="daily", tenant="others")) == []


def test_the_file_wins_at_its_next_change_and_not_before(folder, caplog):
    caplog.set_level(logging.INFO, "qflowd")
    lab = folder.lab
    folder.write("a")
    folder.write("ab")
    activate(lab, 1)
    folder.start()  # as after a restart of the daemon
    folder.look()
    assert states(lab) == {1: "ACTIVE", 2: "ARCHIVED"}
    folder.write("abc")
    assert states(lab) == {1: "ARCHIVED", 2: "ARCHIVED", 3: "ACTIVE"}
    assert versions(lab)[3].activated_by == "file"


def test_a_file_that_is_put_back_agrees_with_the_version_that_was_rolled_back_to(folder):
    lab = folder.lab
    folder.write("a")
    folder.write("ab")
    lab.command("rollback", workflow="daily")
    folder.write("a")
    assert states(lab) == {1: "ACTIVE", 2: "ARCHIVED"}
    [row] = lab.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
    assert (row.version, row.source) == (1, "file")
    folder.write("ab")
    assert states(lab) == {1: "ARCHIVED", 2: "ARCHIVED", 3: "ACTIVE"}


def test_a_file_that_is_gone_and_comes_back_brings_the_activated_version_back(folder):
    lab = folder.lab
    folder.write("a", **NIGHTLY)
    folder.write("ab", **NOON)
    activate(lab, 1)
    (folder.folder / "daily.json").unlink()
    folder.look()
    assert lab.sql("SELECT enabled FROM qflow.workflow_definition") == [(0,)]
    folder.write("ab", **NOON)
    [row] = lab.store.read(lambda tx: tx.run("list_workflows", tenant="default"))
    assert (row.title, row.version, row.enabled, row.error) == ("Nightly", 1, 1, None)


def test_activating_a_version_does_not_enable_a_workflow_whose_file_is_gone(folder):
    lab = folder.lab
    folder.write("a")
    folder.write("ab")
    (folder.folder / "daily.json").unlink()
    folder.look()
    assert activate(lab, 1)[0] == "DONE"
    number = lab.start("daily")
    [(error,)] = lab.sql(f"SELECT error FROM qflow.submissions WHERE id = {number}")
    assert error.startswith("workflow 'daily' is disabled: its file is gone")

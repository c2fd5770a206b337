"""Archived workflows: nothing new of them runs, what there is stays, and they can be brought back."""

import json
from datetime import timedelta

import pytest

from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.definitions.schedules import Schedules

CHAIN = {"a": [], "b": ["a"]}


def archive(lab, workflow="daily", **columns):
    return lab.command("archive", workflow=workflow, **columns)


def refusal(lab, number):
    [(state, error)] = lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")
    assert state == "REJECTED"
    return error


def test_an_archived_workflow_refuses_submissions_with_the_reason(lab):
    lab.workflow("daily", CHAIN)
    answer = {"workflow": "daily", "open_instances": 0, "workflows": []}
    assert archive(lab, reason="replaced by daily_v2") == ("DONE", answer)
    for columns in ({}, {"version": 1}):
        assert refusal(lab, lab.start("daily", **columns)) == (
            "workflow 'daily' is archived since 2026-11-20 (replaced by daily_v2); "
            "`qflowd workflows unarchive daily` brings it back"
        )


def test_open_instances_are_counted_and_run_to_their_end(lab):
    lab.workflow("daily", CHAIN)
    lab.workflow("other", CHAIN)
    running, held, _ = lab.start("daily"), lab.start("daily", hold=1), lab.start("other")
    ended = lab.start("daily")
    lab.command("terminate", ended)
    lab.sweep.tick()
    assert archive(lab)[1]["open_instances"] == 2
    lab.command("resume", held)
    lab.run()
    assert (lab.state(running), lab.state(held)) == ("SUCCESS", "SUCCESS")


def test_the_workflows_that_start_it_are_named(lab):
    for key in ("daily", "other"):
        lab.workflow(key, CHAIN)
    for key, child in (("nightly", "daily"), ("month_end", "daily"), ("weekly", "other"), ("old", "daily")):
        lab.define(key, {"load": {"workflow": child}})
    archive(lab, "old")
    assert archive(lab)[1]["workflows"] == ["month_end", "nightly"]


def test_what_waits_in_the_inbox_is_refused_as_well(lab):
    lab.workflow("daily", CHAIN)
    number = lab.submit("daily")
    archive(lab)
    while not lab.admit.tick():
        pass
    assert refusal(lab, number).startswith("workflow 'daily' is archived since 2026-11-20; ")


def test_an_archived_workflow_fires_no_more_and_catches_nothing_up(lab):
    lab.workflow("daily", CHAIN, schedule={"cron": "0 * * * *", "catchup": "all(5)"})
    schedules = Schedules(lab.store, lab.topics)
    archive(lab)
    lab.clock.advance(3 * 3600)
    schedules.tick()
    assert lab.sql("SELECT COUNT(*) FROM qflow.submissions") == [(0,)]
    assert lab.sql("SELECT next_fire_at FROM qflow.schedules") == [(None,)]
    assert lab.command("unarchive", workflow="daily") == ("DONE", {"workflow": "daily"})
    schedules.tick()
    assert lab.sql("SELECT COUNT(*) FROM qflow.submissions") == [(0,)]
    lab.clock.advance(timedelta(minutes=30).total_seconds())
    schedules.tick()
    assert lab.sql("SELECT trigger_type FROM qflow.submissions") == [("cron",)]
    while not lab.admit.tick():
        pass
    lab.run()
    assert lab.sql("SELECT state FROM qflow.instances") == [("SUCCESS",)]


def test_lists_leave_it_out_unless_they_are_asked(lab):
    for key in ("daily", "other"):
        lab.workflow(key, CHAIN, schedule="0 2 * * *")
    archive(lab)
    client = Client(DatabaseTransport(lab.store))
    for ask in (client.workflows, client.schedules):
        assert [row["workflow"] for row in ask()] == ["other"]
        assert {row["workflow"]: row["archived_at"] for row in ask(with_archived=True)} == {
            "daily": lab.clock.now(),
            "other": None,
        }


def test_a_new_text_of_an_archived_workflow_is_stored_and_does_not_bring_it_back(lab):
    lab.workflow("daily", CHAIN)
    archive(lab)
    lab.workflow("daily", {"a": []})
    assert "is archived" in refusal(lab, lab.start("daily"))
    lab.command("unarchive", workflow="daily")
    assert list(lab.states(lab.start("daily"))) == ["a"]


@pytest.mark.parametrize(
    ("action", "error"),
    [("archive", "workflow 'daily' is already archived"), ("unarchive", "workflow 'daily' is not archived")],
)
def test_what_is_done_already_is_refused(lab, action, error):
    lab.workflow("daily", CHAIN)
    if action == "archive":
        archive(lab)
    assert lab.command(action, workflow="daily") == ("REJECTED", error)
    assert lab.command(action, workflow="daily", args=json.dumps({"force": True})) == (
        "REJECTED",
        "args.force: unknown key",
    )

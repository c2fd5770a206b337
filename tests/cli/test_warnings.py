"""Where the command line warns of workflows whose tasks name what nobody has."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo


def test_workflows_and_doctor_warn_of_a_workflow_that_would_wait(run, own_engine):
    own_engine.workflow("daily", "{}")
    own_engine.workflow("weekly", "{}")
    for kind, name in (("job", "lod"), ("workflow", "daily")):
        version = 1 if kind == "job" else 2
        own_engine.sql(own_engine.insert("workflow_need", version_id=version, kind=kind, name=name))
    rows = run("workflows", "--json").json
    warning = "no daemon has ever registered job lod"
    assert {row["workflow"]: row["warning"] for row in rows} == {"daily": warning, "weekly": None}
    assert run("workflows").out.splitlines()[1].endswith(warning)
    assert f"warning workflows: workflow daily: {warning}\n" in run("doctor").out


def test_doctor_and_lists_name_what_is_paused(run, own_engine):
    own_engine.workflow("daily", "{}", cron="0 17 * * *")
    own_engine.workflow("weekly", "{}")
    by = f"paused_at = {own_engine.now}, paused_by = 'ada', pause_reason = 'restated'"
    pause = {"definition_id": 2, "instance_id": 0, "task": "check", "is_paused": 1, "paused_at": "NOW"}
    own_engine.sql(f"UPDATE qflow.workflow_definition SET {by} WHERE id = 1", own_engine.insert("paused_task", **pause))
    out, listed = run("doctor").out, run("workflows").out.splitlines()
    reasons = {"daily": "paused by ada since ", "weekly": "task check is paused in all instances since "}
    for line, (name, reason) in zip(listed[1:], reasons.items(), strict=True):
        assert f"  {reason}" in line
        assert f"note    workflows: workflow {name}: {reason}" in out
        assert f"-> qflowd resume --workflow {name}; of a task, with --task\n" in out
    told = run("workflows", "--json").json[0]["wait_reason"]
    since = datetime.fromisoformat(re.fullmatch(r"paused by ada since (\S{19}Z): restated", told)[1])
    for zone in ("UTC", "Asia/Shanghai"):
        shown = f"paused by ada since {since.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M:%S} {zone}: restated"
        assert shown in run("--timezone", zone, "workflows").out
        assert f"workflow daily: {shown}" in run("--timezone", zone, "doctor").out
    for change, reason in {
        "": "the workflow is paused",
        "UPDATE qflow.schedule SET enabled_override = 0": "it is disabled",
        "UPDATE qflow.workflow_definition SET enabled = 0": "the workflow is disabled",
        f"UPDATE qflow.workflow_definition SET archived_at = {own_engine.now}": "the workflow is archived",
    }.items():
        if change:
            own_engine.sql(change)
        assert run("schedules", "--all").out.splitlines()[1].endswith(f"  {reason}")


def test_doctor_names_files_that_are_not_in_effect(run, own_engine):
    for workflow in ("daily", "weekly"):
        own_engine.workflow(workflow, "{}")
    archived = "/w/type.yaml:1: type: task type 'bars' is archived; `qflowd definitions unarchive bars` brings it back"
    own_engine.sql(
        own_engine.insert(
            "workflow_fault", file="/w/type.yaml", definition="us_bars", error=archived, updated_at="NOW"
        ),
        "UPDATE qflow.workflow_definition SET enabled = 0, error = 'its file is gone', file = '/w/a.yaml' WHERE id = 1",
        f"UPDATE qflow.workflow_definition SET archived_at = {own_engine.now} WHERE id = 2",
    )
    assert "weekly" not in run("doctor").out, "nothing of it has changed"
    own_engine.sql(
        f"UPDATE qflow.workflow_version SET activated_at = {own_engine.now}, file = '/w/b.yaml' WHERE id = 2"
    )
    out = run("doctor").out
    for warning in (
        archived,
        "workflow daily is disabled: its file is gone (/w/a.yaml)",
        "workflow weekly is archived, and has changed since (/w/b.yaml): nothing of it runs",
    ):
        assert f"warning workflows: {warning}\n" in out

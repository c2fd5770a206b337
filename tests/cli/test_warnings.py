"""Where the command line warns of workflows whose tasks name what nobody has."""

from __future__ import annotations


def test_workflows_and_doctor_warn_of_a_workflow_that_would_wait(run, own_engine):
    own_engine.workflow("daily", "{}")
    own_engine.workflow("weekly", "{}")
    for kind, name in (("job", "lod"), ("workflow", "daily")):
        version = 1 if kind == "job" else 2
        own_engine.sql(own_engine.insert("workflow_need", version_id=version, kind=kind, name=name))
    rows = run("workflows", "--json").json
    problem = "no daemon has ever registered job lod"
    assert {row["workflow"]: row["warning"] for row in rows} == {"daily": problem, "weekly": None}
    assert run("workflows").out.splitlines()[1].endswith(problem)
    assert f"warning workflows: workflow daily: {problem}\n" in run("doctor").out

"""Workflows that start workflows, as `validate`, `plan` and `show` tell of them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.lab import Lab

A = "workflow: a\ntasks:\n  one: {workflow: b}\n"
B = "workflow: b\ntasks:\n  first: {job: work}\n  two: {workflow: a, after: first}\n"


def test_validate_faults_workflows_that_start_each_other(run: Any, tmp_path: Any) -> None:
    (tmp_path / "a.yaml").write_text(A)
    (tmp_path / "b.yaml").write_text(B)
    ran = run("validate", "a.yaml", "b.yaml")
    assert ran.code == 1
    assert "a.yaml:3: tasks.one.workflow: this workflow would start itself for ever: a -> b -> a" in ran.out
    assert "b.yaml:4: tasks.two.workflow: this workflow would start itself for ever: b -> a -> b" in ran.out
    assert run("validate", "a.yaml").code == 0


def test_plan_names_the_workflow_that_a_task_starts(run: Any, tmp_path: Any) -> None:
    (tmp_path / "b.yaml").write_text(B)
    ran = run("plan", "b.yaml")
    assert ran.code == 0
    assert "workflow a" in ran.out
    assert "not known here: job work\n" in ran.err
    [first, two] = run("plan", "b.yaml", "--json").json["tasks"]
    assert (first["job"], first["workflow"]) == ("work", None)
    assert (two["job"], two["workflow"], two["after"]) == ("workflow a", "a", ["first"])


def test_show_names_the_instance_of_a_task_and_the_parent_of_an_instance(
    run: Any, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QFLOWD_DATABASE_URL", database_url)
    lab = Lab(database_url)
    lab.define("load", {"bars": {"job": "work"}})
    lab.define("nightly", {"us": {"workflow": "load"}})
    parent = lab.start("nightly")
    lab.children.tick()
    lab.admit.tick()
    [(child,)] = lab.sql("SELECT instance_id FROM qflow.child")
    assert f"waits for instance {child} of workflow load, which is RUNNING" in run("show", str(parent)).out
    assert f"parent        instance {parent}" in run("show", str(child)).out
    lab.run()
    lab.children.tick()
    assert run("show", str(parent)).out.endswith(f"workflow load  instance {child}\n")
    [task] = run("show", str(parent), "--json").json["tasks"]
    assert (task["job"], task["child_instance_id"]) == ("workflow load", child)
    lab.close()

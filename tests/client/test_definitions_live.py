"""Versions, task types and task definitions from Python, against a real daemon on every database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from qflowd import TaskBuilder, WorkflowBuilder
from qflowd.client import Client
from qflowd.model.errors import InvalidRequest, NotFound, Rejected
from tests.client.conftest import Connect, opener
from tests.client.live import Project, project_of
from tests.conftest import KINDS, GetServer
from tests.support.daemon import until

PATIENCE_S = 30

TYPE = {"task_type": "sum", "job": "add", "params": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 1}}}
DEFINITION = "task: plus_ten\ntype: sum\nparams: {b: 10}\n"
USER = "workflow: made\ntasks:\n  one: {task: plus_ten, params: {a: 1}}\n"


@pytest.fixture(scope="module", params=KINDS)
def project(
    request: pytest.FixtureRequest, way: str, get_server: GetServer, tmp_path_factory: Any
) -> Iterator[Project]:
    yield from project_of(request.param, get_server, tmp_path_factory)


@pytest.fixture(scope="module")
def connect(project: Project, way: str) -> Iterator[Connect]:
    with opener(project.url, way) as found:
        yield found


def output(client: Client, workflow: str, task: str, **more: Any) -> Any:
    """What a task of a new instance returns."""
    instance = client.submit(workflow, **more)
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    return instance.output(task)


def shares(client: Client, workflow: str) -> dict[int, float]:
    return {row["version"]: row["share"] for row in client.workflow(workflow).versions()}


def test_a_version_is_drafted_compared_run_once_given_a_share_activated_and_rolled_back(client):
    pair = client.workflow("pair")
    built = WorkflowBuilder("pair").with_task(TaskBuilder("first", job="add").with_params(a=1, b=100)).build()
    assert pair.draft(built, reason="a wider margin", timeout=PATIENCE_S).result == {"workflow": "pair", "version": 2}
    assert {row["version"]: row["state"] for row in pair.versions()} == {1: "ACTIVE", 2: "DRAFT"}
    changes = {(change.change, change.task, change.key) for change in pair.diff(1, 2)}
    assert {("removed", "second", ""), ("added", "first", "params.b")} <= changes
    assert output(client, "pair", "first", version=2) == 101
    assert output(client, "pair", "first") == 3

    assert pair.canary(2, 0.25, timeout=PATIENCE_S).result["share"] == 0.25
    assert shares(client, "pair") == {1: 0.75, 2: 0.25}
    pair.end_canary(timeout=PATIENCE_S)
    assert shares(client, "pair") == {1: 1.0, 2: 0.0}
    assert pair.activate(2, timeout=PATIENCE_S).result == {"workflow": "pair", "version": 2, "replaced": 1}
    assert output(client, "pair", "first") == 101
    assert pair.rollback("too wide", timeout=PATIENCE_S).result["version"] == 1
    assert output(client, "pair", "first") == 3


def test_a_version_that_does_not_exist_is_named_with_those_that_do(client):
    flaky = client.workflow("flaky")
    for ask in (lambda: flaky.diff(1, 7), lambda: flaky.version(7)):
        with pytest.raises(NotFound, match="workflow 'flaky' has no version 7; the newest is 1"):
            ask()
    with pytest.raises(Rejected, match="workflow 'flaky' has no version 7; the newest is 1"):
        flaky.activate(7, timeout=PATIENCE_S)
    with pytest.raises(NotFound, match="there is no workflow 'flakey'"):
        client.workflow("flakey").versions()


def test_a_task_type_and_a_definition_are_made_used_changed_archived_and_brought_back(client, project):
    made = {"task": "sum", "kind": "type", "workflows": {}}
    assert client.define_task(TYPE, timeout=PATIENCE_S).result == made
    client.define_task(DEFINITION, reason="ten is the lot size", timeout=PATIENCE_S)
    info = client.task_definition("plus_ten").info()
    assert (info["kind"], info["type"], info["note"]) == ("definition", "sum", "ten is the lot size")
    assert info["document"] == {"type": "sum", "params": {"b": 10}}
    (project.folder / "workflows/made.yaml").write_text(USER)
    until(lambda: any(row["workflow"] == "made" for row in client.workflows()), PATIENCE_S)
    assert output(client, "made", "one") == 11

    changed = client.define_task({"task": "plus_ten", "type": "sum", "params": {"b": 20}}, timeout=PATIENCE_S)
    assert changed.result["workflows"] == {"made": 2}
    assert [(each.key, each.before, each.after) for each in client.workflow("made").diff(1, 2)] == [
        ("params.b", 10, 20)
    ]
    assert output(client, "made", "one") == 21

    answer = client.task_definition("plus_ten").archive("use plus_lot", timeout=PATIENCE_S)
    assert answer.result["workflows"] == ["made"]
    assert [row["name"] for row in client.task_definitions()] == ["sum"]
    assert {row["name"] for row in client.task_definitions(with_archived=True)} == {"sum", "plus_ten"}
    definition = client.task_definition("plus_ten")
    assert definition.unarchive(timeout=PATIENCE_S).result == {"task": "plus_ten", "kind": "definition"}
    assert definition.info()["archived_at"] is None
    definition.archive(timeout=PATIENCE_S)
    client.define_task(DEFINITION, timeout=PATIENCE_S)
    assert definition.info()["archived_at"] is None


LATER = """workflow: later
tasks:
  first: {job: not_here_yet}
  then: {workflow: not_there_yet, after: first}
"""
THERE = 'workflow: not_there_yet\noutputs: {n: "{{ one.output }}"}\ntasks:\n  one: {task: plus_six, params: {a: 1}}\n'


def test_what_files_name_may_come_later_and_until_then_the_workflow_and_the_log_say_what_is_missing(client, project):
    folder = project.folder
    (folder / "workflows/later.yaml").write_text(LATER)

    def warning() -> Any:
        return next((row["warning"] for row in client.workflows() if row["workflow"] == "later"), None)

    missing = until(warning, PATIENCE_S)
    assert "no daemon has ever registered job not_here_yet" in missing
    assert "there is no workflow not_there_yet" in missing
    until(lambda: "workflow later is stored, but would wait or fail: " in project.log.read_text(), PATIENCE_S)
    instance = client.submit("later")
    until(lambda: "no live daemon knows job not_here_yet" in (instance.wait_reason() or ""), PATIENCE_S)
    (folder / "workflows/not_there_yet.yaml").write_text(THERE)
    (folder / "workflows/plus_six.yaml").write_text("task: plus_six\njob: add\nparams: {b: 6}\n")
    until(lambda: "there is no workflow" not in (warning() or ""), PATIENCE_S)
    (folder / "plugins/later.py").write_text(
        "from qflowd import job\n\n@job\ndef not_here_yet() -> int:\n    return 1\n"
    )
    (folder / "plugins/later.py").chmod(0o644)
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    assert instance.output("then") == {"n": 7}
    assert warning() is None
    info = client.task_definition("plus_six").info()
    assert (info["source"], info["file"], info["error"]) == ("file", str(folder / "workflows/plus_six.yaml"), None)
    (folder / "workflows/plus_six.yaml").write_text("task: plus_six\njob: add\nparams: {b: 60}\n")
    until(lambda: len(client.workflow("not_there_yet").versions()) == 2, PATIENCE_S)
    assert output(client, "not_there_yet", "one") == 61


def test_a_task_definition_that_cannot_be_is_refused_with_the_sentence_of_its_file(client):
    with pytest.raises(Rejected, match="job: no daemon has ever registered a job 'ad'"):
        client.define_task({"task": "x", "job": "ad"}, timeout=PATIENCE_S)
    with pytest.raises(Rejected, match="definition:2: retires: unknown key; did you mean retries"):
        client.define_task("task: x\nretires: 3\njob: add\n", timeout=PATIENCE_S)
    with pytest.raises(InvalidRequest, match="document must be a mapping of names to values, not list"):
        client.define_task(["task", "x"], timeout=PATIENCE_S)
    with pytest.raises(NotFound, match="there is no task type or definition 'x'"):
        client.task_definition("x").info()
    with pytest.raises(Rejected, match="there is no task type or definition 'x'"):
        client.task_definition("x").archive(timeout=PATIENCE_S)

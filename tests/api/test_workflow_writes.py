"""Workflows as a whole over HTTP: head, switch, archive, removal, and judging a text."""

from __future__ import annotations

import json
from itertools import count
from typing import Any

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.workflow_store import canonical, store_workflow
from qflowd.model.roles import Role
from qflowd.store.inbox import SUBMISSION
from tests.support.http import ApiServer, HttpClient, Reply

NUMBERS = count(1)


def key_of_new(api: ApiServer, file: str | None = None, **more: Any) -> str:
    """The key of a workflow that is stored and active, from a program or from a file."""
    key = f"w{next(NUMBERS)}"
    document = {"workflow": key, "tasks": {"a": {"job": "work"}}} | more
    workflow = parse(json.dumps(document), "json", "w.json")
    about: dict[str, Any] = {"format": "json", "file": file, "pool_of": lambda _: None}
    api.store.transact(lambda tx: store_workflow(tx, workflow, source=canonical(workflow), **about))
    return key


def put(api: HttpClient, key: str, body: Any) -> Reply:
    """Change a head as whoever has just seen it does."""
    etag = api.get(f"/workflows/{key}").data["etag"]
    return api.put(f"/workflows/{key}", body, if_match=f'"{etag}"')


def submit(api: ApiServer, key: str) -> None:
    api.store.transact(lambda tx: tx.one("insert_submission", **(SUBMISSION | {"workflow": key})))


def test_a_head_is_changed_by_a_new_version(api: ApiServer) -> None:
    key = key_of_new(api, title="Old", tags=["cn"])
    missing = api.put(f"/workflows/{key}", {"title": "New"})
    assert (missing.status, missing.code) == (428, 42801)
    reply = put(api, key, {"title": "New", "tags": ["cn", "daily"]})
    assert reply.status == 200
    assert (reply.data["title"], reply.data["tags"], reply.data["version"]) == ("New", ["cn", "daily"], 2)
    stale = api.put(f"/workflows/{key}", {"title": "Newer"}, if_match='"0"')
    assert (stale.status, stale.code, stale.data["current"]["title"]) == (412, 41201, "New")
    again = api.put(f"/workflows/{key}", {"title": "New"}, if_match=reply.headers["etag"])
    assert again.data["version"] == 2  # nothing differs
    assert f'"{api.get(f"/workflows/{key}").data["etag"]}"' == reply.headers["etag"]


def test_a_workflow_of_a_file_is_only_switched_here(api: ApiServer) -> None:
    key = key_of_new(api, file="/srv/w.yaml")
    refused = put(api, key, {"title": "New"})
    assert (refused.status, refused.code) == (409, 40906)
    assert "/srv/w.yaml" in refused.message
    assert put(api, key, {"enabled": False}).data["enabled"] is False
    assert put(api, key, {"enabled": True}).data["enabled"] is True
    assert api.delete(f"/workflows/{key}").code == 40906


def test_a_workflow_is_archived_and_comes_back(api: ApiServer) -> None:
    key = key_of_new(api)
    reply = api.post(f"/workflows/{key}/archive", {"reason": "old"})
    assert (reply.data["archived"], reply.data["open_instances"]) == (True, 0)
    caller = {"workflow": "caller", "tasks": {"a": {"workflow": key}}}
    said = api.post("/workflows/validate", {"document": caller})
    assert said.data["warnings"] == [f"workflow '{key}' is archived"]
    again = api.post(f"/workflows/{key}/archive")
    assert (again.status, again.code, again.message) == (409, 40901, f"workflow '{key}' is already archived")
    assert api.post(f"/workflows/{key}/unarchive").data["archived"] is False
    assert api.post("/workflows/nothing/archive").code == 40401
    assert api.as_(Role.OPERATE).post(f"/workflows/{key}/archive").code == 40301


def test_only_a_workflow_without_history_is_removed(api: ApiServer) -> None:
    key = key_of_new(api)
    assert api.delete(f"/workflows/{key}").data["removed"] is True
    assert api.get(f"/workflows/{key}").status == 404
    assert api.delete(f"/workflows/{key}").status == 404


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ({"text": "workflow: w\ntasks:\n  a: {jb: x}\n"}, ("tasks.a.jb", 3)),
        ({"document": {"workflow": "w", "tasks": {"a": {"job": "x", "after": "a"}}}}, ("tasks.a.after", 0)),
        ({"text": "{", "format": "json"}, ("", 1)),
        ({"document": {"tasks": {"a": {"task": "nobody"}}}}, ("tasks.a.task", 0)),
    ],
)
def test_a_text_is_judged_with_the_place_of_each_fault(api: ApiServer, body: Any, fault: tuple[str, int]) -> None:
    reply = api.as_(Role.READ).post("/workflows/validate", body)
    assert reply.status == 200
    assert fault in [(each["where"], each["line"]) for each in reply.data["faults"]]


def test_a_cycle_is_told_by_its_code_and_place_unless_there_are_other_faults(api: ApiServer) -> None:
    ring = {"workflow": "w", "tasks": {"a": {"job": "x", "after": "b"}, "b": {"job": "x", "after": "a"}}}
    reply = api.post("/workflows", {"definition": ring, "submit": False})
    assert (reply.code, reply.data["errors"][0]["where"]) == (42203, "tasks.a.after")
    assert "cycle: " in reply.data["errors"][0]["message"]
    both = api.post("/workflows", {"definition": ring | {"titel": "x"}, "submit": False})
    assert (both.code, {each["where"] for each in both.data["errors"]}) == (42202, {"titel", "tasks.a.after"})


def test_what_a_text_says_is_told_as_far_as_it_can_be_read(api: ApiServer) -> None:
    said = api.post("/workflows/validate", {"text": "workflow: w\ntasks:\n  a: {job: x, after: a}  # a cycle\n"})
    assert said.data["document"] == {"workflow": "w", "tasks": {"a": {"job": "x", "after": "a"}}}
    assert api.post("/workflows/validate", {"text": "workflow: ["}).data["document"] is None


def test_what_would_keep_it_from_running_is_told_with_its_graph(api: ApiServer) -> None:
    tasks = {"a": {"job": "nobodys"}, "b": {"workflow": "nowhere", "after": "a"}}
    reply = api.post("/workflows/validate", {"document": {"workflow": "w", "tasks": tasks}})
    assert (reply.data["workflow"], reply.data["faults"]) == ("w", [])
    assert [box["key"] for box in reply.data["graph"]["boxes"]] == ["a", "b"]
    warnings = " ".join(reply.data["warnings"])
    assert "no daemon has ever registered a job 'nobodys'" in warnings
    assert "there is no workflow 'nowhere'" in warnings

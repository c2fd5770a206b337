"""Callers with lists of workflows: what they define starts no workflow that the list does not have."""

from __future__ import annotations

from typing import Any

import pytest

from qflowd.model.roles import Role
from tests.support.house import House
from tests.support.http import HttpClient

HELLO = {"a": {"job": "hello"}}
SLY = {"workflow": "closes3", "tasks": {"a": {"workflow": "greet"}}}
WAYS_TO_DEFINE: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/workflows", {"definition": SLY}),
    ("POST", "/workflows", {"definition": SLY, "submit": False}),
    ("POST", "/workflows/closes3/versions", {"new": True, "document": SLY}),
    ("POST", "/workflows/closes_own/versions", {"document": SLY | {"workflow": "closes_own"}}),
    ("POST", "/workflows/closes_own/versions", {"copy_of": 2}),
    ("PUT", "/workflows/closes_own/versions/4", {"document": SLY | {"workflow": "closes_own"}}),
    ("POST", "/workflows/closes_own/versions/4/nodes", {"key": "c", "workflow": "greet"}),
    ("POST", "/workflows/closes_own/versions/2/activate", {}),
    ("POST", "/workflows/closes_own/versions/2/activate", {"weight": 10}),
    ("PUT", "/workflows/closes_own/versions/2", {"state": "ACTIVE"}),
    ("POST", "/commands", {"action": "activate", "workflow": "closes_own", "args": {"version": 2}}),
    ("POST", "/commands", {"action": "canary", "workflow": "closes_own", "args": {"version": 2.0, "share": 0.1}}),
    ("POST", "/commands", {"action": "rollback", "workflow": "closes_own"}),
    (
        "POST",
        "/commands",
        {
            "action": "draft",
            "workflow": "closes_own",
            "args": {"source": "workflow: closes_own\ntasks: {z: {workflow: greet}}\n", "format": "yaml"},
        },
    ),
]


@pytest.fixture(scope="module")
def closing(house: House) -> HttpClient:
    """May define `closes*`: versions 1 and 3 of `closes_own` and draft 4 start nothing, its version 2 starts another workflow."""
    for tasks in (HELLO, {"a": {"workflow": "greet"}}, {"b": {"job": "hello"}}):
        definition = {"workflow": "closes_own", "tasks": tasks}
        assert house.post("/workflows", {"definition": definition, "submit": False}).status == 201
    assert house.post("/workflows/closes_own/versions", {"copy_of": "active"}).data["version"] == 4
    return house.api.as_(Role.DEFINE, workflows=("closes*",))


@pytest.mark.parametrize(("method", "path", "body"), WAYS_TO_DEFINE, ids=[str(n) for n in range(len(WAYS_TO_DEFINE))])
def test_a_list_of_workflows_bounds_what_its_caller_lets_them_start(
    closing: HttpClient, method: str, path: str, body: dict[str, Any]
) -> None:
    reply = closing.request(method, f"{path}?wait=0", body, {"If-Match": "*"})
    assert (reply.status, reply.code, "'greet'" in reply.message) == (403, 40302, True), reply.body


def test_what_others_have_made_of_a_listed_workflow_runs_with_it(house: House, closing: HttpClient) -> None:
    """The list bounds what is started by name; a child that is on the list can be defined as well."""
    assert closing.post("/workflows/closes_own/start?wait=0", {"version": 2}).status == 202
    starts_own = {"definition": {"workflow": "closes4", "tasks": {"a": {"workflow": "closes_own"}}}}
    assert closing.post("/workflows?wait=0", starts_own).status == 202
    assert closing.post("/workflows/closes_own/versions/1/activate").status == 200

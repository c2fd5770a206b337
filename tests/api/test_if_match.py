"""If-Match, whatever has one: without it 428, with an older state 412, and of two changes at once one is 412."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from qflowd.api.routing import Endpoint
from qflowd.api.table import endpoints
from tests.support.house import House
from tests.support.http import Reply

AT_ONCE = 4
MATCHED = [route for route in endpoints() if 42801 in route.errors and route.path.startswith("/api/")]
# What is sent, and what must come first; each makes a thing of its own, so that any order of tests is good.
Make = Callable[[House, int], tuple[Mapping[str, Any], Any]]


def _type(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    house.post("/task-types", {"type": f"type_{number}", "job": "hello"})
    return {"id": f"type_{number}"}, {"job": "hello", "title": "x"}


def _definition(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    house.post("/task-definitions", {"key": f"task_{number}", "job": "hello"})
    return {"id": f"task_{number}"}, {"job": "hello", "title": "x"}


def _principal(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    made = house.post("/principals", {"name": f"ann-{number}", "role": "read"})
    return {"id": made.data["id"]}, {"role": "submit"}


def _tenant(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    house.post("/tenants", {"name": f"desk_{number}"})
    return {"id": f"desk_{number}"}, {"title": "x"}


def _limit(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    house.post("/commands?wait=30", {"action": "set_limit", "args": {"limit": f"bank:{number}", "slots": 2}})
    return {"key": f"bank:{number}"}, {"slots": 3}


def _draft(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    document = {"workflow": f"flow_{number}", "tasks": {"a": {"job": "hello"}, "b": {"job": "hello", "after": ["a"]}}}
    house.post(f"/workflows/flow_{number}/versions", {"document": document, "new": True})
    tasks = document["tasks"] | {"c": {"job": "hello"}}  # type: ignore[operator]
    return {"id": f"flow_{number}", "version": "1", "node": "b", "edge": "a:b"}, {
        "document": document | {"tasks": tasks}
    }


def _workflow(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    document = {"workflow": f"flow_{number}", "tasks": {"a": {"job": "hello"}}}
    house.post("/workflows", {"definition": document, "submit": False})
    return {"id": f"flow_{number}"}, {"title": "x"}


def _schedule(house: House, number: int) -> tuple[Mapping[str, Any], Any]:
    """Of a workflow, set by a command to another time than its file says."""
    document = {"workflow": f"flow_{number}", "schedule": {"cron": "0 5 * * *"}, "tasks": {"a": {"job": "hello"}}}
    house.post("/workflows", {"definition": document, "submit": False})
    values = {"id": f"flow_{number}", "name": "cron"}
    house.api.put("/workflows/{id}/schedules/{name}".format(**values), {"cron": "0 6 * * *"}, if_match="*")
    return values, {"cron": "0 7 * * *"}


HOW: Mapping[str, tuple[Make, Any]] = {
    "update_task_type": (_type, None),
    "delete_task_type": (_type, None),
    "update_task_definition": (_definition, None),
    "delete_task_definition": (_definition, None),
    "update_principal": (_principal, None),
    "delete_principal": (_principal, None),
    "update_tenant": (_tenant, None),
    "delete_tenant": (_tenant, None),
    "replace_quotas": (_tenant, {"quotas": {"workflows": 5}}),
    "set_limit": (_limit, None),
    "unset_limit": (_limit, None),
    "update_workflow": (_workflow, None),
    "set_schedule": (_schedule, None),
    "reset_schedule": (_schedule, None),
    "update_version": (_draft, None),
    "delete_version": (_draft, None),
    "create_node": (_draft, {"key": "c", "job": "hello"}),
    "update_node": (_draft, {"job": "hello", "title": "x"}),
    "delete_node": (_draft, None),
    "create_edge": (_draft, {"from": "a", "to": "b", "condition": "a.output.ok"}),
    "delete_edge": (_draft, None),
}


@pytest.mark.parametrize("route", MATCHED, ids=lambda route: f"{route.method} {route.path}")
def test_of_two_changes_that_know_one_state_one_is_told_the_other(house: House, route: Endpoint) -> None:
    make, other = HOW[route.name]
    values, usual = make(house, MATCHED.index(route))
    path = f"{route.path.format(**values)}?wait=30"
    body = usual if other is None else other

    def change(etag: str | None) -> Reply:
        headers = {} if etag is None else {"If-Match": f'"{etag}"'}
        return house.api.request(route.method, path, body, headers)

    refused = change(None)
    assert (refused.status, refused.code) == (428, 42801), refused.body
    assert (change("0" * 20).status, change("0" * 20).code) == (412, 41201)
    etag = refused.message.partition('now "')[2].rstrip('"')
    with ThreadPoolExecutor(AT_ONCE) as threads:
        replies = list(threads.map(lambda _: change(etag), range(AT_ONCE)))
    done = [reply for reply in replies if reply.status < 300]
    assert len(done) == 1, [reply.body for reply in replies]
    gone = (404, 409) if route.method == "DELETE" else ()  # the thing itself, or what the path names of it
    assert all(reply.status in (412, *gone) for reply in replies if reply not in done), [r.body for r in replies]


def test_an_etag_that_a_proxy_has_marked_as_weak_is_the_same(house: House) -> None:
    """As nginx does where it compresses an answer."""
    house.post("/task-types", {"type": "packed", "job": "hello"})
    weak = "W/" + house.api.get("/task-types/packed").headers["etag"]
    assert house.api.get("/task-types/packed", if_none_match=f'"0", {weak}').status == 304
    change = {"job": "hello", "title": "x"}
    assert house.api.put("/task-types/packed", change, if_match=weak).status == 200
    assert house.api.put("/task-types/packed", change, if_match=weak).code == 41201


def test_every_put_needs_if_match_and_those_that_do_not_are_known() -> None:
    puts = {route.name for route in endpoints() if route.method == "PUT" and route.path.startswith("/api/")}
    # One's own; and what refuses a day of which somebody has spoken already.
    assert puts - {route.name for route in MATCHED} == {"update_me", "set_calendar_day"}


def test_a_limit_that_nobody_has_named_has_an_etag_and_those_that_are_there_show_it(house: House) -> None:
    refused = house.api.put("/limits/shop:1?wait=30", {"slots": 2})
    etag = refused.message.partition("now ")[2]
    assert house.api.put("/limits/shop:1?wait=30", {"slots": 2}, if_match=etag).status == 200
    [row] = [row for row in house.api.get("/limits").data if row["name"] == "shop:1"]
    stale = house.api.put("/limits/shop:1?wait=30", {"slots": 4}, if_match=etag)
    assert (stale.status, stale.envelope["data"]["current"]["slots"]) == (412, 2)
    assert house.api.put("/limits/shop:1?wait=30", {"slots": 4}, if_match=f'"{row["etag"]}"').status == 200
    assert house.api.delete("/limits/shop:1?wait=30", if_match="*").status == 200

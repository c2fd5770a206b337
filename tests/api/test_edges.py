"""What stands at the edge of what can be asked, in every list and every parameter: an answer, and never a fault of qflowd."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, quote

import msgspec
import pytest

import qflowd
from qflowd.api.paging import PageQuery, cursor_of
from qflowd.api.reading import read_query
from qflowd.api.routing import Endpoint
from qflowd.api.table import endpoints
from qflowd.model.ids import LARGEST_INSTANCE, task_id
from tests.client.conftest import StandIn
from tests.support.http import ApiServer

GETS = [route for route in endpoints() if route.method == "GET" and not route.path.endswith("/stream")]
# Aliases of lists ask these in pages by number; one of them is asked.
ASKED = [
    route
    for route in GETS
    if route.query and (not route.path.startswith("/scheduling") or route.path.endswith("/audit/list"))
]
# Lists that read their cursors in several ways.
FILTERS: Mapping[str, Sequence[str]] = {
    "/api/v1/tasks": ("state=FAILED", "state=READY", "state=READY,FAILED", "instance={id}", "workflow=daily&since=7d"),
    "/api/v1/failures": ("", "handled=true"),
    "/api/v1/instances/{id}/tasks": ("", "failed=first", "from=1"),
}
NEVER: tuple[Any, ...] = ([], [None], [10**30], [{}], ["a\0"], [1, 2, 3, 4, 5, 6], [1.5], [[1]])
MAYBE: tuple[Any, ...] = (
    ["x"],
    [-1],
    [2**62],
    [2**63 - 1],
    [2, 1, 1],
    [1, 1, 2**31 - 1, 2**62],
    [2**62, 2**62],
    [3],
    ["9999-99-99", "x"],
    ["0001-01-01", "x"],
    ["0001-01-01T00:00:00+14:00", 1],
    ["9999-12-31T23:59:59-12:00", "x"],
)
INSTANTS = (
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999-12:00",
    "9999-12-31T23:59:59",
    "2026-11-30T09:00:00",
)
EDGES = {
    "int": ("-1", str(2**31), str(2**62), str(2**63 - 1), "9" * 20),
    "datetime": INSTANTS,
    "date": ("0001-01-01", "9999-12-31"),
    "str": ("\U0001f600%'\"\\" * 60,),
}
IDS = (0, LARGEST_INSTANCE, LARGEST_INSTANCE + 1, 2**62, 2**62 + 2**20, 2**63 - 1, 10**19, 10**300)


def names(route: Endpoint) -> str:
    return route.path


@pytest.fixture(scope="module")
def things(api: ApiServer) -> Mapping[str, Mapping[str, Any]]:
    """One of each thing, by the first word of a path."""
    stand_in = StandIn(api.url)
    with qflowd.connect(api.url) as client:
        number = client.submit(job="hello").id
    stand_in.admit(number, tasks=("READY", "FAILED"))
    stand_in.fail(number, "Boom: it broke", ordinal=1)
    stand_in.workflow("daily", '{"workflow": "daily", "tasks": {"one": {"job": "hello"}}}', cron="0 5 * * *")
    backfill = stand_in.backfill()
    stand_in.close()
    assert api.post("/tenants", {"name": "desk"}).status == 201
    workflow = {"id": "daily", "version": "1", "node": "one", "name": "cron", "dagId": "daily", "versionId": "1"}
    return {
        "tenants": {"id": "desk"},
        "workflows": workflow,
        "dag": workflow | {"runId": number, "nodeId": "one"},
        "instances": {"id": number, "node": "hello"},
        "tasks": {"id": task_id(number, 1)},
        "task-instance": {"instanceId": task_id(number, 1)},
        "jobs": {"name": "hello"},
        "backfills": {"id": backfill},
    }


def path_of(route: Endpoint, things: Mapping[str, Mapping[str, Any]]) -> str:
    word = re.sub(r"^/(api/v1|scheduling)/", "", route.path).partition("/")[0]
    there = {"name": "show_state", **things.get(word, {})}
    return re.sub(r"\{(\w+)\}", lambda match: quote(str(there.get(match[1], 1)), safe=""), route.path)


def edges_of(hint: Any) -> Sequence[str]:
    """What is asked of a parameter of this type; nothing of one that takes a few words alone."""
    text = str(hint)
    kinds = ("datetime.datetime", "datetime.date", "Literal", "bool", "int", "str")
    found = next(kind for kind in kinds if kind in text)
    return EDGES.get(found.removeprefix("datetime."), ())


@pytest.mark.parametrize(
    "route", [route for route in GETS if route.query and issubclass(route.query, PageQuery)], ids=names
)
def test_no_cursor_that_somebody_made_up_is_a_fault_of_qflowd(
    api: ApiServer, things: Mapping[str, Mapping[str, Any]], route: Endpoint
) -> None:
    assert route.query is not None
    for filters in FILTERS.get(route.path, ("",)):
        asked = filters.format(id=things["instances"]["id"])
        query: Any = read_query(parse_qsl(asked), route.query)
        for key in NEVER + MAYBE:
            reply = api.get(f"{path_of(route, things)}?{asked}&cursor={cursor_of(query, *key)}".replace("?&", "?"))
            assert reply.status < 400 or reply.code == 40003, (asked, key, reply.text)
            assert reply.status == 400 or key not in NEVER, (asked, key)


@pytest.mark.parametrize("route", ASKED, ids=names)
def test_the_edges_of_every_parameter_are_answered(
    api: ApiServer, things: Mapping[str, Mapping[str, Any]], route: Endpoint
) -> None:
    assert route.query is not None
    for field in msgspec.structs.fields(route.query):
        for value in edges_of(field.type):
            reply = api.get(f"{path_of(route, things)}?{field.encode_name}={quote(value)}")
            assert reply.status < 500, (field.encode_name, value, reply.text)


@pytest.mark.parametrize("route", [route for route in GETS if int in route.path_types.values()], ids=names)
def test_the_edges_of_every_number_in_a_path_are_answered(
    api: ApiServer, things: Mapping[str, Mapping[str, Any]], route: Endpoint
) -> None:
    [name] = [name for name, kind in route.path_types.items() if kind is int]
    for number in IDS:
        edge = {word: {**values, name: number} for word, values in things.items()}
        word = route.path.split("/")[3 if route.path.startswith("/api") else 2]
        reply = api.get(path_of(route, {word: {name: number}, **edge}))
        assert reply.status < 500, (number, reply.text)


def test_the_edges_of_topics_are_answered(api: ApiServer) -> None:
    for kind in ("instance", "log", "batch"):
        for number in (LARGEST_INSTANCE, LARGEST_INSTANCE + 1, 2**62 + 2**20, 2**63 - 1, 10**18, 10**19 - 1, 10**20):
            assert api.get(f"/stream?topics={kind}:{number}").status in (400, 404), (kind, number)


def test_an_instant_without_an_offset_is_utc(api: ApiServer, things: Mapping[str, Mapping[str, Any]]) -> None:
    for path in ("/overview?since=", "/schedules?from="):
        plain, zoned = (api.get(f"{path}2026-11-30T09:00:00{end}") for end in ("", "Z"))
        name = "since" if "overview" in path else "from"
        assert plain.data[name] == zoned.data[name] == "2026-11-30T09:00:00Z"
    far = api.get("/schedules?from=9999-12-31T23:59:59.999999Z").data
    assert (far["from"], far["to"], far["fires"]) == ("9999-12-31T00:00:00Z", "9999-12-31T00:00:00Z", [])

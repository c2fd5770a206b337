"""What holds for every route, whatever it does: roles, tenants, statements. Made from the table of routes."""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Mapping
from typing import Any

import pytest
from msgspec import structs

import qflowd
from qflowd.api.answers import ApiFault
from qflowd.api.reading import choices_of, read_query
from qflowd.api.routing import Endpoint
from qflowd.api.table import endpoints
from qflowd.client.transport import READS
from qflowd.model.ids import task_id
from qflowd.model.roles import Role
from qflowd.store.catalog import split
from tests.docs.pages import ROOT
from tests.support.http import ApiServer, HttpClient
from tests.support.stand_in import StandIn

ROUTES = [route for route in endpoints() if route.role > Role.NONE]
# Shared by all tenants, so that there is nothing to hide.
SHARED = ("/jobs/", "/plugins/", "/limits/", "/calendars/")
# Statements of the API that are not of one tenant, and why.
OF_ALL_TENANTS: Mapping[str, str] = {
    "count_open_instances": "of a definition that was found by its tenant",
    **dict.fromkeys(("find_any_instance", "find_version_of_text"), "of a definition that was found by its tenant"),
    "mark_batch": "of the row that this transaction has inserted",
    "find_answered": "the tenant of each row stands in its row set",
    "delete_old_http_keys": "what is over a day old of all tenants",
    **dict.fromkeys(
        ("find_job", "list_jobs", "list_jobs_with_titles", "search_jobs", "list_plugins"), "jobs are everybody's"
    ),
    **dict.fromkeys(
        ("list_daemon_loads", "list_daemons", "list_pools", "list_faulty_files", "find_last_daemon"),
        "hosts are everybody's; names are hidden",
    ),
    **dict.fromkeys(("show_limits", "pause_limit"), "limits are everybody's"),
    "show_clock": "it is one for all",
    "load_tenants": "the tenant that a system caller names stands in its row set",
}


def names(route: Endpoint) -> str:
    return f"{route.method} {route.path}"


def path_with(route: Endpoint, values: Mapping[str, Any]) -> str:
    """The route's path to these things; what is not named does not exist."""

    def fill(match: re.Match[str]) -> str:
        return str(values.get(match[1], "99" if route.path_types[match[1]] is int else "nothing"))

    return re.sub(r"\{(\w+)\}", fill, route.path)


def ask(client: HttpClient, route: Endpoint, path: str) -> Any:
    return client.request(route.method, path, b"{}" if route.is_write else None)


@pytest.fixture(scope="module")
def tokens(api: ApiServer) -> Mapping[Role, HttpClient]:
    """A caller of each role."""
    return {role: api.as_(role) for role in Role if role > Role.NONE}


@pytest.mark.parametrize("route", [route for route in ROUTES if route.role > Role.READ], ids=names)
def test_a_role_that_does_not_reach_is_named(
    api: ApiServer, tokens: Mapping[Role, HttpClient], route: Endpoint
) -> None:
    reply = ask(tokens[Role(route.role - 1)], route, path_with(route, {}))
    assert (reply.status, reply.code) == (403, 40301)
    assert f"needs role {route.role.word}" in reply.message


@pytest.fixture(scope="module")
def things(api: ApiServer) -> Mapping[str, Mapping[str, Any]]:
    """What there is in the tenant `default`, by the first word of a path."""
    stand_in = StandIn(api.url)
    with qflowd.connect(api.url) as client:
        number = client.submit(job="hello").id
        command = client.command("pause", number, timeout=0).id
    stand_in.admit(number, tasks=("READY", "FAILED"))
    stand_in.fail(number, "Boom: it broke", ordinal=1)
    stand_in.workflow("daily", '{"workflow": "daily", "tasks": {"one": {"job": "hello"}}}', cron="0 5 * * *")
    stand_in.close()
    row = task_id(number, 1)
    return {
        "workflows": {"id": "daily", "version": "1", "node": "one", "name": "cron", "edge": "one:two"},
        "instances": {"id": number, "node": "hello"},
        "tasks": {"id": row},
        "attempts": {"id": f"{row}-0"},
        "failures": {"task": row},
        "submissions": {"id": number},
        "commands": {"id": command},
        "batches": {"id": command},
    }


@pytest.mark.parametrize(
    "route",
    [route for route in ROUTES if route.path_types and not any(word in route.path for word in SHARED)],
    ids=names,
)
def test_what_is_another_tenants_is_as_if_it_had_never_been(
    api: ApiServer, things: Mapping[str, Mapping[str, Any]], route: Endpoint
) -> None:
    """The answer is the one for things that do not exist, to the letter but for their names."""
    word = route.path.removeprefix("/api/v1/").partition("/")[0]
    there = things.get(word, {})
    missing = {key: f"{value}".replace("daily", "yearly") if key == "id" else value for key, value in there.items()}
    if isinstance(there.get("id"), int):
        missing["id"] = there["id"] + (7 << 30)
    if isinstance(there.get("task"), int):
        missing["task"] = there["task"] + (7 << 30)
    stranger = _stranger(api)
    found = ask(stranger, route, path_with(route, there))
    expected = ask(stranger, route, path_with(route, missing))
    assert (found.status, found.code) == (expected.status, expected.code)
    assert found.status >= 400
    if route.method == "GET":
        assert found.code == 40401
    assert _without(found.message, there) == _without(expected.message, missing)


@functools.cache
def _stranger(api: ApiServer) -> HttpClient:
    return api.as_(Role.ADMIN, "other")


def _without(message: str, values: Mapping[str, Any]) -> str:
    """The message without names and numbers."""
    for value in sorted(map(str, values.values()), key=len, reverse=True):
        message = message.replace(value, "…")
    return re.sub(r"\d+", "…", message)


def _named_statements() -> dict[str, str]:
    """Statement -> file, of all that `qflowd/api` names, and that clients may ask it."""
    there = set(_texts_of_statements())
    found = dict.fromkeys(READS, "qflowd/client/transport.py")
    for file in sorted((ROOT / "qflowd" / "api").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in there:
                found[node.value] = file.relative_to(ROOT).as_posix()
    return found


def _texts_of_statements() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in (ROOT / "sql").rglob("*.sql"):
        for name, text in split(file):
            found[name] = found.get(name, "") + text
    return found


def test_every_statement_of_the_api_is_of_one_tenant_or_has_a_reason() -> None:
    texts = _texts_of_statements()
    without = {name for name in _named_statements() if ":tenant" not in texts[name]}
    assert sorted(without - OF_ALL_TENANTS.keys()) == []
    assert sorted(OF_ALL_TENANTS.keys() - without) == []


@pytest.mark.parametrize("route", [route for route in endpoints() if route.query is not None], ids=names)
def test_a_parameter_or_a_value_that_a_route_does_not_know_is_refused_with_those_it_knows(route: Endpoint) -> None:
    """A list has the order that its index has; none comes in another one in silence."""
    assert route.query is not None
    fields = {each.encode_name: each.type for each in structs.fields(route.query)}
    wrong: dict[str, list[str]] = {"sort": [], "colour": []}
    for name, choices in (wrong | {name: found for name in fields if (found := choices_of(fields[name]))}).items():
        with pytest.raises(ApiFault, match=f"^{name}: ") as refused:
            read_query([(name, "nonsense")], route.query)
        assert refused.value.code == 40002
        said = refused.value.errors[0].message
        assert all(word in said for word in choices)
        if name not in fields and (known := said.partition("; known: ")[2]):
            assert set(known.split(", ")) == fields.keys()


def test_so_are_they_over_http(api: ApiServer) -> None:
    for path, said in (
        ("/workflows?sort=name", "sort: unknown query parameter"),
        ("/audit?sort=name", "sort: 'name' cannot be read: it must be newest or oldest"),
        ("/jobs?sort=name", "sort: GET /api/v1/jobs takes no such parameter"),
        ("/search", "q: is missing"),
        ("/workflows/bars/gaps?from=soon", "from: 'soon' must be a date, like 2026-11-20"),
        ("/audit?from=soon", "from: 'soon' must be an instant, like 2026-11-20T09:30:00Z"),
        ("/instances?state=", "state: there is no state ''; there are READY, RUNNING"),
    ):
        reply = api.get(path)
        assert (reply.status, reply.code) == (400, 40002)
        assert reply.message.startswith(said)


def test_a_body_is_refused_with_what_is_missing_and_with_the_words_that_may_be(api: ApiServer) -> None:
    for method, path, body, said in (
        ("POST", "/tenants", {}, "name: is missing"),
        ("POST", "/backfills", {"workflow": "w", "from": "soon", "to": "x"}, "from: must be a date, like 2026-11-20"),
        ("PUT", "/me", {"lang": "xx"}, "lang: must be en or zh, not 'xx'"),
    ):
        reply = api.request(method, path, body)
        assert (reply.code, reply.message) == (42202, said)
        assert reply.data["errors"] == [dict(zip(("where", "message"), said.split(": ", 1), strict=True))]

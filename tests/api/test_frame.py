"""The frame that all routes share: envelope, codes, strict reading, paths, description."""

from __future__ import annotations

import json
import logging
import re
import socket

import pytest

from qflowd.api.cache import TtlCache
from qflowd.api.call import Call
from qflowd.api.codes import CODES
from qflowd.api.resources import me, meta
from qflowd.api.routing import PREFIX, Endpoint, route
from qflowd.api.table import endpoints
from qflowd.model.errors import SchemaOutdated, StoreUnavailable
from qflowd.model.roles import Role
from tests.docs.pages import ROOT
from tests.support.http import ApiServer, HttpClient

ROUTES = endpoints()
CLOSED = [route for route in ROUTES if route.role > Role.NONE]


def example(route: Endpoint) -> str:
    """A path of the route, of things that do not exist."""
    return re.sub(r"\{(\w+)\}", lambda match: "99" if route.path_types[match[1]] is int else "nothing", route.path)


def names(route: Endpoint) -> str:
    return f"{route.method} {route.path}"


def test_health_needs_no_credentials_and_readiness_asks_the_database(api: ApiServer) -> None:
    assert api.anonymous().get("/healthz").text == "ok\n"
    assert api.anonymous().get("/readyz").text == "ok\n"


def test_whoever_asks_for_readiness_again_and_again_asks_the_database_once(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(meta, "_SEEN", TtlCache(60.0))
    monkeypatch.setattr(meta.migrate, "check", lambda _store: asked.append(1))
    assert {api.anonymous().get("/readyz").text for _ in range(4)} == {"ok\n"}
    assert len(asked) == 1


def test_only_the_system_is_told_where_the_database_is(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    where = api.store.dialect.describe()

    def away(*_: object) -> None:
        raise StoreUnavailable(f"cannot reach PostgreSQL at {where}: it is off")

    def outdated(*_: object) -> None:
        raise SchemaOutdated(f"{where} lacks 3 steps of schema 9: run `qflowd migrate`")

    callers = {role: api.as_(role) for role in (Role.READ, Role.ADMIN, Role.SYSTEM)}
    assert {caller.get("/me").status for caller in callers.values()} == {200}
    monkeypatch.setattr(me, "_me", away)
    for role, caller in callers.items():
        reply = caller.get("/me")
        assert (reply.status, reply.code, where in reply.message) == (503, 50301, role == Role.SYSTEM)
        assert role == Role.SYSTEM or reply.message.startswith("the database cannot be reached; ")
    for check, code in ((away, 50301), (outdated, 50303)):
        monkeypatch.setattr(meta, "_SEEN", TtlCache(60.0))
        monkeypatch.setattr(meta.migrate, "check", check)
        reply = api.anonymous().get("/readyz")
        assert (reply.status, reply.code, where in reply.message) == (503, code, False)
    assert "the database lacks 3 steps" in reply.message
    assert caplog.text.count(where) == 5


def test_reads_that_succeed_are_for_the_log_of_those_who_look_closely(
    api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    reader = api.as_(Role.READ)
    caplog.set_level(logging.DEBUG, "qflowd.api.access")
    etag = api.get("/me").headers["etag"]
    asked = [
        api.get("/me", If_None_Match=etag),
        api.anonymous().get("/healthz"),
        api.get("/me?a=1"),
        api.get("/instances/99"),
        api.anonymous().get("/me"),
        reader.get("/principals"),
        api.post("/commands?wait=0", {"action": "none"}),
        api.put("/me", {"theme": "dark"}),
    ]
    found = [(record.args[3], record.levelname) for record in caplog.records if isinstance(record.args, tuple)]
    assert [status for status, _ in found[1:]] == [reply.status for reply in asked]
    assert found[:3] == [(200, "DEBUG"), (304, "DEBUG"), (200, "DEBUG")]
    assert {level for _, level in found[3:]} == {"INFO"}
    assert [status for status, _ in found[3:]] == [400, 404, 401, 403, 202, 200]


def test_answers_are_enveloped_and_carry_an_etag_that_spares_the_body(api: ApiServer) -> None:
    reply = api.get("/version")
    assert (reply.status, reply.code, reply.message) == (200, 0, "success")
    assert reply.data["name"] == "qflowd"
    again = api.get("/version", if_none_match=reply.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_every_code_is_listed_with_its_status(api: ApiServer) -> None:
    found = {row["code"]: row["status"] for row in api.anonymous().get("/codes").data}
    assert found.keys() == CODES.keys()
    assert all(status == (code // 100 or 200) for code, status in found.items())


@pytest.mark.parametrize("path", ["/nothing", "/api/v2/x", "/api", "/scheduling/nothing", "/assets/none.js"])
def test_a_path_that_is_not_there_is_named(api: ApiServer, path: str) -> None:
    reply = api.get(path if path.startswith(("/api", "/sched")) else f"/api/v1{path}")
    assert (reply.status, reply.code) == (404, 40401)
    assert "there is no route GET" in reply.message


def test_a_method_that_is_not_there_is_told_which_are(api: ApiServer) -> None:
    reply = api.post("/version")
    assert (reply.status, reply.code) == (405, 40501)
    assert "GET" in reply.headers["allow"]


def test_a_query_parameter_that_no_route_knows_is_refused(api: ApiServer) -> None:
    reply = api.get("/version?sort=x")
    assert (reply.status, reply.code) == (400, 40002)
    assert "sort" in reply.message


@pytest.mark.parametrize("text", ["-1", "61", "soon", "nan"])
def test_a_wait_that_cannot_be_is_refused(api: ApiServer, text: str) -> None:
    reply = api.get(f"/version?wait={text}")
    assert (reply.status, reply.code) == (400, 40002)
    assert "wait: must be seconds from 0 to 60" in reply.message


@pytest.mark.parametrize("route", CLOSED, ids=names)
def test_every_route_is_closed_to_those_without_credentials(api: ApiServer, route: Endpoint) -> None:
    reply = api.anonymous().request(route.method, example(route), b"{}" if route.is_write else None)
    assert (reply.status, reply.code) == (401, 40101)
    assert reply.headers["www-authenticate"] == "Bearer"


def test_a_body_that_is_too_large_is_refused_before_it_is_read(api: ApiServer) -> None:
    answer = _raw(api, f"{PREFIX}/version", "Content-Length: 99000000")
    assert "413" in answer.split("\r\n")[0]
    assert "41301" in answer


def test_headers_of_ten_thousand_lines_are_refused_and_the_server_goes_on(api: ApiServer) -> None:
    answer = _raw(api, f"{PREFIX}/version", "\r\n".join(f"X-{number}: y" for number in range(10_000)))
    assert "431" in answer.split("\r\n")[0]
    assert api.get("/version").status == 200


def test_the_description_says_of_every_route_what_it_needs(api: ApiServer) -> None:
    document = json.loads(api.anonymous().get("/openapi.json").body)
    assert document["openapi"].startswith("3.1")
    there = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert there == {(route.method, route.path) for route in ROUTES}
    operations = [operation for methods in document["paths"].values() for operation in methods.values()]
    identities = [operation["operationId"] for operation in operations]
    assert len(set(identities)) == len(identities)
    assert all(operation["summary"] for operation in operations)


def test_the_description_in_docs_is_that_of_the_routes() -> None:
    from qflowd.api.openapi import description

    file = ROOT / "docs" / "openapi.json"
    assert file.read_bytes() == description() + b"\n", "`make openapi` writes it"


def test_below_a_base_path_everything_is_found_with_and_without_it(database_url: str) -> None:
    with ApiServer(database_url, {"base_path": "/qflowd"}) as api:
        plain = HttpClient(api.port)
        assert plain.get("/api/v1/version").status == 200
        assert _raw(api, "/qflowd/api/v1/version").startswith("HTTP/1.1 200")
        assert _raw(api, "/qflowd/healthz").startswith("HTTP/1.1 200")
        assert _raw(api, "/qflowdish/healthz").startswith("HTTP/1.1 200")  # a page of the dashboard
        assert _raw(api, "/qflowdish/api/v1/version").find("<!doctype") > 0


def _raw(api: ApiServer, path: str, header: str = "Accept: */*") -> str:
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n\r\n".encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
    return b"".join(parts).decode()


def test_a_route_does_not_say_what_follows_from_what_it_is() -> None:
    def show(call: Call, id: int) -> None:
        """Nothing."""

    with pytest.raises(TypeError, match=r"\{40401\} follow from the route"):
        route("GET", "/nothing/{id}", Role.READ, errors=(40401,))(show)

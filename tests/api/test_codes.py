"""Every code of the table is given by a real request; one that nothing gives is no code."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from qflowd.api.codes import CODES
from qflowd.api.http import requests, server
from qflowd.api.resources import me, meta
from qflowd.model.errors import GrantsMissing, QueryTooSlow, SchemaOutdated, StoreUnavailable
from qflowd.model.roles import Role
from tests.api.person import signed_in
from tests.conftest import GetServer
from tests.support.daemon import until
from tests.support.house import House, open_house
from tests.support.http import ApiServer, HttpClient, Reply

ONE = {"a": {"job": "hello"}}
Give = Callable[[House, pytest.MonkeyPatch], Reply]


@pytest.fixture(scope="module")
def house(get_server: GetServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """On one database: what each gives on the others is told beside what is about it."""
    url = get_server("sqlite").create_store()
    with open_house(url, tmp_path_factory.mktemp("house")) as found:
        yield found


@contextlib.contextmanager
def other(house: House, **settings: Any) -> Iterator[ApiServer]:
    """Another server, over an empty store."""
    with ApiServer(f"sqlite:///{house.folder}/{'-'.join(settings)}.db", settings) as found:
        yield found


def sent(house: House, head: str, *, path: str = "/api/v1/submissions") -> Reply:
    """The answer to a request that is written by hand, and need not be whole."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {house.api.token}", head, "", ""]
    return raw(house, "\r\n".join(lines))


def raw(house: House, request: str) -> Reply:
    """The answer to what need not be HTTP."""
    with socket.create_connection(("127.0.0.1", house.api.port), timeout=20) as connection:
        connection.sendall(request.encode())
        text = b""
        while b"}}" not in text and (part := connection.recv(65536)):
            text += part
    first, _, body = text.partition(b"\r\n\r\n")
    return Reply(int(first.split()[1]), {}, body)


def twice(house: House, path: str, body: Any, **headers: str) -> Reply:
    house.post(path, body, **headers)
    return house.post(path, body, **headers)


def in_use(house: House) -> Reply:
    house.post("/task-types", {"type": "used", "job": "hello"})
    house.post("/task-definitions", {"key": "user", "type": "used"})
    return house.api.delete("/task-types/used", if_match="*")


def read_only(house: House, _: pytest.MonkeyPatch) -> Reply:
    with other(house, read_only=True) as server:
        return server.post("/workflows/greet/start")


def too_fast(house: House, _: pytest.MonkeyPatch) -> Reply:
    with other(house, rate="1/h", burst=1) as server:
        server.get("/version")
        return server.get("/version")


def over_quota(house: House, _: pytest.MonkeyPatch) -> Reply:
    house.post("/tenants", {"name": "desk"})
    house.api.put("/tenants/desk/quotas", {"quotas": {"submissions_per_day": 0}}, if_match="*")
    return house.api.as_(Role.SUBMIT, "desk").post("/submissions?wait=30", {"job": "hello"})


def slow_body(house: House, monkeypatch: pytest.MonkeyPatch) -> Reply:
    monkeypatch.setattr(requests, "SLOWEST_BODY_S", 0.1)
    return sent(house, "Content-Length: 10")


def with_other_content(house: House, _: pytest.MonkeyPatch) -> Reply:
    house.post("/commands?wait=0", {"action": "resume", "workflow": "greet"}, idempotency_key="k")
    return house.post("/commands?wait=0", {"action": "pause", "workflow": "greet"}, idempotency_key="k")


def of_other_set(house: House, _: pytest.MonkeyPatch) -> Reply:
    number = house.started("greet")
    house.ended(number)
    about = {"action": "retry", "where": {"workflow": "greet"}, "expect": {"instances": 999, "digest": "x"}}
    return house.post("/batches?wait=30", about)


def cycle(house: House, _: pytest.MonkeyPatch) -> Reply:
    tasks = ONE | {"b": {"job": "hello", "after": ["a"]}}
    house.post("/workflows/round/versions", {"document": {"workflow": "round", "tasks": tasks}, "new": True})
    return house.api.post("/workflows/round/versions/1/edges", {"from": "b", "to": "a"}, if_match="*")


def expression(house: House, _: pytest.MonkeyPatch) -> Reply:
    document = {"workflow": "keyed", "concurrency": {"keyed": "{{ params.account }}"}, "tasks": ONE}
    return house.post("/workflows?wait=30", {"definition": document})


def too_many_streams(house: House, _: pytest.MonkeyPatch) -> Reply:
    reader, path = house.api.as_(Role.READ), "/api/v1/stream?topics=instances"
    with contextlib.ExitStack() as open_ones:
        for _number in range(4):
            connection = socket.create_connection(("127.0.0.1", reader.port), timeout=20)
            open_ones.enter_context(connection)
            head = f"GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {reader.token}\r\n\r\n"
            connection.sendall(head.encode())
            text = b""
            while b"event:" not in text:
                text += connection.recv(65536)
        return reader.get(path)


def broken(error: Exception) -> Give:
    """`GET /me` where its handler meets this error."""

    def give(house: House, monkeypatch: pytest.MonkeyPatch) -> Reply:
        def fail(*_: Any) -> None:
            raise error

        monkeypatch.setattr(me, "_me", fail)
        return house.api.get("/me")

    return give


def not_ready(house: House, monkeypatch: pytest.MonkeyPatch) -> Reply:
    def fail(_: Any) -> None:
        raise SchemaOutdated("the schema is older; `qflowd migrate`")

    monkeypatch.setattr(meta.migrate, "check", fail)
    until(lambda: house.api.get("/readyz").status != 200, what="the last answer to be too old")
    return house.api.get("/readyz")


def crowded(house: House, monkeypatch: pytest.MonkeyPatch) -> Reply:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 1)
    with socket.create_connection(("127.0.0.1", house.api.port)) as other:
        other.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert b" 200 " in other.recv(100)
        reply = house.api.get("/version")
        assert (reply.headers["connection"], reply.headers["retry-after"]) == ("close", "2")
        return reply


GIVEN: Mapping[int, Give] = {
    0: lambda house, _: house.api.get("/version"),
    40001: lambda house, _: house.post("/submissions", b"{"),
    40002: lambda house, _: house.api.get("/instances?stat=x"),
    40003: lambda house, _: house.api.get("/instances?cursor=x"),
    40004: lambda house, _: raw(house, "NOT HTTP AT ALL\r\n\r\n"),
    40101: lambda house, _: house.api.anonymous().get("/me"),
    40102: lambda house, _: HttpClient(house.api.port, "x").get("/me"),
    40103: lambda house, _: house.api.anonymous(cookie="qflowd=x").get("/me"),
    40301: lambda house, _: house.api.as_(Role.READ).post("/workflows/greet/start"),
    40302: lambda house, _: house.api.as_(Role.SUBMIT, workflows=("x",)).post("/workflows/greet/start"),
    40303: lambda house, _: signed_in(house.api, "ann").send("PUT", "/me", {}, x_qflowd_csrf=None),
    40304: lambda house, _: house.api.with_(host="evil.example").get("/me"),
    40305: read_only,
    40401: lambda house, _: house.api.get("/instances/99"),
    40501: lambda house, _: house.post("/version"),
    40801: slow_body,
    40901: lambda house, _: house.post("/workflows/greet/nodes/hello/resume?wait=30"),
    40902: lambda house, _: twice(house, "/task-types", {"type": "twin", "job": "hello"}),
    40903: lambda house, _: in_use(house),
    40904: lambda house, _: house.post("/workflows/greet/versions/1/nodes", {"key": "b", "job": "hello"}, if_match="*"),
    40905: with_other_content,
    40906: lambda house, _: house.api.put("/workflows/greet", {"title": "x"}, if_match="*"),
    40907: of_other_set,
    40908: lambda house, _: twice(house, "/workflows/greet/start?wait=30", {"business_date": "2026-11-20"}),
    41201: lambda house, _: house.api.put("/limits/vendor:x", {"slots": 2}, if_match='"x"'),
    41301: lambda house, _: sent(house, "Content-Length: 99000000"),
    41501: lambda house, _: house.api.request("POST", "/submissions", b"{}", {"Content-Type": "text/plain"}),
    42201: lambda house, _: house.post("/workflows/greet/start?wait=30", {"params": {"name": []}}),
    42202: lambda house, _: house.post("/submissions", {"workfow": "greet"}),
    42203: cycle,
    42204: lambda house, _: house.post("/submissions?wait=30", {"job": "nobody_has_it"}),
    42205: expression,
    42206: lambda house, _: house.api.get("/tasks"),
    42801: lambda house, _: house.api.put("/limits/vendor:x", {"slots": 2}),
    42901: too_fast,
    42902: over_quota,
    42903: too_many_streams,
    43101: lambda house, _: sent(house, "\r\n".join(f"X-{number}: y" for number in range(300))),
    50001: broken(ZeroDivisionError("ours")),
    50002: broken(GrantsMissing("the database account qflow_api lacks a grant")),
    50301: broken(StoreUnavailable("the database is away")),
    50302: broken(QueryTooSlow("it took too long")),
    50303: not_ready,
    50304: crowded,
}


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_given_by_a_request(house: House, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    reply = GIVEN[code](house, monkeypatch)
    assert reply.code == code, reply.body
    assert reply.status == (code // 100 or 200)

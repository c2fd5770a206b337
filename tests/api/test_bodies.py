"""Bodies are read once it is known who sends them, and no more of them than may be sent."""

from __future__ import annotations

import http.client
import logging
import socket

import pytest

import qflowd
from qflowd.api.access import credentials
from qflowd.api.http import lingering_close, slow_clients
from qflowd.model.roles import Role
from tests.api.person import signed_in
from tests.support.daemon import until
from tests.support.http import ApiServer, HttpClient
from tests.support.stand_in import StandIn

LARGE = 1_900_000
LEAVING = 20  # clients that do
SLOW = {"rate": "1/h", "burst": 8}


def announced(api: ApiServer, path: str, *headers: str, host: str = "localhost") -> str:
    """The answer to a POST of which only the headers are sent, up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        lines = [f"POST {path} HTTP/1.1", f"Host: {host}", "Content-Type: application/json", *headers]
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
            if len(parts) == 1:
                connection.shutdown(socket.SHUT_WR)
    return b"".join(parts).decode()


@pytest.mark.parametrize(
    ("code", "headers"),
    [
        (40101, []),
        (40102, ["Authorization: Bearer x"]),
        (40103, [f"Cookie: qflowd={'0' * 43}"]),
        (40301, ["Authorization: Bearer {reader}"]),
        (40303, ["Cookie: qflowd={session}"]),
    ],
)
def test_who_may_not_write_is_told_so_without_the_body(api: ApiServer, code: int, headers: list[str]) -> None:
    known = {"reader": api.token_of(Role.READ), "session": ""}
    if code == 40303:
        known["session"] = signed_in(api, "announcer", Role.SYSTEM).cookie.partition("=")[2]
    filled = [header.format(**known) for header in headers]
    for length in ("Content-Length: 1900000", "Transfer-Encoding: chunked"):
        answer = announced(api, "/api/v1/submissions", length, *filled)
        assert f'"code":{code}' in answer
        assert "connection: close" in answer.lower()


def test_other_hosts_too_large_bodies_and_paths_that_are_not_there_are_refused_without_it(api: ApiServer) -> None:
    assert '"code":40304' in announced(api, "/api/v1/submissions", "Content-Length: 1900000", host="evil.example")
    assert '"code":40401' in announced(api, "/api/v1/nothing", "Content-Length: 1900000")
    token = f"Authorization: Bearer {api.token}"
    assert '"code":41301' in announced(api, "/api/v1/submissions", "Content-Length: 99000000", token)
    assert '"code":41301' in announced(api, "/api/v1/login", "Content-Length: 100000")


def test_who_waits_for_permission_to_send_is_not_asked_to(api: ApiServer) -> None:
    about = "Content-Length: 1900000", "Expect: 100-continue"
    refused = announced(api, "/api/v1/submissions", *about)
    assert refused.startswith("HTTP/1.1 401")
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        head = ["POST /api/v1/submissions?wait=0 HTTP/1.1", "Host: localhost", *about, "Content-Type: application/json"]
        connection.sendall("\r\n".join([*head, f"Authorization: Bearer {api.token}", "", ""]).encode())
        assert connection.recv(65536).startswith(b"HTTP/1.1 100")


def test_a_client_that_sends_everything_first_still_gets_the_answer(api: ApiServer) -> None:
    for client in (api.anonymous(), api.as_(Role.READ)):
        reply = client.request("POST", "/submissions", b"x" * LARGE)
        assert reply.code in (40101, 40301)
        assert reply.headers["connection"] == "close"


def test_after_a_small_body_the_connection_serves_the_next_request(api: ApiServer) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", api.port, timeout=20)
    try:
        for method, path, status in (("POST", "/api/v1/submissions", 401), ("GET", "/api/v1/version", 200)):
            connection.request(method, path, b"{}" if method == "POST" else None, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
    finally:
        connection.close()


def test_who_never_ends_a_refused_body_is_left(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lingering_close, "LINGER_S", 0.1)
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.sendall(b"POST /api/v1/submissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1900000\r\n\r\n{")
        received = b""
        while part := connection.recv(65536):
            received += part
        assert received.startswith(b"HTTP/1.1 401 ")


def test_credentials_that_are_not_known_cost_no_more_statements_than_an_address_may(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    find_caller = credentials.find_caller

    def counted(*args):
        asked.append(1)
        return find_caller(*args)

    monkeypatch.setattr(credentials, "find_caller", counted)
    with ApiServer(database_url, SLOW) as api:
        known = api.as_(Role.READ)
        assert known.get("/me").status == 200
        statuses = [HttpClient(api.port, f"x{number}").get("/me").status for number in range(9)]
        assert statuses == [401, 401] + [429] * 7
        assert [HttpClient(api.port, "x").get("/healthz").status for _ in range(3)] == [200] * 3
        assert len(asked) == 3
        api.api.credentials.forget()
        assert known.get("/me").status == 200, "who was here is asked for again, however full the address is"
        assert api.as_(Role.READ).get("/me").status == 429
        api.store.transact(lambda tx: tx.run("delete_tokens_of_principal", principal_id=2))
        api.api.credentials.forget()
        assert known.get("/me").status == 401
        assert known.get("/me").status == 429


def test_good_credentials_cost_their_address_nothing(sqlite_url: str) -> None:
    with ApiServer(sqlite_url, SLOW) as api:
        statuses = [api.as_(Role.READ).get("/me").status for _ in range(6)]
        assert statuses == [200] * 6


def test_a_caller_who_is_forgotten_while_it_is_looked_for_is_not_remembered(
    api: ApiServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    find_caller = credentials.find_caller

    def and_forget(*args):
        found = find_caller(*args)
        api.api.credentials.forget()  # a token is revoked meanwhile
        return found

    monkeypatch.setattr(credentials, "find_caller", and_forget)
    client, asked = api.as_(Role.READ), []
    assert client.get("/me").status == 200
    monkeypatch.setattr(credentials, "find_caller", lambda *args: (asked.append(1), find_caller(*args))[1])
    assert client.get("/me").status == 200
    assert asked == [1]


@pytest.mark.parametrize(
    ("body", "where", "fault"),
    [
        (r'{"job": "hello", "params": {"a": [{"b": "x\u0000"}]}}', "params.a[0].b", "contains NUL"),
        (r'{"job": "hello", "name": "\ud800"}', "name", "contains half a character"),
        (r'{"job": "hello", "params": {"\u0000": 1}}', "params", r"has the key '\x00', which contains NUL"),
        (
            r'{"items": [{"job": "hello", "idempotency_key": "k\udfff"}]}',
            "items[0].idempotency_key",
            "half a character",
        ),
    ],
)
def test_what_no_database_holds_is_refused_with_its_place(api: ApiServer, body: str, where: str, fault: str) -> None:
    refused = api.post("/submissions?wait=0", body.encode())
    assert (refused.status, refused.code) == (422, 42202)
    (problem,) = refused.data["errors"]
    assert problem["where"] == where
    assert fault in problem["message"]


@pytest.mark.parametrize("text", ["%00", "a%ff", "%ed%a0%80"])
def test_a_query_that_no_database_holds_is_refused(api: ApiServer, text: str) -> None:
    for name in ("name", "tenant", "wait", "lang", "colour"):
        refused = api.get(f"/instances?{name}={text}")
        assert (refused.status, refused.code) == (400, 40002)
        assert f"{name}: is not UTF-8, or contains NUL" in refused.message
    assert api.get(f"/instances?{text}=1").code == 40002
    assert api.get(f"/workflows/{text}").code == 40401


def test_a_write_whose_client_left_before_it_was_read_is_not_done_by_halves(
    own_api: ApiServer, caplog: pytest.LogCaptureFixture
) -> None:
    """The server drops the body of a client that has gone: `tasks` and `reason` were lost, and all tasks ran again."""
    stand_in = StandIn(own_api.url)
    with qflowd.connect(own_api.url) as client:
        instance = stand_in.admit(client.submit(job="hello").id, tasks=("READY", "READY"))
    body = b'{"tasks": ["only_this_one"], "reason": "prices came again"}'
    caplog.set_level(logging.INFO, "qflowd.api.access")
    for _ in range(LEAVING):
        token = own_api.token_of(Role.OPERATE)  # not known yet: it is looked up while the client leaves
        lines = [f"POST /api/v1/instances/{instance}/retry?wait=0 HTTP/1.1", "Host: localhost"]
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}", f"Authorization: Bearer {token}"]
        with socket.create_connection(("127.0.0.1", own_api.port), timeout=20) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
    answered = own_api.post(f"/instances/{instance}/retry?wait=0", {"reason": "the last one"})
    assert answered.status == 202
    until(lambda: caplog.text.count(" retry_instance ") == LEAVING + 1, 20, what="all requests to have ended")
    written = stand_in.sql("SELECT reason FROM qflow.commands WHERE reason IS NULL OR args IS NULL")
    stand_in.close()
    assert written == [("the last one",)]


def test_a_head_that_is_not_sent_to_its_end_is_not_waited_for(api: ApiServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand of them left the server no connection, and nobody had to be known for it."""
    monkeypatch.setattr(slow_clients, "SLOWEST_HEAD_S", 0.5)
    whole = f"GET /api/v1/version HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n\r\n".encode()
    for before in (b"", whole):
        with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
            connection.sendall(before)
            answer = b""
            while before and not answer.endswith(b"}"):
                answer += connection.recv(65536)
            connection.sendall(b"GET /api/v1/me HTTP/1.1\r\nHost: loc")
            assert connection.recv(65536) == b""

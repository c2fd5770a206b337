"""Requests that no library would write: what is not HTTP, heads without end, targets that are whole addresses."""

from __future__ import annotations

import json
import socket

import pytest

from tests.support.http import ApiServer, Reply


def answer(api: ApiServer, request: bytes) -> Reply:
    """What comes up to the end of the connection."""
    with socket.create_connection(("127.0.0.1", api.port), timeout=20) as connection:
        connection.sendall(request)
        text = b""
        while part := connection.recv(65536):
            text += part
    head, _, body = text.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return Reply(int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines), body)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (b"\x16\x03\x01\x02\x00\x01", 40004),
        (b"HELO there\r\n\r\n", 40004),
        (b"GET /api/v1/version HTTP\r\nHost: a\r\n\r\n", 40004),
        (b"GET /api/v1/version HTTP/1.1\r\n\r\n", 40004),
        (b"GET /api/v1/version HTTP/1.1\r\nHost: a\r\nBad Name: 1\r\n\r\n", 40004),
        (b"GET /api/v1/version HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 40004),
        (b"GET /" + b"a" * 70_000, 43101),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 70_000, 43101),
    ],
)
def test_what_cannot_be_read_is_answered_in_the_form_of_all_answers(api: ApiServer, request_: bytes, code: int) -> None:
    refused = answer(api, request_)
    assert (refused.status, refused.code) == (code // 100, code)
    assert refused.envelope.keys() == {"code", "message", "data"}
    assert refused.data["request_id"] == refused.headers["x-request-id"]
    assert (refused.headers["content-type"], refused.headers["connection"]) == ("application/json", "close")
    assert refused.headers["x-content-type-options"] == "nosniff"


def test_a_body_that_breaks_off_its_form_ends_the_connection(api: ApiServer) -> None:
    head = f"POST /api/v1/submissions HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n"
    head += "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert answer(api, head.encode() + b"zz\r\n").code == 40004
    assert api.get("/version").status == 200


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_a_body_with_two_ends_is_refused_and_the_connection_ended(api: ApiServer, version: str) -> None:
    head = f"POST /api/v1/submissions HTTP/{version}\r\nHost: localhost\r\nAuthorization: Bearer {api.token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n"
    refused = answer(api, head.encode() + b"2\r\n{}\r\n0\r\n\r\n")
    assert (refused.code, refused.headers["connection"]) == (40004, "close")
    assert "Content-Length and Transfer-Encoding" in refused.message


def test_a_head_of_many_packets_is_read_up_to_the_limit(api: ApiServer) -> None:
    lines = "".join(f"X-{number}: {'a' * 900}\r\n" for number in range(60))
    head = f"GET /api/v1/me HTTP/1.1\r\nHost: localhost\r\n{lines}"
    head += f"Connection: close\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    assert answer(api, head.encode()).status == 200


@pytest.mark.parametrize("address", ["http://localhost", "HTTP://127.0.0.1:1", "https://[::1]:8080"])
def test_the_target_may_be_a_whole_address(api: ApiServer, address: str) -> None:
    about = f"HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    whole = answer(api, f"GET {address}/api/v1/me?wait=0 {about}".encode())
    assert (whole.status, whole.data["role"]) == (200, "system")
    assert answer(api, f"GET {address}/api/v1/workflows/a%2Fb {about}".encode()).code == 40401
    assert json.loads(answer(api, f"GET {address}/api/v1/workflows/a%2Fb {about}".encode()).body)["message"].count(
        "a/b"
    )
    assert answer(api, f"GET {address} {about}".encode()).headers["content-type"].startswith("text/html")


def test_the_host_of_a_whole_address_is_the_one_that_counts(api: ApiServer) -> None:
    about = f"HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer {api.token}\r\n\r\n"
    assert answer(api, f"GET http://evil.example/api/v1/me {about}".encode()).code == 40304
    assert answer(api, f"GET http:///api/v1/me {about}".encode()).status == 200

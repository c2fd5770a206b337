"""A proxy in front of an HTTP API that does what networks and other proxies do: it loses answers, refuses, and redirects.

with Front(api.port) as front:
    front.does("lose", (429, {"Retry-After": "1"}, b""))   # what becomes of the next requests; then they pass
    front.seen                                              # (method, path, headers, body) of all requests
"""

from __future__ import annotations

import contextlib
import http.client
import ssl
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, Self

LOSE = "lose"  # the server answers, and its client never hears of it
Answer = tuple[int, Mapping[str, str], bytes]
HOP_BY_HOP = {"connection", "transfer-encoding", "keep-alive"}


class Seen(NamedTuple):
    """A request that has arrived; `at`: seconds of a clock."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float


class Front:
    """Forwards a free loopback port to the API at `port`; `certificate`: a file with key and certificate, for TLS."""

    def __init__(self, port: int, certificate: str | None = None) -> None:
        self.seen: list[Seen] = []
        self._next: list[str | Answer] = []
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _pass(self) -> None:
                front._handle(self, port)

            do_GET = do_POST = _pass  # noqa: N815 - names that http.server looks for

            def log_message(self, *_about: Any) -> None:
                """Tests look at `seen`."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(10)

    def does(self, *deeds: str | Answer) -> None:
        """What becomes of the next requests, in their order; `seen` begins anew."""
        self._next[:] = deeds
        self.seen.clear()

    def _handle(self, request: BaseHTTPRequestHandler, port: int) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length", "0")))
        self.seen.append(Seen(request.command, request.path, dict(request.headers), body, time.monotonic()))
        deed = self._next.pop(0) if self._next else None
        answer = deed if isinstance(deed, tuple) else _forwarded(request, body, port)
        if deed == LOSE:
            request.close_connection = True
            return
        status, headers, data = answer
        with contextlib.suppress(OSError):
            request.send_response(status)
            for name, text in headers.items():
                if name.lower() not in HOP_BY_HOP | {"content-length"}:
                    request.send_header(name, text)
            request.send_header("Content-Length", str(len(data)))
            request.end_headers()
            request.wfile.write(data)


def _forwarded(request: BaseHTTPRequestHandler, body: bytes, port: int) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=90)
    try:
        connection.request(request.command, request.path, body or None, dict(request.headers))
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()

"""Clients that send no HTTP, or no request to its end, or take nothing of what they are sent: their connection is ended."""

import asyncio
import secrets
import sys
from typing import Any, Final

import h11
from starlette.types import Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from qflowd.api.access.headers import security_headers
from qflowd.api.answers import JSON, ApiFault, enveloped_fault
from qflowd.api.http.requests import LARGEST_HEADERS

SLOWEST_SEND_S: Final = 30.0  # a client that takes nothing for so long is gone
SLOWEST_HEAD_S: Final = 20.0  # as long as a connection may say nothing between two requests


class _Connection(h11.Connection):
    """h11's, which also refuses what a proxy before this server may have read with another end than h11 does."""

    def next_event(self) -> Any:
        event = super().next_event()
        if isinstance(event, h11.Request) and {b"content-length", b"transfer-encoding"} <= dict(event.headers).keys():
            raise h11.RemoteProtocolError("Content-Length and Transfer-Encoding cannot both say where its body ends")
        return event


class HttpProtocol(H11Protocol):
    """Uvicorn's, which also bounds the time for a request's head, and tells requests how their connection is cut."""

    def connection_made(self, transport: Any) -> None:
        self.conn = _Connection(h11.SERVER, LARGEST_HEADERS)
        self.app_state = {**self.app_state, "cut": transport.abort}
        self._late: asyncio.TimerHandle | None = None
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watch()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """What cannot be read as HTTP is answered as all else is, where an answer has not begun."""
        error = sys.exception()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()
            return
        status, headers, body = unreadable(error if isinstance(error, h11.RemoteProtocolError) else None)
        sent = [(name.encode(), text.encode()) for name, text in headers]
        for event in (h11.Response(status_code=status, headers=sent), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event))
        self.transport.close()

    def _watch_head(self) -> None:
        """Between two requests uvicorn's own limit holds, up to the first byte."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_watch()
        elif self._late is None:
            self._late = self.loop.call_later(SLOWEST_HEAD_S, self.transport.abort)

    def _stop_watch(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None


def unreadable(error: h11.RemoteProtocolError | None) -> tuple[int, list[tuple[str, str]], bytes]:
    """Status, headers and body of the answer to what is not HTTP; `error`: what is wrong with it, if that is known."""
    request_id = secrets.token_hex(8)
    if error is not None and error.error_status_hint == 431:
        fault = ApiFault(43101, f"the head of the request is larger than {LARGEST_HEADERS >> 10} KB")
    else:
        why = "" if error is None else f": {error}"
        fault = ApiFault(40004, f"this cannot be read as a request of HTTP/1.1{why}")
    body = enveloped_fault(fault, request_id)
    own = [
        ("x-request-id", request_id),
        ("content-type", JSON),
        ("content-length", str(len(body))),
        ("connection", "close"),
    ]
    return fault.status, [*security_headers(), *own], body


async def send_part(send: Send, body: bytes, scope: Scope, *, is_last: bool = False) -> bool:
    """Send a part of an answer; False if the client does not take it: then the connection is cut.

    Closing would wait until what was sent before is read, which it never is.
    """
    try:
        async with asyncio.timeout(SLOWEST_SEND_S):
            await send({"type": "http.response.body", "body": body, "more_body": not is_last})
    except TimeoutError:
        scope["state"]["cut"]()
        return False
    return True

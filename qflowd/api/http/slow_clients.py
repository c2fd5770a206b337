"""Clients that do not send a request to its end, or take nothing of what they are sent: their connection is cut."""

import asyncio
from typing import Any, Final

import h11
from starlette.types import Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SLOWEST_SEND_S: Final = 30.0  # a client that takes nothing for so long is gone
SLOWEST_HEAD_S: Final = 20.0  # as long as a connection may say nothing between two requests


class HttpProtocol(H11Protocol):
    """Uvicorn's, which also bounds the time for a request's head, and tells requests how their connection is cut."""

    def connection_made(self, transport: Any) -> None:
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

"""Clients that take nothing of what they are sent: after a while their connection is given up."""

import asyncio
from typing import Any, Final

from starlette.types import Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

SLOWEST_SEND_S: Final = 30.0  # a client that takes nothing for so long is gone


class HttpProtocol(H11Protocol):
    """Uvicorn's, which also tells requests how their connection is cut."""

    def connection_made(self, transport: Any) -> None:
        self.app_state = {**self.app_state, "cut": transport.abort}
        super().connection_made(transport)


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

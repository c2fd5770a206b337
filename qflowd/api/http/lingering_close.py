"""Answers that are given before the request has arrived: what its client still sends is thrown away, then it is hung up on."""

import asyncio
import contextlib
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

LINGER_S: Final = 1.0
SMALL: Final = 64 << 10  # bytes of a body that the server throws away itself, for the sake of the connection


class LingeringClose:
    """Ends the connection behind an answer whose request has a body that nobody has read to its end.

    Closing at once would take the answer from a client that is still sending, so that is read for a second and not kept.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _may_be_large(scope):
            await self._app(scope, receive, send)
            return
        is_read = False

        async def read() -> Message:
            nonlocal is_read
            message = await receive()
            is_read = not message.get("more_body")
            return message

        async def say(message: Message) -> None:
            if is_read:
                await send(message)
            elif message["type"] == "http.response.start":
                await send({**message, "headers": [*message["headers"], (b"connection", b"close")]})
            else:
                await send({**message, "more_body": True})
                if not message.get("more_body"):
                    await _throw_away(read)
                    await send({"type": "http.response.body", "body": b""})

        await self._app(scope, read, say)


def _may_be_large(scope: Scope) -> bool:
    for name, value in scope["headers"]:
        if name == b"transfer-encoding" or (name == b"content-length" and int(value) > SMALL):
            return True
    return False


async def _throw_away(read: Receive) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LINGER_S):
            while (await read()).get("more_body"):
                pass

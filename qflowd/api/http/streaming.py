"""One stream: server-sent events of the topics that a client named, until either side ends it."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from qflowd.api.answers import ApiFault
from qflowd.api.http.slow_clients import send_part
from qflowd.api.live.hub import Hub, StreamEvent, Subscriber
from qflowd.api.live.stream import Live
from qflowd.model.errors import StoreUnavailable

PING: Final = b": ping\n\n"
PING_S: Final = 15.0
CHECK_S: Final = 2.0  # between looks whether the credentials still hold


class StreamResponse(Response):
    """Sends events while there are any; a comment now and then, so that proxies keep the connection."""

    def __init__(self, live: Live, hub: Hub, in_thread: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        super().__init__()
        self._live, self._hub, self._in_thread = live, hub, in_thread
        del self.headers["content-length"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop, woken = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(woken.set)

        subscriber = Subscriber(wake, self._live.principal)
        gone = asyncio.create_task(until_gone(receive))
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await self._in_thread(partial(self._hub.subscribe, self._live.topics, subscriber, self._live.last_event))
        try:
            if await self._pump(subscriber, woken, gone, lambda body: send_part(send, body, scope)):
                await send_part(send, b"", scope, is_last=True)
        finally:
            self._hub.leave(subscriber)
            gone.cancel()

    async def _pump(
        self,
        subscriber: Subscriber,
        woken: asyncio.Event,
        gone: asyncio.Task[None],
        send: Callable[[bytes], Awaitable[bool]],
    ) -> bool:
        """Until either side ends it; False if the client takes nothing any more."""
        pinged = checked = time.monotonic()
        is_taken = await send(PING)
        while is_taken and not gone.done():
            woken.clear()
            while is_taken and (event := subscriber.take()) is not None:
                is_taken = await send(_written(event, self._hub.epoch))
            if subscriber.is_over:
                break
            waits = [asyncio.create_task(woken.wait()), gone]
            await asyncio.wait(waits, timeout=CHECK_S, return_when=asyncio.FIRST_COMPLETED)
            waits[0].cancel()
            now = time.monotonic()
            if now - checked >= CHECK_S:
                checked = now
                if not await self._is_still_open():
                    return await send(_written(StreamEvent(0, "bye", b"{}"), self._hub.epoch))
            if now - pinged >= PING_S:
                pinged, is_taken = now, await send(PING)
        return is_taken

    async def _is_still_open(self) -> bool:
        """Whether the credentials still open it. A database that is away, or stands still, says nothing about them."""
        with contextlib.suppress(StoreUnavailable):
            return bool(await self._in_thread(partial(_holds, self._live.check)))
        return True


async def until_gone(receive: Receive) -> None:
    """Returns when the client has closed the connection."""
    while (await receive())["type"] != "http.disconnect":
        pass


def _holds(check: Callable[[], Any]) -> bool:
    """False once they have ended; whatever else fails ends no stream."""
    try:
        check()
    except ApiFault as fault:
        return fault.status not in (401, 403)
    except Exception:  # noqa: BLE001 - as above
        return True
    return True


def _written(event: StreamEvent, epoch: str) -> bytes:
    number = f"id: {epoch}.{event.number}\n".encode() if event.number else b""
    return b"event: %b\n%bdata: %b\n\n" % (event.kind.encode(), number, event.data)

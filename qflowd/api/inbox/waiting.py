"""Waiting: requests wait for rows, and one statement asks for all of these. No request holds a thread meanwhile."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Final

from qflowd.api.answers import AwaitedRow
from qflowd.store.tx import Store

FIRST_LOOK_S: Final = 0.01
LONGEST_LOOK_S: Final = 0.25
POLL_AFTER: Final = {"X-Poll-After": "2"}  # seconds that clients let pass between two looks at what has not ended


def find_answered(store: Store, rows: Collection[AwaitedRow]) -> set[tuple[int, int]]:
    """Kinds and ids of those of the rows that need not be waited for any longer.

    Raises: StoreUnavailable.
    """
    asked = sorted((int(row.kind), row.id, row.tenant) for row in rows)
    found = store.read(lambda tx: tx.run("find_answered", rows=asked))
    return {(int(row.kind), int(row.id)) for row in found}


class Waiter:
    """Looks for all requests of a server, as long as any waits: after 10 ms, then ever more rarely. Used by its event loop."""

    def __init__(self, look: Callable[[Collection[AwaitedRow]], Awaitable[set[tuple[int, int]]]]) -> None:
        """`look`: asks for rows, in a thread."""
        self._look = look
        self._waiting: dict[AwaitedRow, list[asyncio.Future[None]]] = {}
        self._pause_s = FIRST_LOOK_S
        self._task: asyncio.Task[None] | None = None

    async def until_answered(self, row: AwaitedRow, longest_s: float) -> None:
        """Wait for a row, at most so many seconds.

        After an error of the database it is over too: whoever reads the row next gets that error.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(row, []).append(future)
        self._pause_s = FIRST_LOOK_S
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        try:
            async with asyncio.timeout(longest_s):
                await future
        except TimeoutError:
            pass
        finally:
            self._leave(row, future)

    def _leave(self, row: AwaitedRow, future: asyncio.Future[None]) -> None:
        futures = self._waiting.get(row, [])
        with contextlib.suppress(ValueError):
            futures.remove(future)
        if not futures:
            self._waiting.pop(row, None)

    async def _run(self) -> None:
        began_at = time.monotonic()
        while self._waiting:
            await asyncio.sleep(max(0.0, began_at + self._pause_s - time.monotonic()))
            began_at, asked = time.monotonic(), list(self._waiting)
            self._pause_s = min(2 * self._pause_s, LONGEST_LOOK_S)
            if not asked:
                continue
            try:
                answered = await self._look(asked)
            except Exception:  # noqa: BLE001 - whoever reads the row next is told
                answered = {(int(row.kind), row.id) for row in asked}
            for row in asked:
                if (int(row.kind), row.id) in answered:
                    for future in self._waiting.get(row, ()):
                        if not future.done():
                            future.set_result(None)

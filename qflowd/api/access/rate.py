"""How much one caller may ask of one server: so many requests a second, four at work; without credentials a quarter."""

import asyncio
import contextlib
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Final

from qflowd.api.answers import ApiFault
from qflowd.config.records import ApiConfig
from qflowd.model.rates import parse_rate

AT_WORK: Final = 4
MOST_WAITING: Final = 100  # of 512 connections
LONGEST_QUEUE_S: Final = 2.0
SMALLER: Final = 4  # of writes, and without credentials: a quarter
MOST_KEYS: Final = 10_000


class Buckets:
    """A bucket of tokens for each key: `burst` at once, `rate` a second afterwards."""

    def __init__(self, rate: float, burst: float) -> None:
        self._rate, self._burst = rate, max(burst, 1.0)
        self._left: dict[str, tuple[float, float]] = {}  # key -> tokens, when

    def take(self, key: str) -> float:
        """Take one; returns 0, or how many seconds to wait for it."""
        now = time.monotonic()
        tokens, at = self._left.get(key, (self._burst, now))
        tokens = min(self._burst, tokens + (now - at) * self._rate)
        if tokens < 1:
            self._left[key] = tokens, now
            return (1 - tokens) / self._rate
        if len(self._left) >= MOST_KEYS:
            self._drop_full(now)
        self._left[key] = tokens - 1, now
        return 0.0

    def give_back(self, key: str) -> None:
        """One that was taken, and is not to be counted."""
        if (found := self._left.get(key)) is not None:
            self._left[key] = found[0] + 1, found[1]

    def _drop_full(self, now: float) -> None:
        """Keys that have been at rest are as good as new; of too many others, all."""
        full_s = self._burst / self._rate
        self._left = {key: (tokens, at) for key, (tokens, at) in self._left.items() if now - at < full_s}
        if len(self._left) >= MOST_KEYS:
            self._left.clear()


class Rates:
    """The limits of one server, in its memory. To be used by its event loop alone."""

    def __init__(self, config: ApiConfig) -> None:
        each = parse_rate(config.rate)
        rate = each.most * 1_000_000 / each.window_us
        self._all = Buckets(rate, config.burst)
        self._writes = Buckets(rate / SMALLER, config.burst / SMALLER)
        self._unknown = Buckets(rate / SMALLER, config.burst / SMALLER)
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str] = Counter()

    def admit_unknown(self, address: str) -> None:
        """A request without credentials, or with some that are not known yet.

        Raises: ApiFault 42901.
        """
        _refuse(self._unknown.take(address), f"too many requests without credentials from {address or 'here'}")

    def give_back(self, address: str) -> None:
        """What `admit_unknown` took for credentials that turned out to be good."""
        self._unknown.give_back(address)

    def admit(self, principal: str, *, is_write: bool) -> None:
        """A request of somebody.

        Raises: ApiFault 42901.
        """
        wait_s = self._all.take(principal)
        if not wait_s and is_write:
            wait_s = self._writes.take(principal)
        _refuse(wait_s, f"too many requests of {principal}; [api] rate and burst say how many")

    @contextlib.asynccontextmanager
    async def turn(self, principal: str, *, is_patient: bool = False) -> AsyncIterator[None]:
        """While one of the few requests of a principal is at work; `is_patient`: what has begun waits as long as it takes.

        Raises: ApiFault 42901 after two seconds in the queue.
        """
        turns = self._turns.get(principal)
        if turns is None:
            self._drop_idle()
            turns = self._turns[principal] = asyncio.Semaphore(AT_WORK)
        try:
            async with asyncio.timeout(None if is_patient else LONGEST_QUEUE_S):
                await turns.acquire()
        except TimeoutError:
            _refuse(1.0, f"{AT_WORK} requests of {principal or 'nobody'} are at work already")
        try:
            yield
        finally:
            turns.release()

    @contextlib.contextmanager
    def waiting(self, principal: str) -> Iterator[bool]:
        """While a request waits for something; gives whether it may: each holds a connection, of which there are few."""
        may_wait = self._waiting[principal] < MOST_WAITING
        self._waiting[principal] += may_wait
        try:
            yield may_wait
        finally:
            self._waiting[principal] -= may_wait
            if not self._waiting[principal]:
                del self._waiting[principal]

    def _drop_idle(self) -> None:
        if len(self._turns) >= MOST_KEYS:
            self._turns = {name: turns for name, turns in self._turns.items() if turns._value < AT_WORK}  # noqa: SLF001


def _refuse(wait_s: float, what: str) -> None:
    if wait_s:
        raise ApiFault(42901, f"{what}; wait", headers={"Retry-After": str(math.ceil(wait_s))})

"""Breakers: when failures open one, and when it lets a task try whether they are over. Instants are microseconds.

Closed: all tasks may begin. Open: none may, for `open_s` seconds. Then half-open: one task tries; its success closes the
breaker, its failure opens it again.
"""

from collections.abc import Sequence
from typing import Final

import msgspec

from qflowd.model.rates import Rate, parse_rate
from qflowd.model.states import Reason

MOST_FAILURES: Final = 1000
REASONS: Final = ("error", "timeout", "memory", "lost", "poison")


class Breaker(msgspec.Struct, frozen=True):
    """It opens after `failures` such as `5/min`, that is five within any minute, and stays open for `open_s` seconds.

    `on`: what counts: reasons such as `timeout`, or names of exceptions such as `ConnectionError`.
    """

    failures: str
    open_s: float = 60.0
    on: tuple[str, ...] = ("error", "timeout")

    @property
    def rate(self) -> Rate:
        """How many failures open it, and in what time."""
        return parse_rate(self.failures)

    def counts(self, reason: Reason, error: str | None) -> bool:
        """Is this failure of an attempt one of those that open it?"""
        exception = (error or "").partition(":")[0]
        return not {reason.name.lower(), exception, exception.rpartition(".")[2]}.isdisjoint(self.on)

    def recent(self, failed_us: Sequence[int], now_us: int) -> list[int]:
        """Those of these instants that still count."""
        return [at_us for at_us in failed_us if at_us > now_us - self.rate.window_us][-self.rate.most :]

    @property
    def text(self) -> str:
        """As it is stored."""
        return msgspec.json.encode(self).decode()


def read_breaker(text: str) -> Breaker:
    """The breaker in the row of a limit."""
    return msgspec.json.decode(text, type=Breaker)


def parse_failures(text: str) -> str:
    """The failures that open a breaker, such as `5/min`.

    Raises: ValueError with the text of the fault.
    """
    if parse_rate(text).most > MOST_FAILURES:
        raise ValueError(f"{text!r}: at most {MOST_FAILURES} failures can be counted")
    return text

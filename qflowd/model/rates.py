"""Rates: at most so many in any window of so long, and what has been spent of them. Instants are microseconds.

A window is cut into parts, and what was spent is kept by part: it counts until a whole window after the end of its part has
gone by. So no window of any start holds more than the rate allows, at the price of a sixtieth of it.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from qflowd.model.durations import parse_duration

PARTS: Final = 60
SHORTEST_S: Final = 1.0
LONGEST_S: Final = 31 * 86400.0
MOST: Final = 1_000_000_000

_UNITS: Final = {
    **dict.fromkeys(("s", "sec", "second"), "1s"),
    **dict.fromkeys(("min", "minute"), "1m"),
    **dict.fromkeys(("h", "hour"), "1h"),
    **dict.fromkeys(("d", "day"), "1d"),
}
_RATE: Final = re.compile(r"([0-9]{1,12})\s*/\s*(\S+)")

Spent = list[tuple[int, int]]  # part of time since 1970, tokens; oldest first


class Rate(NamedTuple):
    """At most `most` in any window of `window_us`."""

    most: int
    window_us: int

    @property
    def part_us(self) -> int:
        return self.window_us // PARTS

    def live(self, spent: Sequence[tuple[int, int]], now_us: int) -> Spent:
        """What still counts."""
        return [(part, tokens) for part, tokens in spent if self._ends_us(part) > now_us]

    def free(self, spent: Sequence[tuple[int, int]], now_us: int) -> int:
        """How many tokens can be spent now."""
        return self.most - sum(tokens for _, tokens in self.live(spent, now_us))

    def spend(self, spent: Sequence[tuple[int, int]], tokens: int, now_us: int) -> Spent:
        """With so many tokens spent now."""
        live, part = self.live(spent, now_us), now_us // self.part_us
        if live and live[-1][0] >= part:
            return [*live[:-1], (live[-1][0], live[-1][1] + tokens)]
        return [*live, (part, tokens)]

    def refund(self, spent: Sequence[tuple[int, int]], tokens: int, now_us: int) -> Spent:
        """Without so many tokens: the oldest, so that no window is thought emptier than it is."""
        left: Spent = []
        for part, count in self.live(spent, now_us):
            taken = min(count, tokens)
            tokens -= taken
            if count > taken:
                left.append((part, count - taken))
        return left

    def frees_us(self, spent: Sequence[tuple[int, int]], tokens: int, now_us: int) -> int:
        """When so many tokens, which are no more than `most`, will be free if nobody else takes them."""
        live = self.live(spent, now_us)
        free = self.most - sum(count for _, count in live)
        for part, count in live:
            if free >= tokens:
                break
            free += count
            now_us = self._ends_us(part)
        return now_us

    def _ends_us(self, part: int) -> int:
        return (part + 1 + PARTS) * self.part_us


@lru_cache(maxsize=1024)
def parse_rate(text: str) -> Rate:
    """The rate that is written `200/min`, `8000/day` or `5/10s`.

    Raises: ValueError with the text of the fault.
    """
    match = _RATE.fullmatch(text.strip())
    if not match:
        raise ValueError(f"{text!r} is not a rate; write it like 200/min, 8000/day or 5/10s")
    most = int(match[1])
    if not 1 <= most <= MOST:
        raise ValueError(f"rate {text!r}: the number must be from 1 to {MOST}")
    try:
        window_s = parse_duration(_UNITS.get(match[2], match[2]))
    except ValueError:
        hint = "use s, min, h, day or a duration such as 10s"
        raise ValueError(f"rate {text!r}: {match[2]!r} is not a unit of time; {hint}") from None
    if not SHORTEST_S <= window_s <= LONGEST_S:
        raise ValueError(f"rate {text!r}: no clock can meet it; the time must be from 1s to 31d")
    return Rate(most, round(window_s * 1e6))


def parse_rates(text: str | None) -> Mapping[str, Rate]:
    """The rates in the JSON list of a limit's row, by what is written."""
    return {rate: parse_rate(rate) for rate in json.loads(text or "[]")}


def shortfalls(needed: int, capacity: int, rates: str | None) -> Iterator[str]:
    """What a limit has, where that is less than is needed of it at once: its slots, then each rate.

    Args:
        capacity: its slots.
        rates: see `parse_rates`.
    """
    if needed > capacity:
        yield f"{capacity} slot{'s' * (capacity > 1)}"
    for text, rate in parse_rates(rates).items():
        if needed > rate.most:
            yield f"a rate of {text}"

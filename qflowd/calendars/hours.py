"""Hours of a session as files of calendars write them, `09:30-11:30 13:00-15:00`, and from which day on they hold."""

from bisect import bisect_right
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final

DAY: Final = timedelta(days=1)
NIGHT_FROM: Final = timedelta(hours=15)  # as early as any exchange begins what ends on the next day
MOST_PARTS: Final = 5  # of what people write; files of calendars are bounded by what exchanges do

Part = tuple[timedelta, timedelta]  # from and to, since midnight; beyond `DAY` on the next day
Parts = tuple[Part, ...]


@lru_cache(maxsize=512)
def parse_hours(text: str) -> Parts:
    """The parts of a session, earliest first; one that ends before it begins ends on the next day. "": none.

    Raises: ValueError with what cannot be read.
    """
    parts = []
    for word in text.split():
        first, _, last = word.partition("-")
        begin, end = _since_midnight(first), _since_midnight(last)
        parts.append((begin, end if end > begin else end + DAY))
    if any(left[1] > right[0] for left, right in pairwise(parts)):
        raise ValueError(f"{text!r}: a part begins before the one before it has ended")
    if parts and parts[-1][1] - DAY > parts[0][0]:
        raise ValueError(f"{text!r}: the last part runs into the first of the next day")
    return tuple(parts)


def parse_session_hours(text: str) -> Parts:
    """As `parse_hours`, of what people write by hand: only a part that begins in the evening may end on the next day.

    Raises: ValueError with what to write instead.
    """
    parts = parse_hours(text)
    for begin, end in parts:
        if end > DAY and begin < NIGHT_FROM:
            raise ValueError(
                f"{format_hours(((begin, end),))!r} does not end after it begins; write a later end, as in 09:00-11:30, or "
                f"00:00 for midnight; only a night, from {_time(NIGHT_FROM)} on, ends on the next day, such as 21:00-02:30; other hours that do are written in a "
                "document"
            )
    return parts


def parse_some_hours(text: str, like: str) -> Parts:
    """As `parse_hours`: 1 to `MOST_PARTS` parts. `like`: what they are, and an example, for the error."""
    parts = parse_hours(text)
    if not 1 <= len(parts) <= MOST_PARTS:
        raise ValueError(f"takes 1 to {MOST_PARTS} {like}")
    return parts


def format_hours(parts: Parts) -> str:
    """As `parse_hours` reads them."""
    return " ".join(f"{_time(begin)}-{_time(end)}" for begin, end in parts)


def _time(since_midnight: timedelta) -> str:
    hour, minute = divmod(since_midnight.seconds // 60, 60)
    return f"{hour:02}:{minute:02}"


def _since_midnight(text: str) -> timedelta:
    hour, _, minute = text.partition(":")
    if not (len(hour) == len(minute) == 2 and (hour + minute).isdecimal() and hour < "24" and minute < "60"):
        raise ValueError(f"{text!r} is not a time of day; write hours as 09:30-11:30 13:00-15:00")
    return timedelta(hours=int(hour), minutes=int(minute))


def clock_of(local: datetime) -> timedelta:
    """What clocks show at an instant of their zone, since midnight."""
    return local.replace(tzinfo=None) - datetime.combine(local, time())


def part_around(parts: Parts, clock: timedelta) -> Part | None:
    """How long the part has lasted in which a time of day lies, and how long it still will, both ends included."""
    for begin, end in parts:
        for now in (clock, clock + DAY):
            if begin <= now <= end:
                return now - begin, end - now
    return None


class HoursByDay:
    """Hours that hold from some days on; none before the first of them.

    Attributes:
        earliest, latest: when anything ever begins and ends, since midnight; out of reach if nothing does.
    """

    def __init__(self, since: Mapping[date, str]) -> None:
        self._since = sorted(since)
        self._parts = [parse_hours(since[day]) for day in self._since]
        every = [part for parts in self._parts for part in parts]
        self.earliest = min((begin for begin, _ in every), default=2 * DAY)
        self.latest = max((end for _, end in every), default=timedelta())

    def on(self, day: date) -> Parts:
        """The parts of the session of a day."""
        place = bisect_right(self._since, day)
        return self._parts[place - 1] if place else ()

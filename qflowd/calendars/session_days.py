"""Which sessions of a period a schedule is for: `first session of month`, `2nd session of week`, `last session of quarter`."""

import re
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Final, NamedTuple, cast

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.periods import Period, span_of

_WORDS: Final = {"first": 1, "last": -1}
_DAYS: Final = re.compile(
    r"(?:(first|last)|(\d{1,2})(?:st|nd|rd|th)(?:( last))?) session of (week|month|quarter|year)", re.IGNORECASE
)


class SessionDays(NamedTuple):
    """The `n`-th session of each period, counted from its end if `n` is negative."""

    n: int
    period: Period

    def has(self, calendar: Calendar, day: date) -> bool:
        """Whether a session is the one. A period that has fewer sessions has none.

        Raises: OutsideCalendar if the calendar does not know the period to the end that is counted from.
        """
        return calendar.nth_session(self.period, day, self.n) == day

    def since(self, calendar: Calendar, day: date) -> Iterator[date]:
        """All from a day on, earliest first. Raises: OutsideCalendar past the horizon."""
        while True:
            if (found := calendar.nth_session(self.period, day, self.n)) is not None and found >= day:
                yield found
            day = span_of(self.period, day)[1] + timedelta(days=1)


def _ending(n: int) -> str:
    """Of an ordinal number: 1st, 2nd, 3rd, 4th, and 11th, 12th, 13th."""
    return "th" if n // 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")


def parse_session_days(text: object) -> SessionDays:
    """The sessions that `last session of month` means.

    Raises: ValueError with what to write.
    """
    found = _DAYS.fullmatch(" ".join(text.split())) if isinstance(text, str) else None
    n = 0 if found is None else _WORDS.get((found[1] or "").lower()) or int(found[2])
    if found is None or n == 0 or (found[2] and found[0].split()[0].lower() != f"{n}{_ending(n)}"):
        raise ValueError(
            f"{text!r} names no sessions; write it like first session of month, 2nd session of week, "
            "last session of quarter or 2nd last session of year"
        )
    return SessionDays(-n if found[3] else n, cast("Period", found[4].lower()))

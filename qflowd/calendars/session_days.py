"""Which sessions of a period a schedule is for: `first session of month`, `2nd session of week`, `last session of quarter`."""

import re
from datetime import date
from typing import Final, NamedTuple, cast

from qflowd.calendars.calendar import Calendar, Period

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
        sessions = calendar.sessions_of(self.period, day, whole=self.n < 0)
        place = self.n if self.n < 0 else self.n - 1
        return -len(sessions) <= place < len(sessions) and sessions[place] == day


def parse_session_days(text: object) -> SessionDays:
    """The sessions that `last session of month` means.

    Raises: ValueError with what to write.
    """
    found = _DAYS.fullmatch(" ".join(text.split())) if isinstance(text, str) else None
    n = 0 if found is None else _WORDS.get((found[1] or "").lower()) or int(found[2])
    if found is None or n == 0:
        raise ValueError(
            f"{text!r} names no sessions; write it like first session of month, 2nd session of week, "
            "last session of quarter or 2nd last session of year"
        )
    return SessionDays(-n if found[3] else n, cast("Period", found[4].lower()))

"""By when a run is expected: a time of its session, such as `close+2h`, or a time of day, such as `08:15+1d Asia/Shanghai`."""

import re
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.session_times import SessionTime, parse_session_time
from qflowd.model import cron
from qflowd.model.zones import zone

MOST_DAYS: Final = 7  # after its date
_CLOCK: Final = re.compile(r"([0-9]{1,2}):([0-9]{2})\s*(?:\+\s*([0-9]{1,4})\s*d)?(?:\s+(\S+))?")


class ClockTime(NamedTuple):
    """A time of day in a zone, `days` after the date that it is for. `timezone` "": nobody has written one."""

    clock: time
    days: int
    timezone: str

    def of(self, day: date) -> datetime:
        """The instant in UTC. A time of day that clocks skip is as long after they do so; of one that comes twice, the first."""
        local = datetime.combine(day + timedelta(days=self.days), self.clock, zone(self.timezone))
        return local.astimezone(UTC)

    def __str__(self) -> str:
        days = f"+{self.days}d" if self.days else ""
        return " ".join(filter(None, (f"{self.clock:%H:%M}{days}", self.timezone)))


ExpectedTime = SessionTime | ClockTime


@lru_cache(maxsize=1024)
def parse_expected_time(text: str) -> ExpectedTime:
    """What `close+2h`, `18:30` or `08:15+1d Asia/Shanghai` mean.

    Raises: ValueError with what to write.
    """
    written = " ".join(text.split())
    if (found := _CLOCK.fullmatch(written)) is None:
        if written[:1].isdigit():
            raise ValueError(_LIKE.format(text))
        try:
            return parse_session_time(text)
        except ValueError as error:
            raise ValueError(str(error) if "leaves" in str(error) else _LIKE.format(text)) from None
    hour, minute, days, name = found.groups()
    if int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"{text!r} is not a time of day; hours end with 23, minutes with 59")
    if int(days or 0) > MOST_DAYS:
        raise ValueError(f"{text!r} is {days} days after its date; at most {MOST_DAYS} are allowed")
    return ClockTime(time(int(hour), int(minute)), int(days or 0), cron.check_timezone(name) if name else "")


def expected_at(expected: ExpectedTime, day: date, calendar: Calendar | None) -> datetime | None:
    """By when the run for a day is expected; None where its session has no such time, or the calendar no such session.

    `calendar`: whose sessions a time of a session is of.

    Raises: OutsideCalendar for a day that the calendar does not know.
    """
    if isinstance(expected, ClockTime):
        return expected.of(day)
    if calendar is None or not calendar.is_session(day):
        return None
    return expected.of(calendar.session(day))


_LIKE: Final = (
    "{!r} is not a time by which anything is expected; write it like close+2h, 18:30, or 08:15+1d Asia/Shanghai"
)

"""How long what a calendar knows lasts: what is planned must not come to its horizon unnoticed."""

from datetime import datetime
from typing import Final

from qflowd.calendars.calendar import Calendar

SOON: Final = 45  # days


def days_left(calendar: Calendar, now: datetime) -> int:
    """Days from now until the last one that a calendar knows, by the clocks of its zone; below 0 past it."""
    return (calendar.last - calendar.local(now).date()).days


def ends_soon(calendar: Calendar, now: datetime) -> bool:
    """Whether the horizon is past, or at most `SOON` days away."""
    return days_left(calendar, now) <= SOON

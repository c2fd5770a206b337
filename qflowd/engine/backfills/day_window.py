"""The times of day at which a backfill submits, such as `22:00-06:00` in a zone."""

from datetime import datetime

from qflowd.calendars.hours import format_hours, parse_hours, parse_some_hours
from qflowd.calendars.openings import is_open, next_opening
from qflowd.define.readers import text
from qflowd.model.workflow import Json
from qflowd.model.zones import zone


def read_window(value: Json) -> str:
    """A window as it is stored. Raises: ValueError with what to write."""
    return format_hours(parse_some_hours(text(value), "times of day, such as 22:00-06:00"))


def opens_at(window: str, timezone: str, now: datetime) -> datetime | None:
    """When a window opens next, in UTC; None if it is open now."""
    parts, clocks = parse_hours(window), zone(timezone)
    return None if is_open(parts, now, clocks) else next_opening(parts, now, clocks)

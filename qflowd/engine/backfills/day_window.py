"""The times of day at which a backfill submits, such as `22:00-06:00` in a zone."""

from datetime import UTC, datetime

from qflowd.calendars.hours import DAY, clock_of, format_hours, parse_hours, parse_some_hours, part_around
from qflowd.define.readers import text
from qflowd.model.workflow import Json
from qflowd.model.zones import zone


def read_window(value: Json) -> str:
    """A window as it is stored. Raises: ValueError with what to write."""
    return format_hours(parse_some_hours(text(value), "times of day, such as 22:00-06:00"))


def opens_at(window: str, timezone: str, now: datetime) -> datetime | None:
    """When a window opens next, in UTC; None if it is open now."""
    parts, local = parse_hours(window), now.astimezone(zone(timezone))
    if part_around(parts, clock_of(local)) is not None:
        return None
    # Where clocks change, a time of day may mean two instants: the first that is still to come.
    waits = [(begin - clock_of(local)) % DAY for begin, _ in parts]
    openings = [(local + wait).replace(fold=fold).astimezone(UTC) for wait in waits for fold in (0, 1)]
    return min(opening for opening in openings if opening > now)

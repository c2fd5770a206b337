"""When a part of the day begins, by clocks that may change: it may begin twice, or in the middle of itself."""

from collections.abc import Iterator
from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from qflowd.calendars.hours import DAY, Parts, clock_of, part_around
from qflowd.model.clock_changes import first_instant, next_change


def is_open(parts: Parts, instant: datetime, zone: ZoneInfo) -> bool:
    """Whether some part holds the time of day of an instant, both ends included."""
    return part_around(parts, clock_of(instant.astimezone(zone))) is not None


def next_opening(parts: Parts, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant later than one at which no part is open, at which one is; in UTC."""
    return min(at for at in _candidates(parts, after, zone) if at > after and is_open(parts, at, zone))


def _candidates(parts: Parts, after: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """Instants at which clocks come to the beginning of a part, or over it as they change."""
    midnight = datetime.combine(after.astimezone(zone), time(), UTC)
    for day in (midnight, midnight + DAY, midnight + 2 * DAY):
        for begin, _ in parts:
            first = first_instant(day + begin, zone)
            yield first
            yield first.astimezone(zone).replace(fold=1).astimezone(UTC)
    if change := next_change(zone, after, after + DAY):
        yield change

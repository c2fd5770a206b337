"""What the clocks of a zone show, and when they change: a time of day may come twice, or be left out."""

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = timedelta(seconds=1)


def offset_at(instant: datetime, zone: ZoneInfo) -> timedelta:
    """By how much clocks are ahead of UTC."""
    return instant.astimezone(zone).utcoffset() or timedelta()


def wall_at(instant: datetime, zone: ZoneInfo) -> datetime:
    """What clocks show, labelled UTC, so that arithmetic is that of a clock that never changes."""
    return instant.astimezone(zone).replace(tzinfo=UTC, fold=0)


def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which clocks first show `wall`; the end of the gap if they never do."""
    local = wall.replace(tzinfo=zone)
    instant = local.astimezone(UTC)
    if wall_at(instant, zone) == wall:
        return instant
    return _change(zone, local.replace(fold=1).astimezone(UTC), instant)


def next_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first instant in (start, end] from which another offset holds. Changes are days apart."""
    while start < end:
        stop = min(start + timedelta(days=1), end)
        if offset_at(start, zone) != offset_at(stop, zone):
            return _change(zone, start, stop)
        start = stop
    return None


def whole_second(instant: datetime) -> datetime:
    """The second in which an instant lies."""
    return instant.replace(microsecond=0)


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The one instant in (before, after] from which the offset of `after` holds; whole seconds."""
    before, offset = whole_second(before), offset_at(after, zone)
    while after - before > SECOND:
        middle = whole_second(before + (after - before) / 2)
        if offset_at(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return whole_second(after)

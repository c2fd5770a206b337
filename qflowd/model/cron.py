"""When a cron expression fires, in a time zone, with daylight saving handled by rule.

croniter only walks the wall clock, without any zone. A job at fixed times fires once per wall time: where the
clocks go back, at the first of the two; a time that is left out fires at the end of the gap. A job whose minute
or hour begins with `*` repeats by elapsed time: twice through the repeated hour, not at all in the missing one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from qflowd.model import cron_text
from qflowd.model.zones import zone as zone_of

if TYPE_CHECKING:
    from croniter import croniter

_SECOND: Final = timedelta(seconds=1)
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


def check(text: object) -> str:
    """`text` with its blanks tidied, if it is a cron expression that qflowd keeps its word on.

    Five fields, or six with the seconds first, or an alias such as `@daily`.

    Raises: ValueError with what is wrong and what to write.
    """
    tidy = cron_text.check(text)
    try:
        _walk(tidy, _EPOCH).get_next(datetime)
    except Exception as error:  # noqa: BLE001  croniter's own words for what our grammar let through
        reason = "never fires" if "find next date" in str(error) else f"is not a cron expression: {error}"
        raise ValueError(f"{tidy!r} {reason}") from None
    return tidy


def check_timezone(name: object) -> str:
    """`name`, if it is a time zone such as `Asia/Shanghai`.

    Raises: ValueError.
    """
    try:
        return zone_of(str(name)).key
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone; use a name like Asia/Shanghai or UTC") from None


def fires(cron: str, timezone: str, after: datetime) -> Iterator[datetime]:
    """All instants later than `after`, in UTC, earliest first."""
    zone, after = zone_of(timezone), after.astimezone(UTC)
    if not _is_fixed(cron):
        while True:
            after = _next_by_elapsed_time(cron, zone, after)
            yield after
    walls = _walk(cron, _wall(after, zone))
    while True:
        if (fire := _instant(walls.get_next(datetime), zone)) > after:
            yield fire
            after = fire


def _next_by_elapsed_time(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    start, offset = after, _offset(after, zone)
    while True:
        fire = _walk(cron, start + offset).get_next(datetime) - offset
        change = _next_change(zone, after, fire)
        if change is None:
            return fire
        # From the change on another offset holds; the change itself may be an instant to fire.
        after, start, offset = change, change - _SECOND, _offset(change, zone)


def _next_change(zone: ZoneInfo, start: datetime, end: datetime) -> datetime | None:
    """The first instant in (start, end] from which another offset holds. Changes are days apart."""
    while start < end:
        stop = min(start + timedelta(days=1), end)
        if _offset(start, zone) != _offset(stop, zone):
            return _change(zone, start, stop)
        start = stop
    return None


def _change(zone: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The one instant in (before, after] from which the offset of `after` holds; whole seconds."""
    before, offset = _floor(before), _offset(after, zone)
    while after - before > _SECOND:
        middle = _floor(before + (after - before) / 2)
        if _offset(middle, zone) == offset:
            after = middle
        else:
            before = middle
    return _floor(after)


def _instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which clocks first show `wall`; the end of the gap if they never do."""
    local = wall.replace(tzinfo=zone)
    instant = local.astimezone(UTC)
    if _wall(instant, zone) == wall:
        return instant
    return _change(zone, local.replace(fold=1).astimezone(UTC), instant)


def _wall(instant: datetime, zone: ZoneInfo) -> datetime:
    """What clocks show, labelled UTC because croniter then does plain arithmetic."""
    return instant.astimezone(zone).replace(tzinfo=UTC, fold=0)


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()


def _floor(instant: datetime) -> datetime:
    return instant.replace(microsecond=0)


def _is_fixed(cron: str) -> bool:
    """Whether neither minute nor hour begins with `*`."""
    minute, hour = cron_text.expand_alias(cron).split()[-5:-3]
    return not minute.startswith("*") and not hour.startswith("*")


def _walk(cron: str, start: datetime) -> "croniter":
    """The matching wall times after `start`."""
    from croniter import croniter  # 65 ms that daemons without schedules save

    return croniter(cron_text.expand_alias(cron), _floor(start), second_at_beginning=True)

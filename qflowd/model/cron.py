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
    except Exception as problem:  # noqa: BLE001  croniter's own words for what our grammar let through
        reason = "never comes" if "find next date" in str(problem) else f"is not a cron expression: {problem}"
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


def next_fires(cron: str, timezone: str, after: datetime, count: int) -> list[datetime]:
    """The `count` next instants after `after`, in UTC, earliest first."""
    fires: list[datetime] = []
    while len(fires) < count:
        after = next_fire(cron, timezone, after)
        fires.append(after)
    return fires


def next_fire(cron: str, timezone: str, after: datetime) -> datetime:
    """The first instant later than `after`, in UTC."""
    zone, after = zone_of(timezone), after.astimezone(UTC)
    if not _is_fixed(cron):
        return _next_by_elapsed_time(cron, zone, after)
    walls = _walk(cron, _wall(after, zone))
    while (fire := _instant(walls.get_next(datetime), zone)) <= after:
        pass
    return fire


def previous_fire(cron: str, timezone: str, until: datetime) -> datetime:
    """The last instant not later than `until`, in UTC."""
    zone, until = zone_of(timezone), until.astimezone(UTC)
    if not _is_fixed(cron):
        return _previous_by_elapsed_time(cron, zone, until)
    # In the second pass of a repeated hour, wall times still ahead have fired in the first.
    repeated = _offset(until - timedelta(hours=3), zone) - _offset(until, zone)
    start = _wall(until, zone).replace(microsecond=0) + max(repeated, timedelta()) + _SECOND
    walls = _walk(cron, start)
    while (fire := _instant(walls.get_prev(datetime), zone)) > until:
        pass
    return fire


def missed_fires(cron: str, timezone: str, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """The latest `limit` instants in (after, until], in UTC, earliest first."""
    fires: list[datetime] = []
    while len(fires) < limit and (fire := previous_fire(cron, timezone, until)) > after:
        fires.append(fire)
        until = fire - timedelta(microseconds=1)
    return fires[::-1]


def _next_by_elapsed_time(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    start, offset = after, _offset(after, zone)
    while True:
        fire = _walk(cron, _floor(start) + offset).get_next(datetime) - offset
        change = next(_changes(zone, start, fire), None)
        if change is None:
            return fire
        # From the change on, another offset holds; the change itself may be an instant to fire.
        start, offset = change - _SECOND, _offset(change, zone)
        if (fire := _walk(cron, start + offset).get_next(datetime) - offset) == change:
            return fire
        start = change


def _previous_by_elapsed_time(cron: str, zone: ZoneInfo, until: datetime) -> datetime:
    start, offset = _floor(until), _offset(until, zone)
    while True:
        fire = _walk(cron, start + offset + _SECOND).get_prev(datetime) - offset
        changes = list(_changes(zone, fire, start))
        if not changes:
            return fire
        start = changes[-1] - _SECOND
        offset = _offset(start, zone)


def _changes(zone: ZoneInfo, start: datetime, end: datetime) -> Iterator[datetime]:
    """The instants in (start, end] from which another offset holds. Changes are days apart."""
    while start < end:
        stop = min(start + timedelta(days=1), end)
        if _offset(start, zone) != _offset(stop, zone):
            yield _change(zone, start, stop)
        start = stop


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
    local = wall.replace(tzinfo=zone, fold=0)  # walking backwards, croniter sets fold
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
    """The matching wall times on both sides of `start`."""
    from croniter import croniter  # 65 ms that daemons without schedules save

    return croniter(cron_text.expand_alias(cron), _floor(start), second_at_beginning=True)

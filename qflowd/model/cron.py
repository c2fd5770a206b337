"""When a cron expression fires, in a time zone, with daylight saving handled by rule.

croniter only walks the wall clock, without any zone. A job at fixed times fires once per wall time: where the
clocks go back, at the first of the two; a time that is left out fires at the end of the gap. A job whose minute
or hour begins with `*` repeats by elapsed time: twice through the repeated hour, not at all in the missing one.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

from qflowd.model import cron_text
from qflowd.model.clock_changes import SECOND, first_instant, next_change, offset_at, wall_at, whole_second
from qflowd.model.zones import zone as zone_of

if TYPE_CHECKING:
    from croniter import croniter

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
    walls = _walk(cron, wall_at(after, zone))
    while True:
        if (fire := first_instant(walls.get_next(datetime), zone)) > after:
            yield fire
            after = fire


def _next_by_elapsed_time(cron: str, zone: ZoneInfo, after: datetime) -> datetime:
    start, offset = after, offset_at(after, zone)
    while True:
        fire = _walk(cron, start + offset).get_next(datetime) - offset
        change = next_change(zone, after, fire)
        if change is None:
            return fire
        # From the change on another offset holds; the change itself may be an instant to fire.
        after, start, offset = change, change - SECOND, offset_at(change, zone)


def _is_fixed(cron: str) -> bool:
    """Whether neither minute nor hour begins with `*`."""
    minute, hour = cron_text.expand_alias(cron).split()[-5:-3]
    return not minute.startswith("*") and not hour.startswith("*")


def _walk(cron: str, start: datetime) -> "croniter":
    """The matching wall times after `start`."""
    from croniter import croniter  # 65 ms that daemons without schedules save

    return croniter(cron_text.expand_alias(cron), whole_second(start), second_at_beginning=True)

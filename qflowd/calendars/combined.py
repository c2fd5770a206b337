"""Calendars made of others: days on which all of them have a session, or any."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.hours import HoursByDay
from qflowd.calendars.trading_days import TradingDays
from qflowd.model.errors import InvalidRequest

MOST_PARTS: Final = 8
OPERATORS: Final = {"&": "all", "|": "any"}  # as names of calendars write them: `XSHG & XHKG`


def parts_of(name: str) -> tuple[str, list[str]]:
    """`all` or `any`, and the names of the calendars of which a name such as `XSHG & XHKG` is made; none of a single one.

    Raises: InvalidRequest for a name with both operators, or with nothing beside one.
    """
    used = [sign for sign in OPERATORS if sign in name]
    if not used:
        return "", []
    if len(used) > 1:
        raise InvalidRequest(
            f"calendar {name!r} has both & and |; import a calendar of the one, and name that in the other"
        )
    parts = [part.strip() for part in name.split(used[0])]
    if not all(parts):
        raise InvalidRequest(f"calendar {name!r} lacks a name beside {used[0]}; write it like XSHG {used[0]} XHKG")
    return OPERATORS[used[0]], parts


def combined(name: str, how: str, parts: Sequence[Calendar], title: str = "") -> Calendar:
    """The calendar of these others, as far as all of them are known.

    Of `all` it has the hours, nights and zone of the first; of `any` it has days alone, in the zone of the first.

    Raises: InvalidRequest if they know no day in common, or there are too few or too many.
    """
    if not 2 <= len(parts) <= MOST_PARTS:
        raise InvalidRequest(f"calendar {name} is made of {len(parts)} others; it takes 2 to {MOST_PARTS}")
    first, last = max(part.first for part in parts), min(part.last for part in parts)
    if first > last:
        raise InvalidRequest(f"calendar {name}: {', '.join(part.name for part in parts)} know no day in common")
    of_all = [{day.toordinal() for day in part.days.between(first, last)} for part in parts]
    weekdays = [part.days.weekdays for part in parts]
    lead = parts[0]
    if how == "all":
        days = _trading_days(name, first, last, set.intersection(*of_all), frozenset.intersection(*weekdays))
        kind, hours, special, nights = lead.kind, lead.hours, lead.special, lead.nights
    else:
        days = _trading_days(name, first, last, set.union(*of_all), frozenset.union(*weekdays))
        kind, hours, special, nights = "workday", HoursByDay({}), {}, HoursByDay({})
    days.remedy = min(parts, key=lambda part: part.last).days.remedy
    names = (" and " if how == "all" else " or ").join(part.name for part in parts)
    return Calendar(
        name=name,
        kind=kind,
        title=title or f"sessions of {names}",
        timezone=lead.timezone,
        source=f"made of {names}",
        days=days,
        hours=hours,
        special=special,
        nights=nights,
    )


def _trading_days(name: str, first: date, last: date, numbers: Iterable[int], weekdays: frozenset[int]) -> TradingDays:
    return TradingDays(name, first, last, weekdays, sorted(numbers))

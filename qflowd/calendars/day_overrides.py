"""What people say of single days of a calendar, over what its file says: closed, open, or with other hours."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Final, Literal, NamedTuple

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.hours import DAY, Parts, format_hours, parse_hours
from qflowd.model.errors import InvalidRequest

OverrideKind = Literal["closed", "open", "half"]
KINDS: Final[tuple[OverrideKind, ...]] = ("closed", "open", "half")


class DayOverride(NamedTuple):
    """A day is `closed`, `open` or a `half` day. `hours`: as files of calendars write them; "": those of every session."""

    kind: OverrideKind
    hours: str = ""


def overridden(calendar: Calendar, overrides: Mapping[date, DayOverride]) -> Calendar:
    """The calendar with these days as people say they are. Nights follow: before a day that is closed there is none."""
    if not overrides:
        return calendar
    special = dict(calendar.special)
    for day, (_, hours) in overrides.items():
        special.pop(day, None)
        if hours:
            special[day] = parse_hours(hours)
    closed = [day for day, override in overrides.items() if override.kind == "closed"]
    days = calendar.days.changed(removed=closed, added=[day for day in overrides if day not in closed])
    return replace(calendar, days=days, special=special)


def check_override(calendar: Calendar, day: date, override: DayOverride) -> None:
    """May a day of this calendar, as it is without the override, be overridden so?

    Raises: OutsideCalendar; InvalidRequest, also if it changes nothing.
    """
    kind, hours = override
    is_session = day in calendar.days
    shown = f"{day:%Y-%m-%d (%A)}"
    if calendar.kind == "workday" and (hours or kind == "half"):
        raise InvalidRequest(f"{calendar.name} has days without hours; its days are closed or open")
    if kind == "closed" and hours:
        raise InvalidRequest("a day that is closed has no hours; leave them out")
    if kind == "closed" and not is_session:
        raise InvalidRequest(f"{calendar.name} has no session on {shown}; it is closed already")
    if kind == "half" and not hours:
        raise InvalidRequest("a half day needs its hours, such as 09:30-11:30, or the time at which it closes")
    if kind == "half" and not is_session:
        raise InvalidRequest(f"{calendar.name} has no session on {shown}; `open` with these hours gives it one")
    if kind == "closed":
        return
    parts = parse_hours(hours) if hours else calendar.hours.on(day)
    if parts and parts[-1][1] > DAY >= calendar.hours.latest:
        raise InvalidRequest(
            f"hours: {format_hours(parts)} end on the next day, and {calendar.name} never trades over midnight"
        )
    if is_session and parts == calendar.special.get(day, calendar.hours.on(day)):
        as_it_is = f", {format_hours(parts)}" if parts else ""
        raise InvalidRequest(f"{calendar.name} has a session on {shown} already{as_it_is}; this would change nothing")


def closing_at(calendar: Calendar, day: date, close: str) -> str:
    """The usual hours of a day as far as an early close, such as `12:00`.

    Raises: InvalidRequest if it is not earlier than the usual one, or before the opening.
    """
    usual = calendar.hours.on(day)
    at = _time_of_day(close)
    cut: Parts = tuple((begin, min(end, at)) for begin, end in usual if begin < at)
    if not cut or cut == usual:
        raise InvalidRequest(
            f"close: {calendar.name} trades at {format_hours(usual) or 'no hours'}, not until {close} alone"
        )
    return format_hours(cut)


def _time_of_day(text: str) -> timedelta:
    try:
        [(begin, _)] = parse_hours(f"{text}-{text}")
    except ValueError:
        raise InvalidRequest(f"close: {text!r} is not a time of day, such as 12:00") from None
    return begin

"""Own calendars: documents as the files of calendars are, or of days in CSV, or combinations of other calendars."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from typing import Any, Final

import msgspec

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_file import CalendarFile
from qflowd.calendars.combined import combined
from qflowd.calendars.days import pack, unpack
from qflowd.calendars.hours import HoursByDay, format_hours, parse_hours, parse_session_hours
from qflowd.calendars.trading_days import TradingDays
from qflowd.model.cron import check_timezone
from qflowd.model.errors import InvalidRequest, QflowdError
from qflowd.model.instants import parse_date
from qflowd.model.names import fault_in_key

LONGEST_NAME: Final = 64  # as the columns are
LONGEST_TEXT: Final = 1 << 20  # of a document or a CSV
IMPORT_ANEW: Final = "import it anew with more days"
MOST_DAYS: Final = 200 * 366
WORKING_WEEK: Final = frozenset(range(1, 6))  # of ISO weekdays
WEEKS_OF_A_RULE: Final = 4  # of fewer, a make-up work day on a Saturday would make a rule
_OF_NAMES: Final = frozenset("./&|")  # of products and of combinations


class CombinedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A calendar made of others: exactly one of `all_of` and `any_of` names them."""

    calendar: str
    all_of: tuple[str, ...] = ()
    any_of: tuple[str, ...] = ()
    title: str = ""


OwnCalendar = CalendarFile | CombinedFile


def read_document(document: Any) -> OwnCalendar:
    """What a document says: a mapping, or JSON text.

    Raises: InvalidRequest with the place and what is wrong there.
    """
    try:
        data = msgspec.json.decode(document) if isinstance(document, str | bytes) else document
        is_combined = isinstance(data, Mapping) and not data.keys().isdisjoint(("all_of", "any_of"))
        kind: type[OwnCalendar] = CombinedFile if is_combined else CalendarFile
        read = msgspec.json.decode(msgspec.json.encode(data), type=kind)
    except (TypeError, ValueError) as error:
        raise InvalidRequest(f"a calendar's document: {error}") from None
    _check_name(read.calendar)
    if isinstance(read, CombinedFile) and bool(read.all_of) == bool(read.any_of):
        raise InvalidRequest(f"calendar {read.calendar} takes either all_of or any_of")
    return read


def write_document(own: OwnCalendar) -> str:
    """JSON text that `read_document` reads."""
    return msgspec.json.encode(own).decode()


def make_calendar(own: OwnCalendar, find: Callable[[str], Calendar]) -> Calendar:
    """The calendar of a document. `find`: other calendars by their names.

    Raises: InvalidRequest; NotFound for a calendar that it is made of and nobody has.
    """
    name = own.calendar
    if isinstance(own, CombinedFile):
        how = "all" if own.all_of else "any"
        return combined(name, how, [find(part) for part in own.all_of or own.any_of], own.title)
    try:
        return _make(own, find)
    except QflowdError:
        raise
    except ValueError as error:
        raise InvalidRequest(f"calendar {name}: {error}") from None


def check_new(own: OwnCalendar) -> None:
    """That a document which was not stored yet says hours as they can be meant.

    Raises: InvalidRequest with what to write instead.
    """
    if isinstance(own, CalendarFile):
        for hours in (*own.hours.values(), *own.special, *own.nights.values()):
            try:
                parse_session_hours(hours)
            except ValueError as error:
                raise InvalidRequest(f"calendar {own.calendar}: {error}") from None


def of_csv(text: str, name: str, timezone: str, *, title: str = "", first: str = "", last: str = "") -> CalendarFile:
    """The calendar of a list of sessions: lines of a day, and perhaps its hours; a heading may stand above them.

    Args:
        first, last: what the list speaks of, both included; its first and its last day if left out.

    Raises: InvalidRequest with the number of the first line that is wrong.
    """
    import csv  # seldom needed

    _check_name(name)
    sessions: dict[date, str] = {}
    for number, row in enumerate(csv.reader(text.lstrip("\ufeff").splitlines()), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and cells[0].lower() in ("day", "date")):
            continue
        try:
            day, hours = _session_in(cells)
        except ValueError as error:
            raise InvalidRequest(f"line {number}: {error}; nothing was imported") from None
        if day in sessions:
            raise InvalidRequest(f"line {number}: {day} stands there twice; nothing was imported")
        sessions[day] = hours
    if not sessions:
        raise InvalidRequest("there is no day in the list; nothing was imported")
    without = [day for day, hours in sessions.items() if not hours]
    if 0 < len(without) < len(sessions):
        raise InvalidRequest(f"{min(without)} has no hours, and other days have; nothing was imported")
    begin, end = _bound(first, min(sessions)), _bound(last, max(sessions))
    if begin > min(sessions) or end < max(sessions):
        raise InvalidRequest(f"the list has days before {begin} or after {end}; nothing was imported")
    return _file_of(sessions, name, timezone, title, begin, end)


def _session_in(cells: list[str]) -> tuple[date, str]:
    """Raises: ValueError."""
    if len(cells) > 2:
        raise ValueError(f"has {len(cells)} columns; a line is a day, and perhaps its hours")
    day = parse_date(cells[0])
    hours = format_hours(parse_session_hours(cells[1])) if len(cells) > 1 else ""
    return day, hours


def _bound(text: str, otherwise: date) -> date:
    try:
        return parse_date(text) if text else otherwise
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def _file_of(
    sessions: Mapping[date, str], name: str, timezone: str, title: str, first: date, last: date
) -> CalendarFile:
    """A document that is as small as may be: weekdays that mostly are sessions, and what differs from them."""
    _check_span(first, last)
    every = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    weekdays = _weekdays(sessions, every)
    usual = Counter(sessions.values()).most_common(1)[0][0]
    special: dict[str, list[date]] = {}
    for day, hours in sessions.items():
        if hours != usual:
            special.setdefault(hours, []).append(day)
    return CalendarFile(
        calendar=name,
        kind="exchange" if usual else "workday",
        title=title,
        timezone=timezone,
        first=first,
        last=last,
        source="a list of days",
        weekdays="".join(map(str, sorted(weekdays))),
        closed=pack(day for day in every if day.isoweekday() in weekdays and day not in sessions),
        open=pack(day for day in sessions if day.isoweekday() not in weekdays),
        hours={first: usual} if usual else {},
        special={hours: pack(days) for hours, days in special.items()},
    )


def _weekdays(sessions: Iterable[date], every: Iterable[date]) -> set[int]:
    """From Monday to Friday, unless so many Saturdays or Sundays have sessions that the weekend lies elsewhere."""
    held = Counter(day.isoweekday() for day in sessions)
    there = Counter(day.isoweekday() for day in every)
    usual = {weekday for weekday, count in held.items() if 2 * count > there[weekday]}
    is_odd = any(there[weekday] >= WEEKS_OF_A_RULE for weekday in usual - WORKING_WEEK)
    return usual if is_odd else set(WORKING_WEEK)


def _make(file: CalendarFile, find: Callable[[str], Calendar]) -> Calendar:
    """Raises: ValueError, and as `make_calendar`."""
    if file.groups:
        raise ValueError("groups: only exchanges that ship have products")
    if not set(file.weekdays) <= set("1234567"):
        raise ValueError(f"weekdays: {file.weekdays!r} must be digits from 1 (Monday) to 7")
    if (file.kind == "exchange") != bool(file.hours):
        raise ValueError("hours: an exchange has hours, and work days have none")
    if file.kind == "workday" and (file.special or file.nights):
        raise ValueError("work days have neither special hours nor nights")
    _check_span(file.first, file.last)
    if file.hours and min(file.hours) > file.first:
        raise ValueError(f"hours: nothing is said of {file.first}, the first day")
    days = _own_days(file, find)
    if not days.between(days.first, days.last):
        raise ValueError("has no session at all")
    days.remedy = IMPORT_ANEW
    return Calendar(
        name=file.calendar,
        kind=file.kind,
        title=file.title or file.calendar,
        timezone=check_timezone(file.timezone),
        source=file.source,
        days=days,
        hours=HoursByDay(file.hours),
        special={day: parse_hours(hours) for hours, days in file.special.items() for day in unpack(days)},
        nights=HoursByDay(file.nights),
    )


def _own_days(file: CalendarFile, find: Callable[[str], Calendar]) -> TradingDays:
    if file.days_of:
        return find(file.days_of).days.within(file.calendar, file.first, file.last)
    closed, added = unpack(file.closed), unpack(file.open)
    return TradingDays.of_weeks(file.calendar, file.first, file.last, file.weekdays, closed=closed, added=added)


def _check_span(first: date, last: date) -> None:
    """Raises: InvalidRequest."""
    if first > last:
        raise InvalidRequest(f"the last day, {last}, comes before the first, {first}")
    if (last - first).days > MOST_DAYS:
        raise InvalidRequest(f"from {first} to {last} there are more than {MOST_DAYS // 366} years; leave some out")


def _check_name(name: str) -> None:
    """Raises: InvalidRequest."""
    fault = fault_in_key(name, "the name of a calendar")
    if fault is None and _OF_NAMES & set(name):
        fault = f"the name of a calendar, {name!r}, holds one of . / & |; use letters, digits and _ -"
    if fault is None and len(name) > LONGEST_NAME:
        fault = f"the name of a calendar has {len(name)} characters; at most {LONGEST_NAME} are allowed"
    if fault:
        raise InvalidRequest(fault)


def names_in(own: OwnCalendar) -> Iterable[str]:
    """The calendars that it is made of."""
    if isinstance(own, CombinedFile):
        return own.all_of or own.any_of
    return (own.days_of,) if own.days_of else ()

"""Lists of sessions in CSV, a line a day: the own calendars that they make."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from qflowd.calendars.calendar_file import CalendarFile
from qflowd.calendars.days import pack
from qflowd.calendars.hours import format_hours, parse_session_hours
from qflowd.calendars.own_calendars import check_name, check_span
from qflowd.model.errors import InvalidRequest
from qflowd.model.instants import parse_date

HOURS: Final = ("day", "hours")
OPEN_CLOSE: Final = ("day", "open", "close")
EXPECTED: Final = (
    "a line is day,hours, such as 2026-01-05,09:00-11:30 13:00-17:00, or the day alone; "
    "under the heading day,open,close it is such as 2026-01-05,09:00,17:00"
)
WORKING_WEEK: Final = frozenset(range(1, 6))  # of ISO weekdays
WEEKS_OF_A_RULE: Final = 4  # of fewer, a make-up work day on a Saturday would make a rule


def of_csv(text: str, name: str, timezone: str, *, title: str = "", first: str = "", last: str = "") -> CalendarFile:
    """The calendar of a list of sessions: lines of a day, and perhaps its hours; a heading may stand above them.

    Args:
        first, last: what the list speaks of, both included; its first and its last day if left out.

    Raises: InvalidRequest with the number of the first line that is wrong.
    """
    check_name(name)
    sessions: dict[date, str] = {}
    columns: tuple[str, ...] = ()
    for number, row in enumerate(_rows(text), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells):
            continue
        try:
            if not columns:
                columns = _columns(cells)
                if _is_heading(cells):
                    continue
            day, hours = _session_in(cells, columns)
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


def _rows(text: str) -> list[list[str]]:
    import csv  # seldom needed

    try:
        return list(csv.reader(text.lstrip("\ufeff").splitlines()))
    except csv.Error as error:
        raise InvalidRequest(f"it cannot be read as CSV: {error}; nothing was imported") from None


def _is_heading(cells: Sequence[str]) -> bool:
    return not any(character.isdecimal() for character in cells[0])


def _columns(cells: Sequence[str]) -> tuple[str, ...]:
    """What the lines hold, if this is the first one. Raises: ValueError for a heading of others."""
    if not _is_heading(cells):
        return HOURS
    names = tuple("day" if cell.lower() == "date" else cell.lower() for cell in cells)
    if names in (HOURS, HOURS[:1]):
        return HOURS
    if names == OPEN_CLOSE:
        return OPEN_CLOSE
    raise ValueError(f"the columns {','.join(cells)[:60]} are not known; {EXPECTED}")


def _session_in(cells: Sequence[str], columns: Sequence[str]) -> tuple[date, str]:
    """Raises: ValueError."""
    if len(cells) > len(columns):
        raise ValueError(f"has {len(cells)} columns; {EXPECTED}")
    day, *times = parse_date(cells[0]), *filter(None, cells[1:])
    if columns is OPEN_CLOSE and len(times) == 1:
        raise ValueError(f"{day} has one time; {EXPECTED}")
    return day, format_hours(parse_session_hours("-".join(times)))


def _bound(text: str, otherwise: date) -> date:
    try:
        return parse_date(text) if text else otherwise
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def _file_of(
    sessions: Mapping[date, str], name: str, timezone: str, title: str, first: date, last: date
) -> CalendarFile:
    """A document that is as small as may be: weekdays that mostly are sessions, and what differs from them."""
    check_span(first, last)
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

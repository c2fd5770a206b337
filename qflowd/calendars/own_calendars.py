"""Own calendars: documents as the files of calendars are, or combinations of other calendars; lists are in `session_list`."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any, Final

import msgspec

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_file import CalendarFile
from qflowd.calendars.combined import combined
from qflowd.calendars.days import unpack
from qflowd.calendars.hours import HoursByDay, parse_hours
from qflowd.calendars.trading_days import TradingDays
from qflowd.model.cron import check_timezone
from qflowd.model.errors import InvalidRequest, QflowdError
from qflowd.model.names import fault_in_key

LONGEST_NAME: Final = 64  # as the columns are
LONGEST_TEXT: Final = 1 << 20  # of a document or a CSV
IMPORT_ANEW: Final = "import it anew with more days"
SHIPS: Final = "calendar {} ships with qflowd; choose another name, or override its days"
MOST_DAYS: Final = 200 * 366
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
    check_name(read.calendar)
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
    check_span(file.first, file.last)
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


def check_span(first: date, last: date) -> None:
    """That a calendar may know the days from one to the other. Raises: InvalidRequest."""
    if first > last:
        raise InvalidRequest(f"the last day, {last}, comes before the first, {first}")
    if (last - first).days > MOST_DAYS:
        raise InvalidRequest(f"from {first} to {last} there are more than {MOST_DAYS // 366} years; leave some out")


def check_name(name: str) -> None:
    """That an own calendar may be called so. Raises: InvalidRequest."""
    fault = fault_in_key(name, "the name of a calendar")
    if fault is None and _OF_NAMES & set(name):
        fault = f"the name of a calendar, {name!r}, holds one of . / & |; use letters, digits and _ -"
    if fault is None and len(name) > LONGEST_NAME:
        fault = f"the name of a calendar has {len(name)} characters; at most {LONGEST_NAME} are allowed"
    if fault:
        raise InvalidRequest(fault)


def names_in(own: OwnCalendar) -> Sequence[str]:
    """The calendars that it is made of."""
    if isinstance(own, CombinedFile):
        return own.all_of or own.any_of
    return (own.days_of,) if own.days_of else ()

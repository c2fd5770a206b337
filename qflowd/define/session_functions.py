"""The functions of expressions that ask a calendar for sessions.

`prev_session(day, n)`, `next_session(day, n)`, `sessions(first, last)`, `is_session(day)`, `month_end_session(day)` and
`trade_date(instant)`. Days are strings such as "2026-01-05", as `business_date` is. A further argument names the
calendar; without it, it is the workflow's. Calendars are imported when the first of them is asked for.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Final, NamedTuple

from qflowd.define.functions import date_text, shown
from qflowd.define.known_calendars import known_calendars
from qflowd.model.errors import QflowdError
from qflowd.model.instants import parse_date, parse_instant
from qflowd.model.workflow import Json

if TYPE_CHECKING:
    from qflowd.calendars.calendar import Calendar
    from qflowd.calendars.calendar_book import Calendars

LONGEST_NAME: Final = 64  # of a calendar, as the columns are
NAMES_NONE: Final = (
    "no calendar is named: give the workflow one, as in `calendar: XSHG`, or name one as the last argument"
)


class SessionFunction(NamedTuple):
    """`least`, `most`: arguments that it takes before the calendar's name; `value`: of a calendar and these."""

    signature: str
    least: int
    most: int
    value: Callable[..., Json]


def ask_calendar(name: str, calendar: Json, arguments: Sequence[Json], calendars: "Calendars | None" = None) -> Json:
    """The value of a function by a calendar's name; empty: nobody has named one.

    `calendars`: those of a tenant; None: those that documents may name here.

    Raises: TypeError; ValueError, also for a calendar that nobody has, and for days that it does not know.
    """
    if not isinstance(calendar, str) or len(calendar) > LONGEST_NAME:
        raise TypeError(f"{name} needs the name of a calendar, such as XSHG, not {shown(calendar)}")
    if not calendar:
        raise ValueError(NAMES_NONE)
    try:
        return SESSION_FUNCTIONS[name].value(_named(calendar, calendars), *arguments)
    except QflowdError as error:
        raise ValueError(str(error)) from None


def fault_in_calendar(name: str) -> str | None:
    """Why there is no calendar of this name; None where there is one."""
    if len(name) > LONGEST_NAME:
        return f"has {len(name)} characters; at most {LONGEST_NAME} are allowed"
    try:
        _named(name)
    except QflowdError as error:
        return str(error)
    return None


def _named(name: str, calendars: "Calendars | None" = None) -> "Calendar":
    """Raises: NotFound; InvalidRequest for a combination that cannot be."""
    return (calendars or known_calendars()).calendar(name)


def _prev_session(calendar: "Calendar", day: Json, n: Json = 1) -> str:
    return calendar.prev_session(_day("prev_session", day), _count(n)).isoformat()


def _next_session(calendar: "Calendar", day: Json, n: Json = 1) -> str:
    return calendar.next_session(_day("next_session", day), _count(n)).isoformat()


def _sessions(calendar: "Calendar", first: Json, last: Json) -> list[str]:
    found = calendar.sessions(_day("sessions", first), _day("sessions", last))
    return [day.isoformat() for day in found]


def _is_session(calendar: "Calendar", day: Json) -> bool:
    return calendar.is_session(_day("is_session", day))


def _month_end_session(calendar: "Calendar", day: Json) -> str:
    return calendar.month_end_session(_day("month_end_session", day)).isoformat()


def _trade_date(calendar: "Calendar", instant: Json) -> str | None:
    day = calendar.trade_date(_instant(instant))
    return None if day is None else day.isoformat()


def _day(function: str, value: Json) -> date:
    text = date_text(function, value)
    if ":" in text:
        raise ValueError(f"{function} needs a date; {shown(text)} is an instant, whose session is trade_date(…)")
    return parse_date(text)


def _instant(value: Json) -> datetime:
    if value is None:
        raise TypeError("trade_date needs an instant, not null; where it is fire_at, no schedule has fired")
    if not isinstance(value, str):
        raise TypeError(f"trade_date needs an instant like 2026-01-05T21:05:00+08:00, not {shown(value)}")
    instant = parse_instant(value)
    if datetime.fromisoformat(value.strip()).tzinfo is None:
        raise ValueError(f"{shown(value)} has no offset from UTC; write it like 2026-01-05T21:05:00+08:00")
    return instant


def _count(n: Json) -> int:
    if isinstance(n, str):
        raise TypeError(f"n is {shown(n)}, not a whole number; it stands before a calendar that an expression names")
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"n is {shown(n)}, not a whole number")
    return n


SESSION_FUNCTIONS: Final = {
    "prev_session": SessionFunction("prev_session(day, n, calendar)", 1, 2, _prev_session),
    "next_session": SessionFunction("next_session(day, n, calendar)", 1, 2, _next_session),
    "sessions": SessionFunction("sessions(first, last, calendar)", 2, 2, _sessions),
    "is_session": SessionFunction("is_session(day, calendar)", 1, 1, _is_session),
    "month_end_session": SessionFunction("month_end_session(day, calendar)", 1, 1, _month_end_session),
    "trade_date": SessionFunction("trade_date(instant, calendar)", 1, 1, _trade_date),
}

"""`qflowd calendars is-open`: whether a market is open at an instant, and until when."""

from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from qflowd.calendars.calendar import Calendar
from qflowd.model.errors import InvalidRequest, OutsideCalendar


@dataclass(frozen=True, slots=True)
class MarketState:
    """`session`: None if the instant belongs to none. `changes_at`: when it opens or closes; None past the horizon."""

    calendar: str
    at: datetime
    is_open: bool
    session: date | None
    changes_at: datetime | None


def market_state(calendar: Calendar, at: datetime) -> MarketState:
    """How things are at an instant.

    Raises: OutsideCalendar; InvalidRequest for work days, which have no hours.
    """
    if calendar.kind == "workday":
        raise InvalidRequest(
            f"{calendar.name} has days without hours, so it is neither open nor closed; "
            f"`qflowd calendars next {calendar.name}` lists the next ones"
        )
    day = calendar.trade_date(at)
    spans = calendar.session(day).spans if day else ()
    closes_at = next((end for begin, end in spans if begin <= at < end), None)
    is_open = closes_at is not None
    return MarketState(calendar.name, at, is_open, day, closes_at or _next_open(calendar, day, at))


def _next_open(calendar: Calendar, day: date | None, at: datetime) -> datetime | None:
    """When the next part of a session begins; None if that is past the horizon."""
    try:
        day = day or calendar.next_session(calendar.local(at).date())
        while True:
            for begin, _ in calendar.session(day).spans:
                if begin > at:
                    return begin
            day = calendar.next_session(day)
    except OutsideCalendar:
        return None


def sentence(calendar: Calendar, state: MarketState, zone: ZoneInfo) -> str:
    """The same in words, by the clocks of `zone`."""
    word = "open" if state.is_open else "closed"
    until = f" until {state.changes_at.astimezone(zone):%Y-%m-%d %H:%M}" if state.changes_at else ""
    whose = f"the session of {state.session}" if state.session else "no session"
    unknown = "" if until else f"; when it opens again is past {calendar.last}, its horizon; {calendar.days.remedy}"
    instant = f"{state.at.astimezone(zone):%Y-%m-%d %H:%M}"
    return f"{state.calendar} is {word}{until}: {instant} ({zone.key}) belongs to {whose}{unknown}"

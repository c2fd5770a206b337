"""Trading calendars, read: files that ship, with what people of the tenant say of single days."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.reading import Query
from qflowd.api.resources.calendar_days import DayOverrideItem, overrides_of
from qflowd.api.routing import route
from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.calendars.calendar_file import CalendarKind
from qflowd.calendars.coming import last_ended, sessions_after
from qflowd.calendars.horizon import days_left, ends_soon
from qflowd.calendars.trading_session import Span, TradingSession
from qflowd.model.roles import Role

NEXT: Final = 5  # sessions that are told beside a year


class CalendarItem(Item):
    """A calendar, known from `first` to `last`, its horizon. `ends_soon`: it is near or past; then update qflowd, or import it anew.

    `is_own`: the tenant has imported it. `products`: of a futures exchange, those that have a calendar of their own, such as `SHFE.rb`.
    """

    name: str
    kind: CalendarKind
    title: str
    timezone: str
    first: date
    last: date
    days_left: int
    ends_soon: bool
    products: Sequence[str]
    source: str
    is_own: bool


class TradingSessionItem(Item):
    """A session. Work days have no hours. `is_half`: its hours are not the usual ones; `night`: the one before it."""

    day: date
    open_at: datetime | None
    close_at: datetime | None
    breaks: Sequence[Span]
    night: Span | None
    is_half: bool


class CalendarYear(CalendarItem):
    """A calendar with the sessions of a year, as far as it knows them.

    `closed`: its days without a session on which every other week has one, so holidays and no weekends. `next`: the
    sessions that have not ended yet, also those of the next year. `overrides`: what people say of its days in that year.
    """

    year: int
    sessions: Sequence[TradingSessionItem]
    closed: Sequence[date]
    next: Sequence[TradingSessionItem]
    overrides: Sequence[DayOverrideItem]


class YearQuery(Query):
    """Which year; the current one if it is left out, or the one nearest to it that is known."""

    year: Annotated[int, msgspec.Meta(ge=1, le=9999)] | None = None


@route("GET", "/calendars", Role.READ)
def list_calendars(call: Call) -> list[CalendarItem]:
    """All calendars by their names; products of an exchange are named, and asked for one by one."""
    book, now = call.client.calendars(), _now(call)
    return [CalendarItem(**_facts(book, book.calendar(name), now)) for name in book.names()]


@route("GET", "/calendars/{name}", Role.READ)
def show_calendar(call: Call, name: str, query: YearQuery) -> CalendarYear:
    """A calendar, also of a product, with the sessions of a year and those that come next."""
    book, now = call.client.calendars(), _now(call)
    calendar = book.calendar(name)
    today = min(max(calendar.local(now).date(), calendar.first), calendar.last)
    year = today.year if query.year is None else query.year
    if not calendar.first.year <= year <= calendar.last.year:
        newer = f"; {calendar.days.remedy}" if year > calendar.last.year else ""
        raise ApiFault(40002, f"year: calendar {name} is known from {calendar.first} to {calendar.last}{newer}")
    first, last = max(date(year, 1, 1), calendar.first), min(date(year, 12, 31), calendar.last)
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    coming = sessions_after(calendar, last_ended(calendar, now), NEXT) if days_left(calendar, now) >= 0 else []
    return CalendarYear(
        **_facts(book, calendar, now),
        year=year,
        sessions=[_session(calendar.session(day)) for day in calendar.sessions(first, last)],
        closed=[day for day in days if calendar.days.is_weekday(day) and not calendar.is_session(day)],
        next=list(map(_session, coming)),
        overrides=[each for each in overrides_of(call, name) if each.day.year == year],
    )


def _now(call: Call) -> datetime:
    return call.store.clock.now().astimezone(UTC)


def _facts(book: CalendarBook, calendar: Calendar, now: datetime) -> dict[str, Any]:
    """The fields of a CalendarItem."""
    about = {key: getattr(calendar, key) for key in ("name", "kind", "title", "timezone", "first", "last", "source")}
    about |= {"products": book.products(calendar.name), "is_own": calendar.name in book.own}
    return about | {"days_left": days_left(calendar, now), "ends_soon": ends_soon(calendar, now)}


def _session(session: TradingSession) -> TradingSessionItem:
    return TradingSessionItem(**{key: getattr(session, key) for key in TradingSessionItem.__struct_fields__})

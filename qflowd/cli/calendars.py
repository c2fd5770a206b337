"""`qflowd calendars`: which days have sessions, from when to when, and which session an instant belongs to."""

from datetime import UTC, date, datetime
from typing import Any, Final

import click

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.calendars.coming import last_ended, sessions_after
from qflowd.calendars.horizon import SOON, days_left, ends_soon
from qflowd.calendars.hours import format_hours
from qflowd.calendars.trading_session import TradingSession
from qflowd.cli.calendar_changes import import_, override, overrides, remove, restore
from qflowd.cli.calendar_year import print_overrides, print_year
from qflowd.cli.commands import COMMANDS
from qflowd.cli.current_calendars import current_calendars, current_overrides
from qflowd.cli.exits import ERROR, OK, say
from qflowd.cli.market_state import market_state, sentence
from qflowd.cli.printing import asked_zone, coloured, echo, print_json, print_list
from qflowd.cli.session import json_option
from qflowd.model.errors import InvalidRequest, NotFound, OutsideCalendar
from qflowd.model.instants import parse_date, parse_instant
from qflowd.model.zones import zone

COLUMNS: Final = (
    "name | kind | title | timezone | KNOWN FROM:first | TO:last | DAYS LEFT>:left | hours | night | PRODUCTS>:products"
)
NO_OWN: Final = (
    "all of these ship with qflowd: `qflowd calendars show NAME` draws a year and names products, `qflowd calendars import FILE` "
    "adds one of your own"
)
NAME: Final = click.argument("name")


@click.group(invoke_without_command=True, help=COMMANDS["calendars"])
@json_option
@click.pass_context
def calendars(context: click.Context, *, as_json: bool) -> None:
    """See `help` above."""
    if context.invoked_subcommand is None:
        book, now = current_calendars(), datetime.now(UTC)
        rows = [_row(book, book.calendar(name), now) for name in book.names()]
        print_list(rows if as_json else list(map(_in_words, rows)), COLUMNS, as_json=as_json)
        if not as_json and any(row["ends_soon"] for row in rows):
            echo(
                f"! known for at most {SOON} more days: update qflowd, or import own calendars anew, before then",
                err=True,
            )
        if not as_json and not book.own:
            echo(NO_OWN, err=True)


def _row(book: CalendarBook, calendar: Calendar, now: datetime) -> dict[str, Any]:
    """What a calendar is, with the hours that hold today."""
    today = calendar.local(now).date()
    return {
        "name": calendar.name,
        "kind": calendar.kind,
        "title": calendar.title,
        "timezone": calendar.timezone,
        "first": calendar.first,
        "last": calendar.last,
        "days_left": days_left(calendar, now),
        "ends_soon": ends_soon(calendar, now),
        "hours": format_hours(calendar.hours.on(today)) or None,
        "night": format_hours(calendar.nights.on(today)) or None,
        "products": book.products(calendar.name),
        "source": calendar.source,
    }


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    left = str(row["days_left"])
    marked = coloured("WARNING", f"! {left}") if row["ends_soon"] else left
    return row | {"left": marked, "products": len(row["products"]) or ""}


@calendars.command()
@NAME
@click.option("--year", type=click.IntRange(1, 9999), help="If not given, this year, or the nearest that is known.")
@json_option
def show(*, name: str, year: int | None, as_json: bool) -> None:
    """Show a year of NAME, day by day.

    NAME is that of a calendar, such as XSHG, or of a product of a futures exchange, such as SHFE.rb.
    """
    book = current_calendars()
    calendar = book.calendar(name)
    day = date(year, 1, 1) if year else calendar.local(datetime.now(UTC)).date()
    if year is None or calendar.first.year <= year <= calendar.last.year:  # of which it may know only a part
        day = min(max(day, calendar.first), calendar.last)
    days = calendar.sessions_of("year", day)
    if as_json:
        print_json([_session(calendar.session(each)) for each in days])
    else:
        print_year(calendar, day.year, days, book.products(name))
        print_overrides(day.year, current_overrides(name))


def _session(session: TradingSession) -> dict[str, Any]:
    keys = ("day", "open_at", "close_at", "breaks", "night", "is_half")
    return {key: getattr(session, key) for key in keys}


@calendars.command("next")
@NAME
@click.option("-n", "count", type=click.IntRange(1), default=5, show_default=True, help="How many.")
@click.option("--after", metavar="DATE", help="Sessions after this day; if not given, those that have not ended.")
@json_option
def next_(*, name: str, count: int, after: str | None, as_json: bool) -> int:
    """List the next sessions of NAME with their hours.

    Times are those of the exchange; `qflowd --timezone ZONE calendars next NAME` shows them in ZONE as well. Exit code
    1 if fewer are known.
    """
    calendar = current_calendars().calendar(name)
    day = last_ended(calendar, datetime.now(UTC)) if after is None else _date(after)
    sessions = sessions_after(calendar, day, count)
    if as_json:
        print_json([_session(session) for session in sessions])
    else:
        rows = [_session(session) | _in_local_time(calendar, session) for session in sessions]
        print_list(rows, _columns(calendar, sessions))
    if len(sessions) == count:
        return OK
    known_until = f"{len(sessions)} session{'s' * (len(sessions) != 1)} after {day}, until {calendar.last}"
    say(f"calendar {name} knows {known_until}; what comes after is not known yet; {calendar.days.remedy}")
    return ERROR


def _date(text: str) -> date:
    try:
        return parse_date(text)
    except ValueError as error:
        raise InvalidRequest(f"--after: {error}") from None


def _in_local_time(calendar: Calendar, session: TradingSession) -> dict[str, Any]:
    """What people read of a session, by the clocks of the exchange."""
    night = session.night and [calendar.local(at) for at in session.night]
    spans = [(calendar.local(begin), calendar.local(end)) for begin, end in session.parts]
    return {
        "session": f"{session.day} {session.day:%a}",
        "evening": f"{night[0]:%m-%d %a %H:%M}-{night[1]:%H:%M}" if night else "",
        "hours": " ".join(f"{begin:%H:%M}-{end:%H:%M}" for begin, end in spans),
        "note": coloured("WARNING", "half day") if session.is_half else "",
        "night_open_at": session.night[0] if session.night else None,
    }


def _columns(calendar: Calendar, sessions: list[TradingSession]) -> str:
    has_nights = any(session.night for session in sessions)
    columns = ["session"]
    if calendar.kind == "exchange":
        columns += [f"NIGHT ({calendar.timezone}):evening"] * has_nights + [f"HOURS ({calendar.timezone}):hours"]
        if asked_zone():
            columns += ["NIGHT OPENS (UTC):night_open_at"] * has_nights
            columns += ["OPENS (UTC):open_at", "CLOSES (UTC):close_at"]
    return " | ".join(columns + ["note"] * any(session.is_half for session in sessions))


@calendars.command("is-open")
@NAME
@click.option("--at", metavar="INSTANT", help="2026-11-20T09:30:00+08:00; UTC unless it names an offset. Default: now.")
@json_option
def is_open(*, name: str, at: str | None, as_json: bool) -> int:
    """Say whether NAME is open, and until when.

    Also which session the instant belongs to: what trades in a night belongs to the session after it.
    Exit code 0: open; 1: closed; 2: it cannot be told.
    """
    try:
        calendar = current_calendars().calendar(name)
        state = market_state(calendar, datetime.now(UTC) if at is None else parse_instant(at))
    except (NotFound, OutsideCalendar, ValueError) as error:
        raise InvalidRequest(str(error)) from None  # exit code 1 is an answer
    if as_json:
        print_json(state)
    else:
        click.echo(sentence(calendar, state, asked_zone() or zone(calendar.timezone)))
    return OK if state.is_open else ERROR


for _command in (overrides, override, restore, import_, remove):
    calendars.add_command(_command)

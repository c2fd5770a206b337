"""`qflowd calendars show`: a year on a terminal, a line a month and a sign a day."""

import calendar as months
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date
from itertools import groupby
from typing import Any, Final

import click

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.hours import format_hours
from qflowd.cli.printing import bold

WIDTH: Final = 78
MARGIN: Final = " " * 9
# What a day is: its sign, its colour, and what the legend says of it.
SIGNS: Final = {
    "session": ("o", None, "session"),
    "half": ("h", "yellow", "session with other hours than usual, such as a half day"),
    "day_only": ("d", "cyan", "session without a night before it"),
    "extra": ("+", "cyan", "session on a weekend"),
    "closed": ("-", "red", "closed on a weekday"),
    "weekend": (".", None, "weekend"),
    "unknown": ("?", "red", "not known: before the first day of the calendar, or past its horizon"),
}


def print_year(calendar: Calendar, year: int, days: Sequence[date], products: Sequence[str]) -> None:
    """Print the grid of a year with a legend, then hours, half days and products. `days`: the year's sessions."""
    click.echo(f"{bold(calendar.name)}  {calendar.title}, {year}: {len(days)} sessions ({calendar.timezone})\n")
    has_nights = any(calendar.session(day).night for day in days)
    sessions = set(days)
    seen: Counter[str] = Counter()
    numbers = range(1, 32)
    click.echo(MARGIN + " ".join(str(number // 10 or " ") for number in numbers).rstrip())
    click.echo(MARGIN + " ".join(str(number % 10) for number in numbers))
    for month in range(1, 13):
        dates = [date(year, month, day + 1) for day in range(months.monthrange(year, month)[1])]
        kinds = [_kind(calendar, day, has_nights=has_nights) for day in dates]
        seen.update(kinds)
        signs = " ".join(_sign(kind) for kind in kinds) + "  " * (31 - len(dates))
        click.echo(f"{year}-{month:02}  {signs} {len(sessions.intersection(dates)):>3}")
    click.echo()
    for kind, (_, _, about) in SIGNS.items():
        if seen[kind]:
            click.echo(f"{_sign(kind)}  {seen[kind]:>3}  {about}")
    if calendar.kind == "exchange":
        _print_hours(calendar, days)
    if products:
        names = click.wrap_text(" ".join(products), WIDTH, "          ", "          ").lstrip()
        click.echo(f"\nproducts  {names}")
        click.echo(f"          `qflowd calendars show {calendar.name}.{products[0]}` shows one, with its own hours")


def _kind(calendar: Calendar, day: date, *, has_nights: bool) -> str:
    if not calendar.first <= day <= calendar.last:
        return "unknown"
    if not calendar.is_session(day):
        return "closed" if calendar.days.is_weekday(day) else "weekend"
    session = calendar.session(day)
    if session.is_half:
        return "half"
    if has_nights and not session.night:
        return "day_only"
    return "session" if calendar.days.is_weekday(day) else "extra"


def _sign(kind: str) -> str:
    sign, colour, _ = SIGNS[kind]
    return click.style(sign, fg=colour) if colour else sign


def _print_hours(calendar: Calendar, days: Sequence[date]) -> None:
    """The usual hours, from which day on if they changed in the year; then the other ones, day by day."""
    click.echo()
    changes = [
        (hours, next(same))
        for hours, same in groupby(days, lambda day: (calendar.nights.on(day), calendar.hours.on(day)))
    ]
    for (night, parts), since in changes:
        words = (f"night {format_hours(night)}, " if night else "") + format_hours(parts)
        click.echo(f"hours  {words}" + (f"  from {since}" if since != days[0] else ""))
    for day in days:
        if calendar.session(day).is_half:
            click.echo(f"{_sign('half')}      {format_hours(calendar.special[day])}  on {day} {day:%a}")


def print_overrides(year: int, rows: Sequence[Mapping[str, Any]]) -> None:
    """What people say of days of the year: rows of `calendar_overrides`."""
    rows = [row for row in rows if row["day"].year == year]
    if rows:
        click.echo()
    for row in rows:
        hours = f" {row['hours']}" if row["hours"] else ""
        by = f", by {row['set_by']}" if row["set_by"] else ""
        click.echo(f"overridden  {row['day']:%Y-%m-%d %a}  {row['kind']}{hours}: {row['reason']}{by}")

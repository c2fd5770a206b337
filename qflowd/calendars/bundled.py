"""The calendars that ship with qflowd: files of the folder `calendars/`, read when they are first asked for."""

from datetime import date
from functools import cache

from qflowd import resources
from qflowd.calendars import calendar_file
from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_file import CalendarFile
from qflowd.calendars.days import unpack
from qflowd.calendars.hours import HoursByDay, Parts, parse_hours
from qflowd.calendars.trading_days import TradingDays
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no


@cache
def calendar(name: str) -> Calendar:
    """The calendar of an exchange (`XSHG`), of a product of a futures exchange (`SHFE.rb`), or of work days (`CN`).

    Raises: NotFound, which names what comes near.
    """
    exchange, dot, product = name.partition(".")
    if exchange not in names():
        raise NotFound(there_is_no("calendar", name, names(), "calendars"))
    if dot and product not in products(exchange):
        known = [f"{exchange}.{each}" for each in products(exchange)]
        raise NotFound(there_is_no("calendar", name, known, "calendars"))
    file = _file(exchange)
    hours, nights = file.hours, file.nights
    if product:
        group = next(each for each in file.groups.values() if product in each.products.split())
        hours, nights = group.hours or hours, group.nights
    return Calendar(
        name=name,
        kind=file.kind,
        title=f"{file.title}, {product}" if product else file.title,
        timezone=file.timezone,
        source=file.source,
        days=_days(exchange).within(name, file.first, file.last),
        hours=HoursByDay(hours),
        special=_special(exchange),
        nights=HoursByDay(nights),
    )


@cache
def names() -> tuple[str, ...]:
    """The calendars there are, without products, in the order of the alphabet."""
    return tuple(sorted(path.stem for path in resources.folder("calendars").glob("*.json")))


def products(exchange: str) -> list[str]:
    """The products of a futures exchange that have calendars of their own, in the order of the alphabet."""
    return sorted(product for group in _file(exchange).groups.values() for product in group.products.split())


@cache
def _file(name: str) -> CalendarFile:
    return calendar_file.parse((resources.folder("calendars") / f"{name}.json").read_bytes())


@cache
def _days(name: str) -> TradingDays:
    """The days, which other exchanges and products share."""
    file = _file(name)
    if file.days_of:
        return _days(file.days_of)
    return TradingDays.of_weeks(
        name, file.first, file.last, file.weekdays, closed=unpack(file.closed), added=unpack(file.open)
    )


@cache
def _special(name: str) -> dict[date, Parts]:
    """The hours of days that have others than usual."""
    return {day: parse_hours(hours) for hours, days in _file(name).special.items() for day in unpack(days)}

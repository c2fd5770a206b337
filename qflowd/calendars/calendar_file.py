"""Files of calendars: JSON, a calendar each, as `calendars/README.md` describes them."""

from datetime import date
from typing import Literal

import msgspec

CalendarKind = Literal["exchange", "workday"]


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A mapping in such a file, with the keys that it may have."""


class ProductGroup(_Part, frozen=True):
    """Products of a futures exchange that have the same hours; `hours` empty: those of the exchange."""

    products: str
    nights: dict[date, str] = {}
    hours: dict[date, str] = {}


class CalendarFile(_Part, frozen=True):
    """What a file says. The days are those of `weekdays` (ISO, 1 is Monday) without `closed`, and those of `open`.

    `first`, `last`: what it speaks of, both included. `days_of`: the calendar whose days these are, instead of own ones.
    `hours`, `nights`: from which day on they hold, in local time. `special`: hours of some days, by these hours.
    """

    calendar: str
    kind: CalendarKind
    timezone: str
    first: date
    last: date
    title: str = ""
    source: str = ""
    weekdays: str = "12345"
    closed: dict[str, str] = {}
    open: dict[str, str] = {}
    days_of: str = ""
    hours: dict[date, str] = {}
    special: dict[str, dict[str, str]] = {}
    nights: dict[date, str] = {}
    groups: dict[str, ProductGroup] = {}


def parse(text: bytes) -> CalendarFile:
    """What a file of a calendar says.

    Raises: ValueError with the place and what is wrong there.
    """
    return msgspec.json.decode(text, type=CalendarFile)

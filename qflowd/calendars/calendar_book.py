"""The calendars of a tenant: those that ship, its own, and what its people say of single days. Immutable, with a revision."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Final, Protocol

import msgspec

from qflowd.calendars import bundled
from qflowd.calendars.calendar import Calendar
from qflowd.calendars.combined import combined, parts_of
from qflowd.calendars.day_overrides import DayOverride, overridden
from qflowd.calendars.own_calendars import make_calendar, names_in, read_document
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.near_names import there_is_no

Overrides = Mapping[str, Mapping[date, DayOverride]]  # by calendar and day


class Calendars(Protocol):
    """Whoever knows calendars by their names."""

    def calendar(self, name: str) -> Calendar:
        """Raises: NotFound, which names what comes near; InvalidRequest for a combination that cannot be."""


def exchange_of(name: str) -> str:
    """The exchange whose product a calendar is for, such as SHFE of `SHFE.rb`; of any other calendar its own name."""
    return name.partition(".")[0]


class BookText(msgspec.Struct, frozen=True):
    """A book as it travels. `own`: documents by name."""

    overrides: dict[str, dict[date, DayOverride]] = {}
    own: dict[str, str] = {}


class CalendarBook:
    """Calendars as they are at one time. A name such as `XSHG & XHKG` or `XSHG | XHKG` is a combination.

    What is said of an exchange counts for its products as well. Safe to use from several threads.
    """

    def __init__(
        self, overrides: Overrides | None = None, own: Mapping[str, str] | None = None, revision: int = 0
    ) -> None:
        """`own`: documents by name. `revision`: of what the tenant has said; another one may say something else."""
        self.overrides: Overrides = overrides or {}
        self.own: Mapping[str, str] = own or {}
        self.revision = revision
        self._made: dict[str, Calendar] = {}

    def calendar(self, name: str) -> Calendar:
        """A calendar by its name.

        Raises: NotFound, which names what comes near; InvalidRequest for a combination that cannot be.
        """
        return self._find(name, ())

    def names(self) -> tuple[str, ...]:
        """The calendars there are, without products, in the order of the alphabet."""
        return tuple(sorted({*bundled.names(), *self.own}))

    def products(self, name: str) -> list[str]:
        """The products of an exchange that have calendars of their own; none of another calendar."""
        return bundled.products(name) if name in bundled.names() else []

    def overrides_of(self, name: str) -> dict[date, DayOverride]:
        """By day, what is said of a calendar, or of the exchange whose product it is for."""
        return {**self.overrides.get(exchange_of(name), {}), **self.overrides.get(name, {})}

    def depends_on(self, name: str) -> frozenset[str]:
        """The calendars that this one is made of, and all those that these are made of; itself, and a product's exchange."""
        found, todo = set[str](), [name]
        while todo:
            if (each := todo.pop()) not in found:
                found.update((each, exchange_of(each)))
                todo += parts_of(each)[1]
                if each in self.own:
                    todo += names_in(read_document(self.own[each]))
        return frozenset(found)

    def _find(self, name: str, inside: tuple[str, ...]) -> Calendar:
        if (found := self._made.get(name)) is None:
            found = self._made[name] = overridden(self._make(name, inside), self.overrides_of(name))
        return found

    def _make(self, name: str, inside: tuple[str, ...]) -> Calendar:
        """`inside`: the calendars of which it is a part."""
        if name in inside:
            raise InvalidRequest(f"calendar {name} is made of itself: {' -> '.join((*inside, name))}")
        inside = (*inside, name)
        how, parts = parts_of(name)
        if parts:
            return combined(name, how, [self._find(part, inside) for part in parts])
        if name in self.own:
            return make_calendar(read_document(self.own[name]), lambda part: self._find(part, inside))
        if exchange_of(name) not in bundled.names():
            raise NotFound(there_is_no("calendar", name, self.names(), "calendars"))
        return bundled.calendar(name)

    @cached_property
    def text(self) -> str:
        """What `of_text` makes a book of; empty where nothing is said beside what ships."""
        if not self.overrides and not self.own:
            return ""
        return msgspec.json.encode({"overrides": self.overrides, "own": self.own}).decode()

    @staticmethod
    @lru_cache(maxsize=8)
    def of_text(text: str) -> "CalendarBook":
        """The book that another process has written down as `text`."""
        if not text:
            return BUNDLED
        read = msgspec.json.decode(text, type=BookText)
        return CalendarBook(read.overrides, read.own)

    @classmethod
    def of_rows(cls, overrides: Iterable[Any], own: Iterable[Any], revision: int = 0) -> "CalendarBook":
        """The book of a tenant, of rows with `calendar`, `day`, `kind`, `hours`, and of rows with `name` and `document`."""
        days: dict[str, dict[date, DayOverride]] = {}
        for row in overrides:
            day = date.fromisoformat(str(row.day)[:10])
            days.setdefault(row.calendar, {})[day] = DayOverride(row.kind, row.hours or "")
        return cls(days, {row.name: row.document for row in own}, revision)


BUNDLED: Final = CalendarBook()

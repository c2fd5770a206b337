"""The calendars of a tenant: those that ship, with what its people say of single days. Immutable; known by its revision."""

from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property, lru_cache
from typing import Any, Final, Protocol

import msgspec

from qflowd.calendars import bundled
from qflowd.calendars.calendar import Calendar
from qflowd.calendars.day_overrides import DayOverride, overridden

Overrides = Mapping[str, Mapping[date, DayOverride]]  # by calendar and day


class Calendars(Protocol):
    """Whoever knows calendars by their names."""

    def calendar(self, name: str) -> Calendar:
        """Raises: NotFound, which names what comes near."""


class CalendarBook:
    """Calendars as they are at one time.

    What is said of an exchange counts for its products as well. Safe to use from several threads.
    """

    def __init__(self, overrides: Overrides | None = None, revision: int = 0) -> None:
        """`revision`: of what the tenant has said; another one may say something else."""
        self.overrides: Overrides = overrides or {}
        self.revision = revision
        self._made: dict[str, Calendar] = {}

    def calendar(self, name: str) -> Calendar:
        """A calendar by its name. Raises: NotFound, which names what comes near."""
        if (found := self._made.get(name)) is None:
            found = self._made[name] = overridden(bundled.calendar(name), self.overrides_of(name))
        return found

    def names(self) -> tuple[str, ...]:
        """The calendars there are, without products, in the order of the alphabet."""
        return bundled.names()

    def products(self, name: str) -> list[str]:
        """The products of an exchange that have calendars of their own; none of another calendar."""
        return bundled.products(name) if name in bundled.names() else []

    def overrides_of(self, name: str) -> dict[date, DayOverride]:
        """By day, what is said of a calendar, or of the exchange whose product it is for."""
        return {**self.overrides.get(name.partition(".")[0], {}), **self.overrides.get(name, {})}

    @cached_property
    def text(self) -> str:
        """What `of_text` makes a book of; empty where nothing is said beside what ships."""
        return msgspec.json.encode(self.overrides).decode() if self.overrides else ""

    @staticmethod
    @lru_cache(maxsize=8)
    def of_text(text: str) -> "CalendarBook":
        """The book that another process has written down as `text`."""
        return CalendarBook(msgspec.json.decode(text, type=dict[str, dict[date, DayOverride]])) if text else BUNDLED

    @classmethod
    def of_rows(cls, rows: Iterable[Any], revision: int = 0) -> "CalendarBook":
        """The book of a tenant, of rows with `calendar`, `day`, `kind` and `hours`."""
        overrides: dict[str, dict[date, DayOverride]] = {}
        for row in rows:
            day = date.fromisoformat(str(row.day)[:10])
            overrides.setdefault(row.calendar, {})[day] = DayOverride(row.kind, row.hours or "")
        return cls(overrides, revision)


BUNDLED: Final = CalendarBook()

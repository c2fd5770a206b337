"""The days of a calendar that have a session, from its first day to its horizon."""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable
from datetime import date
from itertools import chain
from typing import Final

from qflowd.model.errors import OutsideCalendar

WEEK: Final = 7


class TradingDays:
    """Sorted days. `name`: of the calendar, for errors. `weekdays`: of ordinals (0 is Sunday), as every week has them.

    `remedy`: what brings more days, for errors past the horizon.
    """

    remedy = "a newer release of qflowd may know more"

    def __init__(self, name: str, first: date, last: date, weekdays: Collection[int], days: Iterable[int]) -> None:
        self.name, self.first, self.last = name, first, last
        self._weekdays = weekdays
        self._days = array("i", days)  # a list would be ten times as large

    @property
    def weekdays(self) -> frozenset[int]:
        """The days of the week that are sessions unless they are holidays: 0 is Sunday."""
        return frozenset(self._weekdays)

    @classmethod
    def of_weeks(
        cls, name: str, first: date, last: date, weekdays: str, closed: Iterable[date], added: Iterable[date]
    ) -> "TradingDays":
        """Every week alike, but for days that are `closed` or `added`. `weekdays`: ISO, such as `12345`."""
        wanted = frozenset(int(day) % WEEK for day in weekdays)
        begin, end = first.toordinal(), last.toordinal()
        starts = (start for start in range(begin, begin + WEEK) if start % WEEK in wanted)
        days = set(chain.from_iterable(range(start, end + 1, WEEK) for start in starts))
        days.difference_update(map(date.toordinal, closed))
        days.update(day.toordinal() for day in added if first <= day <= last)
        return cls(name, first, last, wanted, sorted(days))

    def within(self, name: str, first: date, last: date) -> "TradingDays":
        """The same days as another calendar has them, which knows fewer."""
        first, last = max(first, self.first), min(last, self.last)
        begin, end = bisect_left(self._days, first.toordinal()), bisect_right(self._days, last.toordinal())
        return TradingDays(name, first, last, self._weekdays, self._days[begin:end])

    def changed(self, *, removed: Iterable[date], added: Iterable[date]) -> "TradingDays":
        """Without some days, and with others, as far as they are known."""
        days = set(self._days).difference(map(date.toordinal, removed))
        days.update(day.toordinal() for day in added if self.first <= day <= self.last)
        made = TradingDays(self.name, self.first, self.last, self._weekdays, sorted(days))
        made.remedy = self.remedy
        return made

    def __contains__(self, day: date) -> bool:
        """Raises: OutsideCalendar."""
        number = self.known(day).toordinal()
        place = bisect_left(self._days, number)
        return place < len(self._days) and self._days[place] == number

    def next(self, day: date, n: int) -> date:
        """The n-th session after a day. Raises: OutsideCalendar."""
        return self._at(bisect_right(self._days, self.known(day).toordinal()) + n - 1, day, n)

    def previous(self, day: date, n: int) -> date:
        """The n-th session before a day. Raises: OutsideCalendar."""
        return self._at(bisect_left(self._days, self.known(day).toordinal()) - n, day, n)

    def between(self, first: date, last: date) -> list[date]:
        """The sessions from `first` to `last`, both included. Raises: OutsideCalendar."""
        return [date.fromordinal(number) for number in self._between(first, last)]

    def nth(self, first: date, last: date, n: int) -> date | None:
        """The n-th of them, from 1, or from -1 backwards; None if there are fewer. Raises: OutsideCalendar."""
        numbers = self._between(first, last)
        return date.fromordinal(numbers[n - 1 if n > 0 else n]) if abs(n) <= len(numbers) else None

    def is_weekday(self, day: date) -> bool:
        """Whether there is a session on such a day of the week unless it is a holiday."""
        return day.toordinal() % WEEK in self._weekdays

    def is_unbroken(self, session: date, following: date) -> bool:
        """Whether nothing but a weekend lies between a session and the following one: no holiday."""
        between = range(session.toordinal() + 1, following.toordinal())
        return not any(number % WEEK in self._weekdays for number in between)

    def known(self, day: date) -> date:
        """The day, if the calendar knows it. Raises: OutsideCalendar."""
        if not self.first <= day <= self.last:
            raise OutsideCalendar(
                self.name, str(day), self.first, self.last, is_past=day > self.last, remedy=self.remedy
            )
        return day

    def _between(self, first: date, last: date) -> "array[int]":
        begin = bisect_left(self._days, self.known(first).toordinal())
        return self._days[begin : bisect_right(self._days, self.known(last).toordinal())]

    def _at(self, place: int, day: date, n: int) -> date:
        if not 0 <= place < len(self._days):
            what = f"{'a session' if n == 1 else f'session {n}'} {'before' if place < 0 else 'after'} {day}"
            raise OutsideCalendar(self.name, what, self.first, self.last, is_past=place >= 0, remedy=self.remedy)
        return date.fromordinal(self._days[place])

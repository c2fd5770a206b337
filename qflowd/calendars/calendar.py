"""A calendar: the sessions of an exchange, or work days, and which of them an instant belongs to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time

from qflowd.calendars.calendar_file import CalendarKind
from qflowd.calendars.hours import DAY, HoursByDay, Part, Parts, clock_of
from qflowd.calendars.periods import Period, span_of
from qflowd.calendars.trading_days import TradingDays
from qflowd.calendars.trading_session import Span, TradingSession
from qflowd.model.errors import InvalidRequest, OutsideCalendar
from qflowd.model.instants import parse_date
from qflowd.model.zones import zone


@dataclass(frozen=True, eq=False)
class Calendar:
    """Made by `qflowd.calendar(name)`. Days are dates, or text such as `2026-11-20`; instants have a time zone.

    Nothing is known before `first`, nor after `last`, the horizon: whatever would need it raises `OutsideCalendar`.

    Attributes:
        name: such as `XSHG`, or `SHFE.rb` for a product of a futures exchange.
        kind: `exchange`, or `workday` of a calendar that has no hours.
        title: the exchange in words.
        timezone: the name of the zone in which its hours are.
        source: where this is known from.
        days, hours, special, nights: what its answers are worked out from.
    """

    name: str
    kind: CalendarKind
    title: str
    timezone: str
    source: str
    days: TradingDays = field(repr=False)
    hours: HoursByDay = field(repr=False)
    special: Mapping[date, Parts] = field(repr=False)
    nights: HoursByDay = field(repr=False)

    @property
    def first(self) -> date:
        """The first day that it knows."""
        return self.days.first

    @property
    def last(self) -> date:
        """The last day that it knows: its horizon."""
        return self.days.last

    @property
    def has_nights(self) -> bool:
        """Whether it ever had night sessions."""
        return bool(self.nights.latest)

    # -- days

    def is_session(self, day: date | str) -> bool:
        """Whether there is a session on a day. Raises: OutsideCalendar."""
        return _day(day) in self.days

    def next_session(self, day: date | str, n: int = 1) -> date:
        """The n-th session after a day, which may be one itself. Raises: OutsideCalendar."""
        return self.days.next(_day(day), _count(n))

    def prev_session(self, day: date | str, n: int = 1) -> date:
        """The n-th session before a day, which may be one itself. Raises: OutsideCalendar."""
        return self.days.previous(_day(day), _count(n))

    def sessions(self, first: date | str, last: date | str) -> list[date]:
        """The sessions from `first` to `last`, both included, earliest first. Raises: OutsideCalendar."""
        return self.days.between(_day(first), _day(last))

    def sessions_of(self, period: Period, day: date | str) -> list[date]:
        """The sessions of the week (from Monday), month, quarter or year in which a day lies, as far as they are known.

        Raises: OutsideCalendar.
        """
        return self.days.between(*self._known_span(period, day))

    def nth_session(self, period: Period, day: date | str, n: int) -> date | None:
        """The n-th session of the period in which a day lies, counted from its end if `n` is negative; None if it has fewer.

        Raises: OutsideCalendar, also where the answer depends on days past the horizon; InvalidRequest if `n` is 0.
        """
        _count(abs(n))
        first, last = self._known_span(period, day)
        found = self.days.nth(first, last, n)
        if n < 0 or found is None:
            self.days.known(span_of(period, last)[1])
        return found

    def month_end_session(self, day: date | str) -> date:
        """The last session of a day's month.

        Raises: OutsideCalendar if the month is not known to its end; InvalidRequest if it has none.
        """
        if (found := self.nth_session("month", day, -1)) is None:
            raise InvalidRequest(f"{self.name} has no session in the month of {day}")
        return found

    def _known_span(self, period: Period, day: date | str) -> tuple[date, date]:
        """The part of a period that is known. Raises: OutsideCalendar if the day itself is not."""
        first, last = span_of(period, self.days.known(_day(day)))
        return max(first, self.first), min(last, self.last)

    # -- instants

    def local(self, instant: datetime) -> datetime:
        """An instant by the clocks of the calendar's zone.

        Raises: InvalidRequest for one without a time zone; OutsideCalendar if there it is before year 1 or after 9999.
        """
        if instant.tzinfo is None:
            raise InvalidRequest(f"{instant} has no time zone; write one, such as datetime.now(UTC)")
        try:
            return instant.astimezone(zone(self.timezone))
        except OverflowError:
            is_past = instant.year > self.last.year
            raise OutsideCalendar(
                self.name, str(instant), self.first, self.last, is_past=is_past, remedy=self.days.remedy
            ) from None

    def trade_date(self, instant: datetime) -> date | None:
        """The session that an instant belongs to, by the clocks of the zone.

        From the beginning of a night session on it is the session that follows it, else that of the day. None on days
        without a session, and on an evening that has no night though nights are held at that time.

        Raises: OutsideCalendar; InvalidRequest for an instant without a time zone.
        """
        local = self.local(instant)
        today = local.date()
        clock = clock_of(local)
        if clock + DAY <= self.nights.latest and (night := self._night_of_evening(today - DAY)):
            (_, end), day = night
            if clock + DAY <= end:
                return day
        if clock >= self.nights.earliest and (night := self._night_of_evening(today)):
            (begin, _), day = night
            if clock >= begin:
                return day
        return today if today in self.days else None

    def evening_of_nights(self, instant: datetime) -> datetime | None:
        """When nights begin on the evening of an instant's day, whether one is held or not; None without nights."""
        midnight = datetime.combine(self.local(instant), time(), zone(self.timezone))
        return midnight + self.nights.earliest if self.has_nights else None

    def is_open(self, instant: datetime) -> bool:
        """Whether there is trading at an instant; not in breaks, nor at the end of a part. Raises: as `trade_date`."""
        day = self.trade_date(instant)
        return day is not None and self.session(day).is_open(instant)

    def session(self, day: date | str) -> TradingSession:
        """The hours of a session.

        Raises: OutsideCalendar; InvalidRequest if there is none on that day.
        """
        day = _day(day)
        if day not in self.days:
            raise InvalidRequest(f"{self.name} has no session on {day}; next_session() tells the one after it")
        usual = self.hours.on(day)
        parts = self.special.get(day, usual)
        spans = tuple(self._instants(day, part) for part in parts)
        return TradingSession(day, spans, self._night_before(day), is_half=parts != usual)

    def _night_before(self, day: date) -> Span | None:
        """The night session of a day's session; the first that is known has none, as its evening is not."""
        if not (night := self.nights.on(day)):
            return None
        try:
            evening = self.days.previous(day, 1)
        except OutsideCalendar:
            return None
        return self._instants(evening, night[0]) if self.days.is_unbroken(evening, day) else None

    def _night_of_evening(self, evening: date) -> tuple[Part, date | None] | None:
        """When a night is held after a session, and of which day: of None if there are nights, but none that evening."""
        if evening < self.first or evening not in self.days:
            return None
        day = self.days.next(evening, 1)
        if night := self.nights.on(day):
            return night[0], day if self.days.is_unbroken(evening, day) else None
        before = self.nights.on(evening)  # the first without: a holiday, or the end of all nights
        return (before[0], None) if before else None

    def _instants(self, day: date, part: Part) -> Span:
        midnight = datetime.combine(day, time(), zone(self.timezone))
        begin, end = part
        return (midnight + begin).astimezone(UTC), (midnight + end).astimezone(UTC)


def _day(day: date | str) -> date:
    """Raises: InvalidRequest."""
    if isinstance(day, datetime):
        raise InvalidRequest(f"{day} is an instant, not a day; trade_date() tells which session it belongs to")
    if isinstance(day, date):
        return day
    try:
        return parse_date(day)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None


def _count(n: int) -> int:
    """Raises: InvalidRequest."""
    if n < 1:
        raise InvalidRequest(f"n is {n}; it counts sessions from 1")
    return n

"""When a schedule fires, and for which day: by the clock, by the clock on days of a calendar, or by its sessions.

Instants end with what a calendar knows: past its horizon a schedule has no next one.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, time, timedelta
from itertools import islice, takewhile
from typing import Any, NamedTuple

from qflowd.calendars.calendar import Calendar
from qflowd.calendars.calendar_book import BUNDLED, Calendars
from qflowd.calendars.hours import DAY, clock_of, parse_hours, part_around
from qflowd.calendars.openings import is_open, next_opening
from qflowd.calendars.session_days import SessionDays, parse_session_days
from qflowd.calendars.session_times import parse_session_time
from qflowd.calendars.trading_session import Span
from qflowd.model import cron
from qflowd.model.cron_text import expand_alias
from qflowd.model.errors import OutsideCalendar
from qflowd.model.workflow import Schedule
from qflowd.model.zones import zone

_MOMENT = timedelta(microseconds=1)


class Fire(NamedTuple):
    """An instant at which a schedule fires, in UTC, and the day that it fires for."""

    at: datetime
    business_date: date


def times_in(row: Any) -> Schedule:
    """When a stored schedule fires, without what else a file says of it."""
    return Schedule(
        row.cron, row.timezone, calendar=row.calendar, at=row.session_time, days=row.session_days, window=row.day_window
    )


def in_words(schedule: Schedule) -> str:
    """`close+30m of XSHG, last session of month`, `0 17 * * * Asia/Shanghai on sessions of XSHG`, or `on workflow bars`."""
    if schedule.start_on:
        return " ".join(("on", *next(iter(schedule.start_on.items()))))
    if schedule.at:
        times = f"{schedule.at} of {schedule.calendar}"
    else:
        on = f" on sessions of {schedule.calendar}" if schedule.calendar else ""
        times = f"{schedule.cron} {schedule.timezone}{on}"
    return ", ".join(filter(None, (times, schedule.days, schedule.window)))


def fires(schedule: Schedule, after: datetime, calendars: Calendars = BUNDLED) -> Iterator[Fire]:
    """All that come after an instant, earliest first; they end where the calendar does. None of a schedule on a fact.

    `calendars`: those of the schedule's tenant, here and below.

    Raises: NotFound for a calendar that this release does not have.
    """
    if not schedule.cron and not schedule.at:
        return
    if not schedule.calendar:
        yield from (Fire(at, at.astimezone(zone(schedule.timezone)).date()) for at in _by_clock(schedule, after))
        return
    sessions = calendars.calendar(schedule.calendar)
    try:
        yield from (_by_session if schedule.at else _on_sessions)(schedule, sessions, after)
    except OutsideCalendar:
        return


def next_fire(schedule: Schedule, after: datetime, calendars: Calendars = BUNDLED) -> datetime | None:
    """The first instant later than `after`; None past the horizon of the calendar."""
    return next((fire.at for fire in fires(schedule, after, calendars)), None)


def day_of(schedule: Schedule, at: datetime, calendars: Calendars = BUNDLED) -> date:
    """The day that a schedule is for at any instant: the session of then, or the latest that was; the date without a calendar.

    Raises: NotFound for a calendar that this release does not have; OutsideCalendar.
    """
    if not schedule.calendar:
        return at.astimezone(zone(schedule.timezone)).date()
    sessions = calendars.calendar(schedule.calendar)
    if (day := sessions.trade_date(at)) is not None:
        return day
    today = sessions.local(at).date()
    return today if sessions.is_session(today) else sessions.prev_session(today)


def check_known(schedule: Schedule, at: datetime, calendars: Calendars = BUNDLED) -> None:
    """That an instant at which it fires, as whoever planned it knew, is not past what is known here.

    Raises: OutsideCalendar; NotFound for a calendar that this release does not have.
    """
    if schedule.calendar and next_fire(schedule, at - _MOMENT, calendars) is None:
        sessions = calendars.calendar(schedule.calendar)
        sessions.is_session(sessions.local(at).date())


def next_fires(schedule: Schedule, after: datetime, count: int, calendars: Calendars = BUNDLED) -> list[Fire]:
    """The `count` first that come after an instant, or as many as are known.

    Raises: NotFound for a calendar that this release does not have.
    """
    return list(islice(fires(schedule, after, calendars), count))


def fires_of_all(
    schedules: Mapping[str, Schedule], after: datetime, count: int, calendars: Calendars = BUNDLED
) -> list[tuple[str, Fire]]:
    """The `count` first of several schedules that come after an instant, with their names. Raises: as `next_fires`."""
    found = [(name, fire) for name, each in schedules.items() for fire in next_fires(each, after, count, calendars)]
    return sorted(found, key=lambda pair: (pair[1].at, pair[0]))[:count]


def fires_until(
    schedule: Schedule, after: datetime, until: datetime, limit: int, calendars: Calendars = BUNDLED
) -> list[Fire]:
    """The earliest `limit` of the instants in (after, until]."""
    known = takewhile(lambda fire: fire.at <= until, fires(schedule, after, calendars))
    return list(islice(known, limit))


def latest_fires(
    schedule: Schedule, after: datetime, until: datetime, limit: int, calendars: Calendars = BUNDLED
) -> list[Fire]:
    """The latest `limit` of the instants in (after, until], earliest first."""
    span = timedelta(minutes=1)
    while True:  # looks back ever further, until there are enough
        start = max(after, until - span)
        found = deque(takewhile(lambda fire: fire.at <= until, fires(schedule, start, calendars)), limit)
        if len(found) == limit or start == after:
            return list(found)
        span *= 4


def moved_fire(
    schedule: Schedule, next_at: datetime, now: datetime, before: Calendars, after: Calendars
) -> datetime | None:
    """When a schedule fires next that was to fire at `next_at`, later than `now`, now that its calendar has changed.

    Not later than `now` where the session's own time is over already: what is to be done then is the schedule's to say.

    Args:
        before, after: what is known of calendars.
    """
    if schedule.at:
        waited = next((fire.business_date for fire in fires(schedule, next_at - _MOMENT, before)), None)
        for fire in fires(schedule, now - DAY, after):
            if fire.at > now or (waited is not None and fire.business_date >= waited):
                return fire.at
        return None
    return next_fire(schedule, now, after)


def is_ever_open(schedule: Schedule) -> bool:
    """Whether any time of day of the cron expression lies in the window; if none does, looking for one never ends."""
    *times, _, _, _ = expand_alias(schedule.cron).split()
    daily, midnight = " ".join([*times, "* * *"]), datetime(2026, 1, 1, tzinfo=UTC)
    spans = [(midnight + begin, midnight + end) for begin, end in parse_hours(schedule.window)]
    return any(next(cron.fires(daily, "UTC", begin - timedelta(seconds=1))) <= end for begin, end in spans)


def _by_clock(schedule: Schedule, after: datetime) -> Iterator[datetime]:
    """Instants of a clock, those in its window if it has one."""
    parts, clocks = parse_hours(schedule.window), zone(schedule.timezone)
    while True:
        for at in cron.fires(schedule.cron, schedule.timezone, after):
            if parts and not is_open(parts, at, clocks):
                after = next_opening(parts, at, clocks) - _MOMENT
                break
            yield at


def _window_around(schedule: Schedule, at: datetime) -> Span | None:
    """From when to when the window is open in which an instant lies; None if it lies in none."""
    around = part_around(parse_hours(schedule.window), clock_of(at.astimezone(zone(schedule.timezone))))
    return None if around is None else (at - around[0], at + around[1])


def _on_sessions(schedule: Schedule, sessions: Calendar, after: datetime) -> Iterator[Fire]:
    """Instants of a clock that belong to a session. Raises: OutsideCalendar past the horizon."""
    days = parse_session_days(schedule.days) if schedule.days else None
    after = max(after, _midnight(sessions, sessions.first))
    while True:
        for at in _by_clock(schedule, after):
            window = _window_around(schedule, at) if schedule.window else None
            night = None if window is None else _night_in(sessions, window)
            day = sessions.trade_date(night or at)
            if day is not None and (days is None or days.has(sessions, day)):
                yield Fire(at, day)
            # By steps of a second it would be millions to the next session of a year.
            elif (begin := _beginning_after(sessions, days, at, window, night)) > at:
                after = begin - _MOMENT
                break


def _night_in(sessions: Calendar, window: Span) -> datetime | None:
    """When nights begin in a window: all of it is of that night, or of none. None: each of its instants counts by itself."""
    night = sessions.evening_of_nights(window[0])
    return night if night is not None and window[0] <= night <= window[1] else None


def _beginning_after(
    sessions: Calendar, days: SessionDays | None, at: datetime, window: Span | None, night: datetime | None
) -> datetime:
    """Before when nothing after `at`, which belongs to no session that counts, can belong to one.

    Args:
        window: in which it lies, if there are any; `night`: as `_night_in` has it.
    """
    if window is not None and night is not None:
        return window[1] + _MOMENT
    today = sessions.local(at).date()
    begin = _beginning_since(sessions, days, at, today, window)
    # In the evening it may be past what belongs to today.
    return begin if begin > at else _beginning_since(sessions, days, at, today + DAY, window)


def _beginning_since(
    sessions: Calendar, days: SessionDays | None, at: datetime, since: date, window: Span | None
) -> datetime:
    """As `_beginning_after`, for the first session from a day on."""
    day = next(_days_since(sessions, days, since))
    begin = earliest = _midnight(sessions, day)
    if (ahead := sessions.session(day).night) and at < ahead[0]:
        begin, earliest = ahead[0], ahead[0] - DAY  # the windows that follow may hold the opening, and begin before it
    return begin if window is None else max(earliest, min(begin, window[1] + _MOMENT))


def _midnight(sessions: Calendar, day: date) -> datetime:
    return datetime.combine(day, time(), zone(sessions.timezone)).astimezone(UTC)


def _by_session(schedule: Schedule, sessions: Calendar, after: datetime) -> Iterator[Fire]:
    """An instant of each session. Raises: OutsideCalendar past the horizon."""
    moment = parse_session_time(schedule.at)
    # What is over by then has no instant any more: a session ends on its day, or when its latest hours do.
    over = max(sessions.hours.latest, DAY)
    begin = (sessions.local(after - moment.offset) - over).date() + DAY
    begin = min(max(begin, sessions.first), sessions.last)
    days = parse_session_days(schedule.days) if schedule.days else None
    for day in _days_since(sessions, days, begin):
        if (at := moment.of(sessions.session(day))) is not None and at > after:
            yield Fire(at, day)


def _days_since(sessions: Calendar, days: SessionDays | None, day: date) -> Iterator[date]:
    """The sessions from a day on. Raises: OutsideCalendar past the horizon."""
    return _all_since(sessions, day) if days is None else days.since(sessions, day)


def _all_since(sessions: Calendar, day: date) -> Iterator[date]:
    if not sessions.is_session(day):
        day = sessions.next_session(day)
    while True:
        yield day
        day = sessions.next_session(day)

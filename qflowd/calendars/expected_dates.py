"""For which dates runs of a workflow are expected, and by when: those of its schedules, else the sessions of its calendar."""

from collections.abc import Iterator
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from qflowd.calendars import timetable
from qflowd.calendars.calendar_book import BUNDLED, Calendars
from qflowd.calendars.expected_times import MOST_DAYS, expected_at, parse_expected_time
from qflowd.calendars.hours import DAY
from qflowd.calendars.timetable import Fire
from qflowd.model.errors import OutsideCalendar
from qflowd.model.workflow import Schedule
from qflowd.model.zones import zone

_FARTHEST = (MOST_DAYS + 2) * DAY  # between a date and the instant by which its run is expected


class Expectation(NamedTuple):
    """`expect_by` or `deadline` of a workflow, its calendar ("" for none), and the schedules of it that are on."""

    due_by: str
    calendar: str
    schedules: tuple[Schedule, ...] = ()


class ExpectedDate(NamedTuple):
    """A date, and by when its run is expected, in UTC."""

    day: date
    at: datetime


def expected_after(what: Expectation, day: date, calendars: Calendars = BUNDLED) -> ExpectedDate | None:
    """The first date after `day` for which a run is expected; None past the horizon of a calendar.

    Raises: NotFound for a calendar that this release does not have; whatever croniter or zoneinfo make of a schedule.
    """
    expected = parse_expected_time(what.due_by)
    sessions = calendars.calendar(what.calendar) if what.calendar else None
    try:
        for each in _days_after(what, day, calendars):
            if (at := expected_at(expected, each, sessions)) is not None:
                return ExpectedDate(each, at)
    except OutsideCalendar:
        pass
    return None


def day_judged_by(what: Expectation, now: datetime, calendars: Calendars = BUNDLED) -> date:
    """The last date whose run was expected by an instant, or one before the first that is known. Raises: as `expected_after`."""
    day = (now - _FARTHEST).date()
    while (found := expected_after(what, day, calendars)) is not None and found.at <= now:
        day = found.day
    return day


def last_fire_for(schedule: Schedule, day: date, calendars: Calendars) -> datetime | None:
    """The last instant at which a schedule fires for a date; None if it does not. Raises: as `expected_after`."""
    last = None
    for fire in timetable.fires(
        schedule, _begin_after(schedule, day - DAY, calendars) - timedelta(microseconds=1), calendars
    ):
        if fire.business_date > day:
            break
        last = fire.at if fire.business_date == day else last
    return last


def is_expected(what: Expectation, day: date, calendars: Calendars = BUNDLED) -> bool:
    """Whether a run is expected for a day. Raises: as `expected_after`."""
    found = expected_after(what, day - DAY, calendars)
    return found is not None and found.day == day


def _days_after(what: Expectation, day: date, calendars: Calendars) -> Iterator[date]:
    """The dates after a day, earliest first. Raises: OutsideCalendar past the horizon."""
    timed = [each for each in what.schedules if each.cron or each.at]
    while True:
        if timed:
            found = [
                fire.business_date for each in timed if (fire := first_fire_after(each, day, calendars)) is not None
            ]
            if not found:
                return
            day = min(found)
        else:
            sessions = calendars.calendar(what.calendar)
            is_before = day < sessions.first  # as of an own calendar that has just begun
            day = (
                sessions.first
                if is_before and sessions.is_session(sessions.first)
                else sessions.next_session(max(day, sessions.first))
            )
        yield day


def first_fire_after(schedule: Schedule, day: date, calendars: Calendars = BUNDLED) -> Fire | None:
    """The first instant at which a schedule fires for a date after `day`; None past the horizon of its calendar."""
    begin = _begin_after(schedule, day, calendars) - timedelta(microseconds=1)
    return next((fire for fire in timetable.fires(schedule, begin, calendars) if fire.business_date > day), None)


def _begin_after(schedule: Schedule, day: date, calendars: Calendars) -> datetime:
    """Before when a schedule fires for nothing later than a day."""
    if not schedule.calendar:
        return datetime.combine(day + DAY, time(), zone(schedule.timezone))
    sessions = calendars.calendar(schedule.calendar)
    day = min(max(day, sessions.first), sessions.last)
    if not sessions.is_session(day):  # what is for the next session may begin on the evening of the one before
        with suppress(OutsideCalendar):
            day = sessions.prev_session(day)
    midnight = datetime.combine(day + DAY, time(), zone(sessions.timezone))
    if schedule.at:
        return midnight - 2 * DAY  # once a session, and up to a day before it
    close_at = sessions.session(day).close_at if sessions.is_session(day) else None
    return close_at or midnight

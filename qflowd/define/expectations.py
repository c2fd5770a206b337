"""`expect_by:` of a workflow: by when the run for a business date is to have succeeded; past that, it is late.

`deadline:` is written in the same way: what runs then is stopped.
"""

from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from qflowd.define.fields import Fields
from qflowd.define.known_calendars import known_calendars
from qflowd.define.readers import text
from qflowd.define.session_functions import fault_in_calendar
from qflowd.model.errors import OutsideCalendar
from qflowd.model.workflow import Json, Schedule, Workflow

if TYPE_CHECKING:
    from qflowd.calendars.expected_dates import Expectation
    from qflowd.calendars.session_times import SessionTime

KEYS: Final = ("expect_by", "deadline")
LONGEST: Final = 64  # as the column is
_CHECKED_FROM: Final = date(2026, 1, 1)  # the times of one date tell how an order of times is


def read_expected_time(top: Fields, key: str) -> str:
    """What stands there, as `parse_expected_time` reads it; "" where nothing does."""
    return top.take(key, _expected, "")


def with_expectations(top: Fields, workflow: Workflow) -> Workflow:
    """With the time zones that nobody wrote; what does not fit the rest of the workflow is a fault."""
    if workflow.calendar and fault_in_calendar(workflow.calendar):
        return workflow
    given = [key for key in KEYS if getattr(workflow, key)]
    schedules = [each for each in workflow.named_schedules.values() if each.cron or each.at]
    for key in given:
        if not schedules and not workflow.calendar:
            top.fault("needs a calendar or a schedule beside it: without one, no date is expected", key)
        else:
            workflow = replace(workflow, **{key: _with_zone(top, workflow, key, schedules)})
    if given and not top.faults:
        _check_order(top, workflow, given, schedules)
    return workflow


def _with_zone(top: Fields, workflow: Workflow, key: str, schedules: list[Schedule]) -> str:
    from qflowd.calendars.expected_times import ClockTime, parse_expected_time

    written = str(getattr(workflow, key))
    expected = parse_expected_time(written)
    if not isinstance(expected, ClockTime):
        _check_session_time(top, workflow, key, expected)
        return written
    if expected.timezone:
        return str(expected)
    zones = {each.timezone for each in schedules} or {known_calendars().calendar(workflow.calendar).timezone}
    if len(zones) > 1:
        top.fault(f"needs a time zone, as its schedules have several: write it like {expected} {min(zones)}", key)
    return str(expected._replace(timezone=min(zones)))


def _check_session_time(top: Fields, workflow: Workflow, key: str, expected: "SessionTime") -> None:
    if not workflow.calendar:
        top.fault("is a time of a session: give the workflow a calendar, or write a time of day, such as 18:30", key)
        return
    calendar = known_calendars().calendar(workflow.calendar)
    if calendar.kind == "workday":
        top.fault(f"is a time of a session, and {calendar.name} has days without hours; write a time of day", key)
    elif expected.anchor.startswith("night") and not calendar.has_nights:
        top.fault(f"is a time of night sessions, and {calendar.name} has none", key)


def _check_order(top: Fields, workflow: Workflow, given: list[str], schedules: list[Schedule]) -> None:
    """A run begins before it is expected, and is expected before it is stopped: else each would be late, or be stopped."""
    from qflowd.calendars.expected_dates import Expectation, expected_after
    from qflowd.calendars.timetable import in_words

    known = known_calendars()
    said = [Expectation(getattr(workflow, key), workflow.calendar, tuple(schedules)) for key in given]
    first = [expected_after(each, _CHECKED_FROM, known) for each in said]
    if len(first) == 2 and first[0] and first[1] and first[0].day == first[1].day and first[1].at <= first[0].at:
        top.fault(f"is not after expect_by, {workflow.expect_by}: what is late is stopped later", "deadline")
    if schedules and all(_begins_later(said[0], each) for each in schedules):
        top.fault(f"is before the workflow begins ({in_words(schedules[0])}), so each run would be late", given[0])


def _begins_later(what: "Expectation", schedule: Schedule) -> bool:
    """Whether a schedule fires for a date when the run for it is expected already."""
    from qflowd.calendars.expected_dates import first_fire_after
    from qflowd.calendars.expected_times import expected_at, parse_expected_time

    known = known_calendars()
    calendar = known.calendar(what.calendar) if what.calendar else None
    with suppress(OutsideCalendar):
        if (fire := first_fire_after(schedule, _CHECKED_FROM, known)) is not None:
            at = expected_at(parse_expected_time(what.due_by), fire.business_date, calendar)
            return at is not None and at <= fire.at
    return False


def _expected(value: Json) -> str:
    from qflowd.calendars.expected_times import parse_expected_time

    parse_expected_time(written := " ".join(text(value).split()))
    if len(written) > LONGEST:
        raise ValueError(f"has {len(written)} characters; at most {LONGEST} are allowed")
    return written

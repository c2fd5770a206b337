"""What a client is told of its submissions beside their numbers: they are taken, but may not be what was meant."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any

from qflowd.client.gaps import seen_calendar_of
from qflowd.model.errors import QflowdError
from qflowd.model.instants import parse_date

if TYPE_CHECKING:
    from qflowd.calendars.calendar_book import CalendarBook

Asked = tuple[str | None, str | None]  # the workflow of a submission, and its business date


def warnings_of(
    read: Callable[..., Sequence[Any]], calendars: Callable[[], "CalendarBook"], submissions: Sequence[Asked]
) -> list[list[str]]:
    """For each of these, what is odd about it: a business date that is not a session of the workflow's calendar.

    Each workflow and date is looked up once. Where nothing can tell, nothing is said: the workflow has no calendar, no
    daemon has looked at it yet, the day lies past its horizon, the caller may not read, the database is away.

    Args:
        read: gives the rows of a statement, for one tenant.
        calendars: the calendars of that tenant; asked once, if at all.
    """
    book = cache(calendars)

    @cache
    def of_day(workflow: str, day: str) -> list[str]:
        with suppress(QflowdError):
            if name := seen_calendar_of(read, workflow):
                calendar, wanted = book().calendar(name), parse_date(day)
                if not calendar.is_session(wanted):
                    near = f"{calendar.prev_session(wanted)} and {calendar.next_session(wanted)} are"
                    return [f"{day} is not a session of {calendar.name}, the calendar of {workflow}; {near}"]
        return []

    return [of_day(workflow, day) if workflow and day else [] for workflow, day in submissions]

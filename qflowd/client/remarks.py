"""What a client is told of its submissions beside their numbers: they are taken, but may not be what was meant."""

from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

from qflowd.model.errors import QflowdError
from qflowd.model.instants import parse_date

if TYPE_CHECKING:
    from qflowd.calendars.calendar_book import CalendarBook
    from qflowd.client.views import Views

Asked = tuple[str | None, str | None]  # the workflow of a submission, and its business date


def warnings_of(views: "Views", submissions: Sequence[Asked]) -> list[list[str]]:
    """For each of these, what is odd about it: a business date that is not a session of the workflow's calendar.

    Each workflow and date is looked up once. Where nothing can tell, nothing is said: the workflow has no calendar, no
    daemon has looked at it yet, the day lies past its horizon, the caller may not read, the database is away.
    """

    @cache
    def calendars() -> "CalendarBook":
        return views.calendars()

    @cache
    def of_day(workflow: str, day: str) -> list[str]:
        with suppress(QflowdError):
            found = views.read_all("find_session_workflow", workflow=workflow)
            if found and found[0].calendar:
                calendar, wanted = calendars().calendar(found[0].calendar), parse_date(day)
                if not calendar.is_session(wanted):
                    near = f"{calendar.prev_session(wanted)} and {calendar.next_session(wanted)} are"
                    return [f"{day} is not a session of {calendar.name}, the calendar of {workflow}; {near}"]
        return []

    return [of_day(workflow, day) if workflow and day else [] for workflow, day in submissions]

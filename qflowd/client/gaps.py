"""Gaps: sessions of a workflow's calendar without a good run, and what is there instead."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final

from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.instants import parse_date
from qflowd.model.near_names import there_is_no

EARLIEST, LATEST = date(1900, 1, 1), date(2999, 12, 31)  # what no calendar comes near
NO_CALENDAR: Final = (
    "workflow {workflow!r} has no calendar, so no day of it is a gap; give it one, as in `calendar: XSHG`"
)
NOT_SEEN: Final = "no daemon has looked at the calendar of workflow {workflow!r} yet; `qflowd run` starts one"


def find_gaps(
    read: Callable[..., Sequence[Any]], workflow: str, first: date | str | None, last: date | str | None
) -> list[dict[str, Any]]:
    """See `Client.gaps`. `read`: gives the rows of a statement, for one tenant."""
    since, until = _day(first, EARLIEST), _day(last, LATEST)
    if since > until:
        raise InvalidRequest(f"the first day, {since}, is after the last, {until}")
    span = {"date_from": since.isoformat(), "date_to": until.isoformat()}
    rows = read("list_gaps", workflow=workflow, **span, is_all=int(first is not None))
    if not rows:
        check_calendar_of(read, workflow)
    return [row._asdict() for row in rows]


def seen_calendar_of(read: Callable[..., Sequence[Any]], workflow: str) -> str | None:
    """The name of a workflow's calendar, "" if it has none; None if no daemon has looked yet, or there is no such workflow."""
    rows = read("find_session_workflow", workflow=workflow)
    return str(rows[0].calendar or "") if rows else None


def check_calendar_of(read: Callable[..., Sequence[Any]], workflow: str) -> str:
    """The name of a workflow's calendar.

    Raises: NotFound if there is no such workflow; InvalidRequest if it has none, or no daemon has looked yet.
    """
    if name := seen_calendar_of(read, workflow):
        return name
    if name is None and workflow not in (names := [row.workflow for row in read("list_workflows")]):
        raise NotFound(there_is_no("workflow", workflow, names, "workflows"))
    raise InvalidRequest((NOT_SEEN if name is None else NO_CALENDAR).format(workflow=workflow))


def _day(given: date | str | None, otherwise: date) -> date:
    """Raises: InvalidRequest."""
    if given is None:
        return otherwise
    if isinstance(given, date):
        return given
    try:
        return parse_date(given)
    except ValueError as error:
        raise InvalidRequest(str(error)) from None

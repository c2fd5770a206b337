"""Gaps of a workflow, and a year of it: which sessions have a good run, and what is there instead."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

import msgspec

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.named import workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.client.gaps import check_calendar_of, find_gaps
from qflowd.model.roles import Role


class GapItem(Item):
    """A session without a good run. `state`, `instance_id`: of the latest run for it; null where there is none."""

    business_date: date
    state: str | None
    instance_id: int | None


class GapsQuery(Query):
    """`from`: by default the first business date that the workflow has a run for; `to`: the last session that is due."""

    from_: date | None = None
    to: date | None = None


class DayOfWorkflow(Item):
    """A session of the workflow's calendar, or a date that it has runs for. `is_gap`: it is due, and has no good run.

    `state`, `instance_id`: of the run that counts, the latest that succeeded, or the latest.
    """

    date: date
    is_session: bool
    is_gap: bool
    runs: int
    state: str | None
    instance_id: int | None


class YearOfWorkflow(Item):
    """A year of a workflow by business dates, earliest first; days without a session and without a run are left out."""

    workflow: str
    calendar: str
    year: int
    gaps: int
    days: Sequence[DayOfWorkflow]


class YearOfWorkflowQuery(Query):
    """Which year; the current one if it is left out."""

    year: Annotated[int, msgspec.Meta(ge=1900, le=2999)] | None = None


@route("GET", "/workflows/{id}/gaps", Role.READ, errors=(42202,))
def list_gaps(call: Call, id: str, query: GapsQuery) -> list[GapItem]:
    """Sessions of the workflow's calendar that are due and have no good run, earliest first."""
    found = find_gaps(call.read, workflow_of(call, id).workflow, query.from_, query.to)
    return [GapItem(**row) for row in found]


@route("GET", "/workflows/{id}/calendar", Role.READ, errors=(42202,))
def show_workflow_year(call: Call, id: str, query: YearOfWorkflowQuery) -> YearOfWorkflow:
    """A year of a workflow: for each business date what has become of it."""
    workflow = workflow_of(call, id).workflow
    calendar = check_calendar_of(call.read, workflow)
    year = query.year or call.store.clock.now().year
    about: dict[str, Any] = {"workflow": workflow, "date_from": f"{year}-01-01", "date_to": f"{year}-12-31"}
    runs = {row.business_date: row for row in call.read("list_runs_by_date", **about)}
    days = {
        day: DayOfWorkflow(
            date=day, is_session=False, is_gap=False, runs=row.runs, state=row.state, instance_id=row.instance_id
        )
        for day, row in runs.items()
    }
    for row in call.read("list_session_runs", **about):
        is_gap = bool(row.is_due and row.has_begun) and row.state != "SUCCESS"
        count = runs[row.business_date].runs if row.business_date in runs else 0
        days[row.business_date] = DayOfWorkflow(
            date=row.business_date,
            is_session=True,
            is_gap=is_gap,
            runs=count,
            state=row.state,
            instance_id=row.instance_id,
        )
    ordered = [days[day] for day in sorted(days)]
    return YearOfWorkflow(workflow, calendar, year, sum(day.is_gap for day in ordered), ordered)

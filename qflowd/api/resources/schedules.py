"""Schedules, read: what fires when, what has fired and what came of it. Next fires come from the scheduler's own code."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.named import workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of, items_of
from qflowd.calendars import timetable
from qflowd.model.errors import NotFound
from qflowd.model.instants import FOREVER
from qflowd.model.near_names import there_is_no
from qflowd.model.roles import Role

LONGEST_SPAN: Final = timedelta(days=62)
MOST_FIRES: Final = 200  # of one schedule, in one direction
MOST_PAST: Final = 2000  # of all together


class ScheduleItem(Item):
    """A schedule of a workflow. `wait_reason`: why it does not fire.

    `cron`, or for schedules by session `session_time` (`close+30m`) and `session_days` (`last session of month`), else empty;
    `times`: what there is of them.
    """

    workflow: str
    name: str
    cron: str
    timezone: str
    calendar: str
    session_time: str
    session_days: str
    day_window: str
    times: str
    catchup: str
    enabled: bool
    source: str
    last_fire_at: datetime | None
    next_fire_at: datetime | None
    wait_reason: str | None


class FireItem(Item):
    """When a schedule fired, and the instance that came of it. `state` NEXT: it fires then; DUE: it should have fired."""

    workflow: str
    schedule: str
    at: datetime
    state: str | None
    instance_id: int | None = None
    error: str | None = None


class ScheduleList(Item):
    """All schedules, and their fires in the time that was asked for, earliest first."""

    schedules: Sequence[ScheduleItem]
    fires: Sequence[FireItem]
    from_: datetime
    to: datetime


class ScheduleFires(Item):
    """Of one schedule: what has fired, newest first, and what fires next."""

    past: Sequence[FireItem]
    next: Sequence[datetime]


class SpanQuery(Query):
    """`from` and `to`: 62 days at most; from now on for a day if they are left out."""

    from_: datetime | None = None
    to: datetime | None = None


LAST_YEAR: Final = 9900  # of fires: the calendar of Python ends before some schedules fire again


class FiresQuery(Query):
    """How many fires."""

    next: Annotated[int, msgspec.Meta(ge=0, le=MOST_FIRES)] = 20
    past: Annotated[int, msgspec.Meta(ge=0, le=MOST_FIRES)] = 20


@route("GET", "/schedules", Role.READ)
def list_schedules(call: Call, query: SpanQuery) -> ScheduleList:
    """The schedules of all workflows, and when they fire between two instants."""
    now = call.store.clock.now().astimezone(UTC)
    first, last = (
        query.from_ or now,
        query.to or min(query.from_ or now, FOREVER - timedelta(days=1)) + timedelta(days=1),
    )
    if not timedelta() <= last - first <= LONGEST_SPAN:
        raise ApiFault(40002, f"to: must be later than from, by {LONGEST_SPAN.days} days at most")
    schedules = [row for row in call.read("list_schedules") if row.archived_at is None]
    fires = [_fired(row) for row in call.read("list_fires_between", first_at=first, last_at=last, batch=MOST_PAST)]
    calendars = call.client.calendars()
    for row in schedules:
        if row.next_fire_at is not None and first.year < LAST_YEAR:
            start = max(first, row.next_fire_at) - timedelta(microseconds=1)
            with suppress(NotFound):  # of a calendar that only another release has; the workflow's error says so
                coming = timetable.fires_until(timetable.times_in(row), start, last, MOST_FIRES, calendars)
                fires += [_to_fire(row, at, now) for at in coming]
    fires.sort(key=lambda fire: (fire.at, fire.workflow, fire.schedule))
    return ScheduleList(schedules=items_of(schedules, ScheduleItem), fires=fires, from_=first, to=last)


@route("GET", "/workflows/{id}/schedules", Role.READ)
def list_schedules_of_workflow(call: Call, id: str) -> list[ScheduleItem]:
    """The schedules of one workflow."""
    return items_of(_schedules_of(call, workflow_of(call, id).workflow), ScheduleItem)


@route("GET", "/workflows/{id}/schedules/{name}/fires", Role.READ)
def list_fires(call: Call, id: str, name: str, query: FiresQuery) -> ScheduleFires:
    """When a schedule has fired and what came of it, and when it fires next."""
    workflow = workflow_of(call, id).workflow
    rows = {row.name: row for row in _schedules_of(call, workflow)}
    if (row := rows.get(name)) is None:
        raise NotFound(there_is_no("schedule", name, rows, "schedules"))
    past = call.read("list_fires_of_schedule", workflow=workflow, name=name, batch=query.past) if query.past else []
    start = None if row.next_fire_at is None else row.next_fire_at - timedelta(microseconds=1)
    calendars = call.client.calendars()
    coming = [] if start is None else timetable.next_fires(timetable.times_in(row), start, query.next, calendars)
    return ScheduleFires(past=[_fired(each) for each in past], next=coming)


def _schedules_of(call: Call, workflow: str) -> Sequence[Any]:
    return call.read("list_schedules_between", first_key=workflow, last_key=workflow)


def _to_fire(row: Any, at: datetime, now: datetime) -> FireItem:
    return FireItem(workflow=row.workflow, schedule=row.name, at=at, state="NEXT" if at > now else "DUE")


def _fired(row: Any) -> FireItem:
    return FireItem(**fields_of(row, FireItem) | {"at": row.fire_at})

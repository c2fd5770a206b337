"""Schedules, read: what fires when, what has fired, what came of it and what was missed. Next fires come from the scheduler's own code."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import ApiAnswer, ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.named import workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.calendars import timetable
from qflowd.engine.definitions.workflow_store import digest_of
from qflowd.model import jsontext
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
    `start_on`: the fact that it starts on in place of a time, such as `workflow cn_bars`. `times`: what there is of them. `params`: of what it submits. Where a command has changed its times, `set_by`, `set_at` and
    `set_reason` tell who, and `file_says` what the file does; else null. `etag`: of what PUT changes, for If-Match.
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
    params: Mapping[str, Any] | None
    set_by: str | None
    set_at: datetime | None
    set_reason: str | None
    file_says: str | None
    start_on: str | None
    etag: str


class FireItem(Item):
    """When a schedule fired, for which day, and the instance that came of it.

    `state` NEXT: it fires then; DUE: it should have fired; MISSED: it passed, and nothing made up for it. `fact` and `fact_id`:
    what has started it in place of a time, a workflow, dataset or signal, and which instance, dataset or signal.
    """

    workflow: str
    schedule: str
    at: datetime
    state: str | None
    instance_id: int | None = None
    error: str | None = None
    business_date: date | None = None
    fact: str | None = None
    fact_id: int | None = None


class ComingFire(Item):
    """When a schedule fires next, and for which day."""

    schedule: str
    at: datetime
    business_date: date


class ScheduleList(Item):
    """All schedules, and their fires in the time that was asked for, earliest first."""

    schedules: Sequence[ScheduleItem]
    fires: Sequence[FireItem]
    from_: datetime
    to: datetime


class ScheduleFires(Item):
    """Of one schedule: what has fired or was missed, newest first, and what fires next.

    `note`: why that is not known here, as of a calendar that only another release has.
    """

    past: Sequence[FireItem]
    next: Sequence[ComingFire]
    note: str | None = None


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
                found = timetable.fires_until(timetable.times_in(row), start, last, MOST_FIRES, calendars)
                fires += [_to_fire(row, fire, now) for fire in found]
    fires.sort(key=lambda fire: (fire.at, fire.workflow, fire.schedule))
    return ScheduleList(schedules=list(map(schedule_item, schedules)), fires=fires, from_=first, to=last)


@route("GET", "/workflows/{id}/schedules", Role.READ)
def list_schedules_of_workflow(call: Call, id: str) -> list[ScheduleItem]:
    """The schedules of one workflow."""
    return list(map(schedule_item, _schedules_of(call, workflow_of(call, id).workflow)))


@route("GET", "/workflows/{id}/schedules/{name}", Role.READ)
def show_schedule(call: Call, id: str, name: str) -> ApiAnswer | ScheduleItem:
    """One schedule. Its ETag is what a change names in If-Match."""
    row = schedule_named(_schedules_of(call, workflow_of(call, id).workflow), name)
    return ApiAnswer(schedule_item(row), etag=schedule_etag(row))


@route("GET", "/workflows/{id}/schedules/{name}/fires", Role.READ)
def list_fires(call: Call, id: str, name: str, query: FiresQuery) -> ScheduleFires:
    """When a schedule has fired and what came of it, what was missed, and when it fires next."""
    workflow = workflow_of(call, id).workflow
    row = schedule_named(_schedules_of(call, workflow), name)
    past = call.read("list_fires_of_schedule", workflow=workflow, name=name, batch=query.past) if query.past else []
    found, note = [], None
    if row.next_fire_at is not None:
        start = row.next_fire_at - timedelta(microseconds=1)
        try:
            found = timetable.next_fires(timetable.times_in(row), start, query.next, call.client.calendars())
        except NotFound as error:
            note = str(error)
    return ScheduleFires(past=list(map(_fired, past)), next=[coming(name, fire) for fire in found], note=note)


def schedule_item(row: Any) -> ScheduleItem:
    """A row of the view `schedules`."""
    return ScheduleItem(**fields_of(row, ScheduleItem), etag=schedule_etag(row))


def schedule_etag(row: Any) -> str:
    """What tells states of a schedule apart, as far as PUT changes it; a row of the view `schedules`."""
    told = (row.times, row.timezone, row.calendar, row.catchup, str(row.params), str(row.set_at), row.file_says)
    return digest_of(jsontext.dump(list(told)))[:32]


def schedule_named(rows: Iterable[Any], name: str) -> Any:
    """The one of a name. Raises: NotFound."""
    named = {row.name: row for row in rows}
    if name not in named:
        raise NotFound(there_is_no("schedule", name, named, "schedules"))
    return named[name]


def coming(name: str, fire: timetable.Fire) -> ComingFire:
    """What a schedule fires next."""
    return ComingFire(schedule=name, at=fire.at, business_date=fire.business_date)


def _schedules_of(call: Call, workflow: str) -> Sequence[Any]:
    return call.read("list_schedules_between", first_key=workflow, last_key=workflow)


def _to_fire(row: Any, fire: timetable.Fire, now: datetime) -> FireItem:
    state = "NEXT" if fire.at > now else "DUE"
    about = {"workflow": row.workflow, "schedule": row.name, "business_date": fire.business_date}
    return FireItem(**about, at=fire.at, state=state)


def _fired(row: Any) -> FireItem:
    return FireItem(**fields_of(row, FireItem) | {"at": row.fire_at})

"""Instances: lists by what they are, and one with all that is known of it."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from functools import partial
from typing import Any, Literal

from qflowd.api.answers import ApiAnswer, ApiFault, Awaited, AwaitedRow, Item, Wait
from qflowd.api.call import Call
from qflowd.api.finding.instance_items import InstanceItem, instance_fields, instance_items
from qflowd.api.finding.instances import InstanceFilter, count, find
from qflowd.api.finding.states import instance_states
from qflowd.api.finding.streams import page_of_ids
from qflowd.api.finding.when import instants
from qflowd.api.inbox.changes import until_changed
from qflowd.api.inbox.waiting import POLL_AFTER
from qflowd.api.named import no_such_instance, workflow_of
from qflowd.api.paging import ListPage, PageQuery
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.client.records import from_json
from qflowd.model.ids import key_range
from qflowd.model.roles import Role
from qflowd.model.states import InstanceState, TaskState


class InstanceParent(Item):
    """The task that has started an instance, and the instance that it belongs to."""

    instance_id: int
    task_id: str | None


class InstanceDetail(InstanceItem):
    """An instance with its params, how many of its tasks are in which state, and where to look further.

    `first_failure`: of the tasks that have failed the first that tells why: an item before the map that failed because of it.
    """

    params: Any
    overrides: Any
    fire_at: datetime | None
    deadline_at: datetime | None
    counts: Mapping[str, int]
    first_failure: str | None
    parent_instance: InstanceParent | None
    links: Mapping[str, str]


class InstancesOfQuery(PageQuery):
    """What a list of a workflow's instances may be asked for; all of it must fit. `name` is a glob; `since` such as `15m`."""

    state: tuple[str, ...] = ()
    name: str | None = None
    business_date: date | None = None
    business_date_from: date | None = None
    business_date_to: date | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    since: str | None = None
    trigger_type: str | None = None


class InstanceQuery(Query):
    """`until`: what `wait` waits for; `change`: that its ETag is not `If-None-Match`."""

    until: Literal["end", "change"] = "end"


class InstancesQuery(InstancesOfQuery):
    """The same for all workflows. `workflow` is a glob such as `daily_*`; `job`: of instances of a single job."""

    workflow: str | None = None
    job: str | None = None
    domain: str | None = None
    tag: str | None = None


@route("GET", "/instances", Role.READ, does="view instances")
def list_instances(call: Call, query: InstancesQuery) -> ListPage[InstanceItem]:
    """Instances, newest first. A page may be shorter than `limit`: only a `next` of null is the end."""
    more = {"workflow": query.workflow, "job": query.job, "domain": query.domain, "tag": query.tag}
    return _page(call, query, more)


@route("GET", "/workflows/{id}/instances", Role.READ, does="view instances")
def list_instances_of_workflow(call: Call, id: str, query: InstancesOfQuery) -> ListPage[InstanceItem]:
    """Instances of one workflow, newest first; as `GET /instances`."""
    return _page(call, query, {"workflow": workflow_of(call, id).workflow})


@route("GET", "/instances/{id}", Role.READ, does="view instances")
def show_instance(call: Call, id: int, query: InstanceQuery) -> Wait | ApiAnswer | InstanceDetail:
    """One instance. With `wait` the answer comes when it has ended or changed (`until`), or after so many seconds."""
    if query.until == "change" and call.wait_s:
        return until_changed(call, lambda: _answer(call, id))
    # The state is asked for alone: a look costs little while others wait as well.
    row = AwaitedRow(Awaited.INSTANCE, id, call.tenant)
    wait = Wait(
        lambda: _answer(call, id) if _has_ended(call, id) else None, lambda: _answer(call, id), call.wait_s or 0, row
    )
    return wait if call.wait_s else _answer(call, id)


def _page(call: Call, query: InstancesOfQuery, more: Mapping[str, str | None]) -> ListPage[InstanceItem]:
    wanted = _filter(call, query, more)
    find_page, count_all = partial(find, call.read, wanted), partial(count, call.read, wanted)
    return page_of_ids(query, find_page, partial(instance_items, call), count_all)


def _filter(call: Call, query: InstancesOfQuery, more: Mapping[str, str | None]) -> InstanceFilter:
    if query.business_date is not None and (query.business_date_from or query.business_date_to):
        raise ApiFault(40002, "business_date is one day; with business_date_from or business_date_to leave it out")
    return InstanceFilter(
        between=instants(call.store.clock.now(), query.since, query.created_from, query.created_to),
        states=instance_states(query.state),
        name=query.name,
        date_from=query.business_date or query.business_date_from,
        date_to=query.business_date or query.business_date_to,
        trigger_type=query.trigger_type,
        **more,
    )


def _has_ended(call: Call, id: int) -> bool:
    row = call.one("show_state", id=id)
    return row is None or InstanceState[row.state].is_final


def _answer(call: Call, id: int) -> ApiAnswer:
    detail = show_detail(call, id)
    has_ended = InstanceState[detail.state].is_final
    return ApiAnswer(detail, headers={} if has_ended else POLL_AFTER)


def show_detail(call: Call, id: int) -> InstanceDetail:
    """All of one instance.

    Raises: ApiFault 40401, which says where a submission stands that has no instance yet.
    """
    row = call.one("show_instance_item", id=id)
    if row is None:
        raise no_such_instance(call, id)
    fields = instance_fields(row, InstanceDetail)
    parent = InstanceParent(row.parent_instance_id, fields["parent_task_id"]) if row.parent_instance_id else None
    states = sorted(call.read("count_rows_by_state", instance_id=id))
    fields["progress"] = _progress(fields["state"], states)
    counts = {each.state: each.tasks for each in states if each.tasks}
    links = {name: f"/api/v1/instances/{id}/{name}" for name in ("tasks", "timeline", "log", "breakpoint", "saga")}
    failure = call.one("find_first_failure", instance_id=id, **key_range(id)) if "FAILED" in counts else None
    more = {"overrides": from_json(row.overrides), "counts": counts, "parent_instance": parent, "links": links}
    return InstanceDetail(**fields | more, first_failure=None if failure is None else str(failure.id))


def _progress(state: str, states: Sequence[Any]) -> float:
    """As the view tells it, from rows that have been counted already: of a hundred thousand that is a third of the time."""
    if InstanceState[state].is_final:
        return 1.0
    ended = sum(int(each.tasks_and_undoing) for each in states if TaskState[each.state].is_final)
    return round(ended / max(1, sum(int(each.tasks_and_undoing) for each in states)), 4)

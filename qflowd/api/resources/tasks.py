"""Tasks: those of an instance, and across instances what an index finds."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.finding import rows, tasks
from qflowd.api.finding.states import task_states
from qflowd.api.finding.task_items import TaskItem, task_items
from qflowd.api.finding.tasks import TaskFilter
from qflowd.api.finding.when import instants
from qflowd.api.paging import Id, ListPage, PageQuery, Small, cursor_of, read_cursor
from qflowd.api.routing import route
from qflowd.model.ids import LARGEST_INSTANCE, ORDINALS
from qflowd.model.roles import Role


class RowsQuery(PageQuery):
    """Which rows of an instance. `from`: from this place on, of the instance or of the items of `node`, at any distance.

    `node`: of this task, by key or number. `failed=first`: what needs looking at comes first. `q`: part of a label or key.
    """

    from_: Annotated[int, msgspec.Meta(ge=0, le=ORDINALS)] | None = None
    state: tuple[str, ...] = ()
    node: str | None = None
    failed: Literal["first"] | None = None
    q: str | None = None


class TasksQuery(PageQuery):
    """Which tasks of all instances; all of it must fit. `workflow`, `task`, `job` and `pool` are whole names.

    The times are those at which instances were made; `since` is such as `15m` or `7d`.
    """

    state: tuple[str, ...] = ()
    instance: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_INSTANCE)] | None = None
    workflow: str | None = None
    task: str | None = None
    job: str | None = None
    pool: str | None = None
    created_from: datetime | None = None
    created_to: datetime | None = None
    since: str | None = None


@route("GET", "/tasks", Role.READ, errors=(40401, 42206), does="view tasks")
def list_tasks(call: Call, query: TasksQuery) -> ListPage[TaskItem]:
    """Tasks of an instance, or in READY, RESERVED, RUNNING and FAILED of all, or of a workflow within 7 days."""
    between = instants(call.store.clock.now(), query.since, query.created_from, query.created_to)
    states = task_states(query.state)
    if query.instance is not None:
        if query.job or query.pool or query.workflow:
            raise ApiFault(40002, "with an instance give state and task alone; its workflow is known")
        of = rows.rows_of(call, query.instance, query.task)
        found = rows.in_order(call, of, states, None, _last_row(query), query.limit)
    else:
        wanted = TaskFilter(between, states, query.workflow, query.task, query.job, query.pool)
        found = tasks.find(call, wanted, read_cursor(query, tasks.key_kind(states)), query.limit)
    return _page(call, query, found)


@route("GET", "/instances/{id}/tasks", Role.READ, does="view tasks")
def list_tasks_of_instance(call: Call, id: int, query: RowsQuery) -> ListPage[TaskItem]:
    """Rows of one instance, in the order of the workflow. With `from`, `total` is how many places there are."""
    of = rows.rows_of(call, id, query.node)
    if query.from_ is not None:
        if query.state or query.failed or query.q:
            raise ApiFault(40002, "from is a place among all rows; with state, failed or q follow the cursor")
        found, total = rows.at_place(call, of, query.from_, _last_row(query), query.limit)
        return _page(call, query, found, total)
    states = task_states(query.state)
    if query.failed is not None:
        found = rows.failed_first(call, of, states, query.q, read_cursor(query, tuple[Small, Id]), query.limit)
    else:
        found = rows.in_order(call, of, states, query.q, _last_row(query), query.limit)
    return _page(call, query, found, rows.count(call, of, states, query.q) if query.total else None)


def _last_row(query: PageQuery) -> int | None:
    [after] = read_cursor(query, tuple[Id]) or [None]
    return after


def _page(call: Call, query: PageQuery, found: rows.Rows, total: int | None = None) -> ListPage[TaskItem]:
    items: Sequence[TaskItem] = task_items(call, found.rows)
    next_page = None if found.key is None else cursor_of(query, *found.key)
    return ListPage(items, next_page, total, None if total is None else False)

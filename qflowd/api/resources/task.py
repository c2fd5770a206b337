"""One task: its row, what it returned and was given, and its attempts."""

import itertools
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec

from qflowd.api.access.hidden import hide_daemon
from qflowd.api.answers import JSON, ApiAnswer, ApiFault, Awaited, AwaitedRow, Item, Text, Wait
from qflowd.api.call import Call
from qflowd.api.finding import lines
from qflowd.api.finding.lines import LineItem
from qflowd.api.finding.rows import rows_of
from qflowd.api.finding.task_items import TaskItem, task_fields
from qflowd.api.inbox.changes import until_changed
from qflowd.api.inbox.waiting import POLL_AFTER
from qflowd.api.named import task_row
from qflowd.api.paging import LARGEST_PAGE, ListPage, PageQuery, Small, page_of, read_cursor
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import ABOVE_ALL_IDS, ORDINALS, instance_of, task_id
from qflowd.model.numbers import whole_number
from qflowd.model.roles import Role
from qflowd.model.states import TaskState

NEWEST_ATTEMPTS: Final = 20
HIGHEST_FENCE: Final = (1 << 31) - 1


class AttemptItem(Item):
    """An attempt: every one that did not succeed or took longer than a second, and the last. `id`: task and fence."""

    id: str
    task_id: str
    instance_id: int
    task: str
    map_index: int | None
    label: str | None
    attempt: int
    fence: int
    state: str
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    cpu_s: float | None
    peak_memory_mb: float | None
    exit_signal: int | None
    code_hash: str | None
    daemon: str | None
    error: str | None
    traceback: str | None


class TaskDetail(TaskItem):
    """A row of a task with its params, its output up to 64 KB, its newest attempts and its last lines."""

    params: Any
    output: Any
    attempts: Sequence[AttemptItem]
    logs: Sequence[LineItem]


class TaskQuery(Query):
    """`tail`: how many of its last lines. `until`: what `wait` waits for; `change`: that its ETag is not `If-None-Match`."""

    tail: Annotated[int, msgspec.Meta(ge=0, le=LARGEST_PAGE)] = 200
    until: Literal["end", "change"] = "end"


class NodeQuery(Query):
    """`map_index`: an item of a map instead of the map."""

    map_index: Annotated[int, msgspec.Meta(ge=0, le=ORDINALS)] | None = None


@route("GET", "/tasks/{id}", Role.READ, does="view tasks")
def show_task(call: Call, id: int, query: TaskQuery) -> Wait | ApiAnswer | TaskDetail:
    """One row of a task. With `wait` the answer comes when it has ended or changed (`until`), or after so many seconds."""
    return _answer(call, id, query.tail, is_until_change=query.until == "change")


@route("GET", "/instances/{id}/tasks/{node}", Role.READ, does="view tasks")
def show_task_of_instance(call: Call, id: int, node: str, query: NodeQuery) -> Wait | ApiAnswer | TaskDetail:
    """A task of an instance by its key, or by its place in the version; with `map_index` an item of it."""
    of = rows_of(call, id, node)
    if query.map_index is None:
        return _answer(call, task_id(id, of.node), 200)
    if of.first_item is None:
        raise ApiFault(
            40401, f"task {node} of instance {id} has no items: it is not a map, or has not got its list yet"
        )
    if query.map_index >= of.items:
        raise ApiFault(40401, f"task {node} of instance {id} has no item {query.map_index}; it has {of.items}")
    return _answer(call, task_id(id, of.first_item + query.map_index), 200)


@route("GET", "/tasks/{id}/output", Role.READ)
def show_task_output(call: Call, id: int) -> Text:
    """What a task returned, as JSON outside the envelope, up to 16 MB."""
    row = task_row(call, "show_output", id)
    if row.state != TaskState.SUCCESS:
        raise ApiFault(40401, f"task {id} has no output: it is {TaskState(row.state).name}, not SUCCESS")
    if row.as_text is not None:
        return Text(row.as_text, JSON)
    parts = _parts(call, id)
    return Text(itertools.chain([next(parts, "null")], parts), JSON)


@route("GET", "/tasks/{id}/params", Role.READ, does="view tasks")
def show_task_params(call: Call, id: int) -> Text:
    """What a task is given, as JSON outside the envelope; before it runs, expressions stand as they were written."""
    row = task_row(call, "show_params", id)
    return Text(row.as_text or "{}", JSON)


@route("GET", "/tasks/{id}/attempts", Role.READ, does="view attempts")
def list_attempts(call: Call, id: int, query: PageQuery) -> ListPage[AttemptItem]:
    """The attempts of a task, newest first."""
    [before] = read_cursor(query, tuple[Small]) or [HIGHEST_FENCE]
    found = _attempts(call, id, query.limit + 1, before)
    if not found:
        task_row(call, "show_task_detail", id)
    return page_of(query, found, "fence")


@route("GET", "/attempts/{id}", Role.READ, does="view attempts")
def show_attempt(call: Call, id: str) -> AttemptItem:
    """One attempt, by its task and fence: `44040193-2`."""
    task, _, fence = id.partition("-")
    number, count = whole_number(task, 19), whole_number(fence, 9)
    if number is not None and count is not None and number < ABOVE_ALL_IDS:
        row = call.one("show_attempt", id=number, instance_id=instance_of(number), fence=count)
        if row is not None:
            return _attempt(call, row)
    raise ApiFault(40401, f"there is no attempt {id!r}; GET /tasks/{{id}}/attempts lists those of a task")


def _answer(call: Call, id: int, tail: int, *, is_until_change: bool = False) -> Wait | ApiAnswer:
    def detail() -> ApiAnswer:
        found = _detail(call, id, tail)
        return ApiAnswer(found, headers={} if TaskState[found.state].is_final else POLL_AFTER)

    def when_ended() -> ApiAnswer | None:
        row = call.one("show_task_place", id=id, instance_id=instance_of(id))
        return detail() if row is None or TaskState(row.state).is_final else None

    task_row(call, "show_task_detail", id)
    if is_until_change and call.wait_s:
        return until_changed(call, detail)
    row = AwaitedRow(Awaited.TASK, id, call.tenant)
    return Wait(when_ended, detail, call.wait_s, row) if call.wait_s else detail()


def _detail(call: Call, id: int, tail: int) -> TaskDetail:
    logs = lines.earlier(call, lines.of_task(id), ABOVE_ALL_IDS, tail).items if tail else []
    return TaskDetail(
        **task_fields(hide_daemon(call, task_row(call, "show_task_detail", id)), TaskDetail),
        attempts=_attempts(call, id, NEWEST_ATTEMPTS),
        logs=logs,
    )


def _attempts(call: Call, id: int, limit: int, before: int = HIGHEST_FENCE) -> list[AttemptItem]:
    if id > ABOVE_ALL_IDS:
        return []
    rows = call.read("list_attempts_of_task", id=id, instance_id=instance_of(id), before=before, batch=limit)
    return [_attempt(call, row) for row in rows]


def _attempt(call: Call, row: Any) -> AttemptItem:
    fields = fields_of(hide_daemon(call, row), AttemptItem) | {
        "id": f"{row.task_id}-{row.fence}",
        "task_id": str(row.task_id),
    }
    return AttemptItem(**fields)


def _parts(call: Call, id: int) -> Iterator[str]:
    """The parts of a large output, each read when it is sent."""
    part = 0
    while (row := call.one("show_output_part", id=id, instance_id=instance_of(id), part=part)) is not None:
        yield str(row.value)
        part += 1

"""Where an instance stands, and what undoes it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.finding.task_items import TaskItem, task_items
from qflowd.api.named import no_such_instance
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import key_range
from qflowd.model.roles import Role

ENTRIES: Final = 500
COUNTS: Final = ("total", "done", "failed", "running", "waiting", "would_start", "checkpoints")


class BreakpointEntry(Item):
    """Where one task stands; a map counts its items: `total` is done, failed, running and waiting together."""

    task_id: str
    task: str
    kind: str
    job: str
    state: str
    total: int
    done: int
    failed: int
    running: int
    waiting: int
    would_start: int
    progress: float
    wait_reason: str | None
    checkpoints: int
    checkpoint: Any


class BreakpointView(Item):
    """Where an instance stands, and what would start if it were resumed. `tasks`: at most 500, those that need a look."""

    instance_id: int
    state: str
    wait_reason: str | None
    total: int
    done: int
    failed: int
    running: int
    waiting: int
    would_start: int
    checkpoints: int
    updated_at: datetime
    tasks: Sequence[BreakpointEntry]


class UndoItem(TaskItem):
    """What undoes a task: `undoes` is that task's row, `task_state` where that one stands."""

    undoes: str
    task_state: str | None


@route("GET", "/instances/{id}/breakpoint", Role.READ, does="view breakpoints")
def show_breakpoint(call: Call, id: int) -> BreakpointView:
    """Where an instance stands: what is done, runs and waits, with checkpoints, and what would start."""
    info = call.one("show_instance_item", id=id)
    if info is None:
        raise no_such_instance(call, id)
    rows = call.read("list_breakpoints", instance_id=id, batch=ENTRIES)
    return BreakpointView(
        instance_id=id,
        state=info.state,
        wait_reason=info.wait_reason,
        updated_at=info.updated_at,
        tasks=[_entry(row) for row in sorted(rows, key=lambda row: int(row.id))],
        **_sums(call, id, rows),
    )


def _sums(call: Call, id: int, rows: Sequence[Any]) -> dict[str, int]:
    """Over all tasks. Those that are listed are most often all, and then nothing is counted a second time."""
    if len(rows) < ENTRIES:
        return {name: sum(int(getattr(row, name)) for row in rows) for name in COUNTS}
    sums = call.one("sum_breakpoints", instance_id=id)
    return {name: int(getattr(sums, name) or 0) for name in COUNTS}


def _entry(row: Any) -> BreakpointEntry:
    return BreakpointEntry(**fields_of(row, BreakpointEntry) | {"task_id": str(row.id)})


@route("GET", "/instances/{id}/saga", Role.READ, does="view compensations")
def list_undone(call: Call, id: int, query: PageQuery) -> ListPage[UndoItem]:
    """What undoes the tasks of an instance, in the order in which it was added; nothing where nothing is undone."""
    if call.one("show_timeline_head", instance_id=id) is None:
        raise no_such_instance(call, id)
    [after] = read_cursor(query, tuple[Id]) or [0]
    where = {"after": after, "batch": query.limit + 1}
    rows = call.read("list_undo_rows", instance_id=id, **key_range(id), **where)
    page: ListPage[Any] = page_of(query, rows, "id")
    page.items = _undo_items(call, page.items)
    return page


def _undo_items(call: Call, rows: Sequence[Any]) -> list[UndoItem]:
    targets = {str(row.id): row.target for row in rows}
    states = {}
    if rows:
        asked = [(row.target, 0) for row in rows]
        states = {row.id: row.state for row in call.read("list_task_items", rows=asked)}
    items = []
    for item in task_items(call, rows):
        target = targets[item.task_id]
        items.append(UndoItem(**fields_of(item, UndoItem), undoes=str(target), task_state=states.get(target)))
    return items

"""Rows of tasks as lists show them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.access.hidden import hide_daemon
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import instance_of
from qflowd.model.states import TaskState

STANDING: Final = (TaskState.READY, TaskState.HELD)


class TaskItem(Item):
    """A row of a task as lists show it: a task, the head or an item of a map, what was spawned, or what undoes a task.

    `task_id` is text: it is larger than what JavaScript counts exactly. `label`: what an item of a map is called.
    `child_instance_id`: the instance that a task with `workflow: NAME` has started.
    """

    task_id: str
    instance_id: int
    workflow: str | None
    task: str
    map_index: int | None
    label: str | None
    kind: str
    job: str
    pool: str
    state: str
    reason: str | None
    attempt: int
    error: str | None
    daemon: str | None
    ready_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    wait_reason: str | None
    progress: float | None
    progress_message: str | None
    child_instance_id: int | None


def task_items(call: Call, rows: Sequence[Any]) -> list[TaskItem]:
    """The rows of tasks that were found (`id`, `node`, `lane`, `state`) as lists show them, in their order.

    Why a row waits takes a moment to work out, and is the same for all rows of a node that stand in one lane.
    """
    first: dict[Any, int] = {}
    wanted = []
    for row in rows:
        asks = row.state < TaskState.SUCCESS
        if row.state in STANDING:
            asks = first.setdefault(_place(row), row.id) == row.id
        wanted.append((row.id, int(asks)))
    found = {each.id: each for each in call.read("list_task_items", rows=wanted)} if wanted else {}
    items = []
    for row in rows:
        if (each := found.get(row.id)) is None:
            continue  # its instance is not the tenant's
        item = TaskItem(**task_fields(hide_daemon(call, each), TaskItem))
        if row.state in STANDING and (asked := found.get(first[_place(row)])) is not None:
            item.wait_reason = asked.wait_reason
        items.append(item)
    return items


def task_fields(row: Any, kind: type[Item]) -> dict[str, Any]:
    """The columns of a row of a task as answers show them."""
    return {"task_id": str(row.id), **fields_of(row, kind)}


def _place(row: Any) -> tuple[int, int, int, int]:
    return instance_of(row.id), row.node, row.lane, row.state

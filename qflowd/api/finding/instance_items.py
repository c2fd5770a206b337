"""Instances as lists show them."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.row_fields import fields_of


class InstanceItem(Item):
    """An instance as lists show it. Instants are UTC; `progress` goes from 0.0 to 1.0; `job`: of one that runs by itself.

    `late_at`: by when a good run for its business date was expected; null where it is not late.
    """

    id: int
    workflow: str | None
    job: str | None
    version: int | None
    name: str
    state: str
    reason: str | None
    saga_state: str
    trigger_type: str
    business_date: date | None
    priority: int
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    duration_s: float | None
    error: str | None
    wait_reason: str | None
    domain: str | None
    tags: Sequence[str]
    parent_instance_id: int | None
    parent_task_id: str | None
    late_at: datetime | None


def instance_items(call: Call, ids: Iterable[int]) -> list[InstanceItem]:
    """The instances with these ids in their order, without those that are not the tenant's."""
    wanted = [(id,) for id in ids]
    if not wanted:
        return []
    rows = {row.id: row for row in call.read("list_instance_items", rows=wanted)}
    return [InstanceItem(**instance_fields(rows[id], InstanceItem)) for (id,) in wanted if id in rows]


def instance_fields(row: Any, kind: type[Item]) -> dict[str, Any]:
    """The columns of an instance's row as answers show them."""
    parent = row.parent_task_id
    more = {"tags": row.tags or [], "parent_task_id": None if parent is None else str(parent)}
    return fields_of(row, kind) | more

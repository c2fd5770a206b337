"""Failures by what they are, as lists show them and in groups: ids first, so that a page of a hundred thousand is quick."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.finding.patterns import of_glob
from qflowd.api.finding.streams import FoundIds, IdStream, meet
from qflowd.api.finding.when import NEVER, above_newest
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import LARGEST_INSTANCE, ORDINALS

END: Final = (LARGEST_INSTANCE + 1) * ORDINALS  # above the id of every task
FIRST_SPAN: Final = 2_000 * ORDINALS


class FailureItem(Item):
    """A task that failed and that nobody has handled, or, with `handled_at`, one that somebody has.

    Of a group it is the newest; `count` and `first_at` are then those of the group.
    """

    task_id: str
    fence: int
    instance_id: int
    workflow: str | None
    task: str
    map_index: int | None
    label: str | None
    kind: str
    business_date: date | None
    error_class: str
    error: str | None
    attempts: int
    failed_at: datetime | None
    state: str
    instance_state: str
    trigger_type: str
    job: str
    handled_at: datetime | None
    handled_by: str | None
    note: str | None
    count: int
    first_at: datetime | None
    newest_at: datetime | None


def conditions(
    workflow: str | None = None, task: str | None = None, error_class: str | None = None, since: datetime = NEVER
) -> dict[str, Any]:
    """Parameters of the statements; `workflow` and `error_class` are globs. Without any: every failure."""
    return {
        "workflow": of_glob(workflow),
        "task": task or "",
        "error_class": of_glob(error_class),
        "since": since,
    }


def find(call: Call, where: dict[str, Any], before: int | None, limit: int) -> FoundIds:
    """The newest tasks that have failed and that nobody has handled, below an id."""
    before = min(END if before is None else before, above_newest(call.read) * ORDINALS)
    names = ("find_failures_ended", "find_failures_waiting")
    return meet(call.read, [IdStream(name, where, before, 0, is_narrow=True, span=FIRST_SPAN) for name in names], limit)


def items_with(call: Call, ids: Sequence[int]) -> list[FailureItem]:
    """The failures of these tasks, in their order."""
    rows = {row.id: row for row in call.read("list_failure_items", rows=[(id,) for id in ids])} if ids else {}
    return [item_of(rows[id]) for id in ids if id in rows]


def item_of(row: Any) -> FailureItem:
    """A row of a failure as lists show it."""
    fields: dict[str, Any] = dict.fromkeys(("handled_at", "handled_by", "note"))
    fields |= {"task_id": str(row.id), "count": 1, "first_at": row.failed_at, "newest_at": row.failed_at}
    return FailureItem(**fields | fields_of(row, FailureItem))


def newest(call: Call, where: dict[str, Any], most: int) -> tuple[list[FailureItem], bool]:
    """The newest failures that nobody has handled, and whether there may be older ones."""
    found = find(call, where, None, most)
    return items_with(call, found.ids), found.before is not None


def grouped(items: Iterable[FailureItem]) -> list[FailureItem]:
    """By workflow, task and class of the error: each group as the first of its items; that which failed last first."""
    groups: dict[Any, FailureItem] = {}
    for item in items:
        group = groups.setdefault((item.workflow, item.task, item.error_class), item)
        if group is not item:
            group.count += 1
            times = [each for each in (group.newest_at, group.first_at, item.failed_at) if each is not None]
            group.newest_at, group.first_at = max(times, default=None), min(times, default=None)
    return sorted(groups.values(), key=lambda group: str(group.newest_at or ""), reverse=True)

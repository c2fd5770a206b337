"""Failures by what they are, as lists show them and in groups: ids first, so that a page of a hundred thousand is quick."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.finding.patterns import of_glob
from qflowd.api.finding.streams import PATIENCE_S, QUICK_S, FoundIds, IdStream, meet
from qflowd.api.finding.when import above_newest
from qflowd.api.row_fields import fields_of
from qflowd.model.ids import ABOVE_ALL_IDS, ORDINALS
from qflowd.model.instants import EARLIEST

FIRST_SPAN: Final = 2_000 * ORDINALS


class FailureItem(Item):
    """A task that failed and that nobody has handled, or, with `handled_at`, one that somebody has.

    Of a group it is the newest; `count`, `first_at` and `muted_until` are then those of the group.
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
    muted_until: datetime | None
    muted_by: str | None
    mute_reason: str | None


def conditions(
    workflow: str | None = None, task: str | None = None, error_class: str | None = None, since: datetime = EARLIEST
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
    before = min(ABOVE_ALL_IDS if before is None else before, above_newest(call.read) * ORDINALS)
    names = ("find_failures_ended", "find_failures_waiting")
    return meet(call.read, [IdStream(name, where, before, 0, is_narrow=True, span=FIRST_SPAN) for name in names], limit)


def items_with(call: Call, ids: Sequence[int]) -> list[FailureItem]:
    """The failures of these tasks, in their order."""
    rows = {row.id: row for row in call.read("list_failure_items", rows=[(id,) for id in ids])} if ids else {}
    return [item_of(rows[id]) for id in ids if id in rows]


def item_of(row: Any) -> FailureItem:
    """A row of a failure as lists show it."""
    fields: dict[str, Any] = dict.fromkeys(
        ("handled_at", "handled_by", "note", "muted_until", "muted_by", "mute_reason")
    )
    fields |= {"task_id": str(row.id), "count": 1, "first_at": row.failed_at, "newest_at": row.failed_at}
    return FailureItem(**fields | fields_of(row, FailureItem))


class FailureGroups(NamedTuple):
    """Groups of failures, that which failed last first, by their newest item.

    `groups`: how many there are, `failures`: of how many, at most as many as were asked for; `has_more`: there may be older ones.
    Those that were not asked for, as they are muted, or are not, count nowhere.
    """

    items: list[FailureItem]
    groups: int
    failures: int
    has_more: bool


def groups(call: Call, where: dict[str, Any], most: int, shown: int, *, muted: bool | None = None) -> FailureGroups:
    """The newest failures that nobody has handled, `most` of them, by workflow, task and class of the error.

    `muted`: those alone that are muted, or are not.
    They are grouped in the database, span by span: a plan for all ids might read all that ever failed. Under conditions it
    is what is found in a moment.
    """
    before, span, until = above_newest(call.read) * ORDINALS, FIRST_SPAN, time.monotonic() + PATIENCE_S
    is_patient = where == conditions()
    found, total, has_more = dict[Any, _Group](), 0, False
    while before > 0 and not has_more:
        lowest, began = max(0, before - span), time.monotonic()
        here = 0
        for name in ("group_failures_ended", "group_failures_waiting"):
            rows = call.read(name, **where, before=before, lowest=lowest, batch=most)
            count = sum(row.failures for row in rows)
            here, has_more = here + count, has_more or count == most
            for row in rows:
                found.setdefault((row.workflow, row.task, row.error_class), _Group()).add(row)
        now, before, total = time.monotonic(), lowest, total + here
        if is_patient:
            span *= max(4, min(128, 2 * most // max(1, here)))  # so that the next one has the rest, and is cut
        elif now - began < QUICK_S:
            span *= 4
        has_more = has_more or (before > 0 and (total >= most or (now > until and not is_patient)))
    mutes = {
        (row.workflow, row.task, row.error_class): row for row in call.read("list_mutes", now=call.store.clock.now())
    }
    for (workflow, *about), group in found.items():
        group.mute = mutes.get((workflow or "", *about))
    newest = sorted(found.values(), key=lambda group: str(group.newest_at or ""), reverse=True)
    left = [group for group in newest if muted in (None, group.mute is not None)]
    left_out = sum(group.count for group in newest) - sum(group.count for group in left)
    items = {item.task_id: item for item in items_with(call, [group.id for group in left[:shown]])}
    for group in left[:shown]:
        if (item := items.get(str(group.id))) is not None:
            group.tell(item)
    return FailureGroups(list(items.values()), len(left), min(max(0, total - left_out), most), has_more)


@dataclass(slots=True)
class _Group:
    """What several statements tell of a group."""

    id: int = 0
    count: int = 0
    first_at: datetime | None = None
    newest_at: datetime | None = None
    mute: Any = None  # a row of `list_mutes`

    def tell(self, item: FailureItem) -> None:
        """Have the newest item say what the group is."""
        item.count, item.first_at, item.newest_at = self.count, self.first_at, self.newest_at
        if self.mute is not None:
            item.muted_until, item.muted_by, item.mute_reason = (
                self.mute.ends_at,
                self.mute.muted_by,
                self.mute.reason,
            )

    def add(self, row: Any) -> None:
        self.id, self.count = max(self.id, row.id), self.count + row.failures
        self.first_at = min(filter(None, (self.first_at, row.first_at)), default=None)
        self.newest_at = max(filter(None, (self.newest_at, row.newest_at)), default=None)


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

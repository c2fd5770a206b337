"""Fan-out: a map's own row, its head, waits for the rows of its items, which are made when it is claimed.

The ordinals of all items are reserved at once, so the id of an item follows from its index. Rows are made for a window of
them; as some end, the next ones are made in the same transaction, so 100,000 items are never ready at once.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, NamedTuple

from qflowd.engine import slots
from qflowd.engine.claim import Claimed
from qflowd.engine.instances import Instances, KnownInstance
from qflowd.engine.items import Items, evaluate, make_label
from qflowd.engine.outcome import AttemptRow
from qflowd.engine.plan import Node
from qflowd.engine.render import check_conditions, load_items, load_outputs, scope_of
from qflowd.model import jsontext, rules
from qflowd.model.errors import ExpressionFailed, LeaseLost, QflowdError, StoreUnavailable
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import Reason, TaskState
from qflowd.store.tx import Retryable, Store, Tx

log = logging.getLogger("qflowd")
WINDOW: Final = 10_000  # items that are open at a time, where the task does not say `max_parallel`
LARGEST: Final = 10_000  # rows made in one transaction, unless one head alone makes more


class Part(NamedTuple):
    """Items of a head that get their rows now: those from `start` to before `end`. `labels`: None where they have none."""

    head: int
    items: int
    start: int
    end: int
    labels: Sequence[str | None] | None
    first_ordinal: int = 0

    @property
    def first_id(self) -> int:
        """The id that its first item has."""
        return self.head - self.head % ORDINALS + self.first_ordinal


class Opening(NamedTuple):
    """A head that was claimed, and the items that it will wait for.

    `fresh`: its list; None for a head that waited before: then some items have `ended`, of them `bad` ones not well.
    """

    row: Claimed
    part: Part
    fresh: Items | None
    needed: int  # of them must not fail
    ended: int = 0
    bad: int = 0


@dataclass(slots=True)
class Expanded:
    """The heads that do not wait: those whose items have all ended (or that have none), and those that failed."""

    ended: list[tuple[Claimed, int, int]] = field(
        default_factory=list
    )  # with how many items, and how many failed if too many did
    failed: list[tuple[Claimed, Exception]] = field(default_factory=list)


def window_of(node: Node) -> int:
    """How many items of a map are open at a time."""
    return min(node.task.max_parallel or WINDOW, WINDOW)


def expand(store: Store, instances: Instances, rows: Sequence[Claimed], limits: str = "") -> Expanded:
    """Make the first rows of the items of these heads, which from then on wait for them.

    `limits`: those of the heads' lane; the slots that the claim took are given back.

    Raises: StoreUnavailable; it may have been applied all the same.
    """
    expanded, openings, weight = Expanded(), [], 0
    for row in sorted(rows):
        try:
            opening = store.read(lambda tx, row=row: _look(tx, instances, row))  # type: ignore[misc]
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - whatever is wrong with one, the others are expanded
            expanded.failed.append((row, problem))
            continue
        if opening.ended == opening.part.items:
            is_failed = opening.needed > opening.ended - opening.bad
            expanded.ended.append((row, opening.ended, opening.bad if is_failed else 0))
            continue
        openings.append(opening)
        weight += opening.part.end - opening.part.start
        if weight >= LARGEST:
            _open(store, instances, openings, limits)
            openings, weight = [], 0
    _open(store, instances, openings, limits)
    return expanded


def _look(tx: Tx, instances: Instances, row: Claimed) -> Opening:
    """What a claimed head will wait for. Raises: ExpressionFailed if there is no list; Unreadable."""
    number = instance_of(row.id)
    instances.load(tx, [row.id])
    instance = instances[number]
    node = instance.plan.nodes[row.node]
    if fan_out := tx.one("load_fan_outs", rows=[(row.id,)]):
        # It waited for them before, and was made ready by a retry when none was open.
        first = number * ORDINALS + fan_out.first_ordinal
        states = {
            TaskState(item.state): int(item.items)
            for item in tx.run("count_ended_items", first=first, last=first + fan_out.items - 1)
        }
        bad = sum(count for state, count in states.items() if rules.item_worth(state).bad)
        needed = rules.needed(fan_out.items, node.task.tolerate)
        return Opening(row, _next_part(tx, instances, fan_out, 0), None, needed, sum(states.values()), bad)
    items = evaluate(node.task, _scope(tx, instances, node, row))
    next_ordinal = tx.one("load_next_ordinals", rows=[(number,)]).next_ordinal
    if next_ordinal + len(items) > ORDINALS:
        raise ExpressionFailed(
            f"map: {len(items):,} items are too many: an instance has at most {ORDINALS:,} rows (ORDINALS), and "
            f"{next_ordinal:,} are taken. Give the task a `chunk`"
        )
    needed = rules.needed(len(items), node.task.tolerate)
    if needed > len(items):
        raise ExpressionFailed(f"tolerate: min_ok is {needed:,}, and the list has {len(items):,} items")
    end = min(len(items), window_of(node))
    return Opening(row, Part(row.id, len(items), 0, end, _labels(instance, node, items, 0, end)), items, needed)


def _scope(tx: Tx, instances: Instances, node: Node, row: Claimed) -> dict[str, Any]:
    """What the list of a head may ask. Raises: as `check_conditions`."""
    instance = instances[instance_of(row.id)]
    first, whole = instance.id * ORDINALS, node.map_sources | node.named
    wanted = [(first + source, row.round) for source in whole.union(node.parents)]
    outputs = load_outputs(tx, instances, wanted, {first + source for source in whole})
    scope = scope_of(instance, outputs)
    check_conditions(instance, node, scope, outputs)
    return scope


def _next_part(tx: Tx, instances: Instances, fan_out: Any, are_open: int) -> Part:
    """The items that get their rows next, as many as the window has room for. `fan_out`: of `load_fan_outs`."""
    instance = instances[instance_of(fan_out.task_id)]
    node = instance.plan.nodes[fan_out.node]
    end = max(fan_out.opened, min(fan_out.items, fan_out.opened + window_of(node) - are_open))
    part = Part(fan_out.task_id, fan_out.items, fan_out.opened, end, None, fan_out.first_ordinal)
    if node.label is None or part.start == end:
        return part
    items = load_items(tx, instances, instance, node, part.first_id, fan_out.round)
    return part._replace(labels=_labels(instance, node, items, part.start, end))


def _labels(instance: KnownInstance, node: Node, items: Items, start: int, end: int) -> list[str | None] | None:
    if (template := node.label) is None:
        return None
    return [make_label(template, items.scope(instance.scope, index)) for index in range(start, end)]


def _open(store: Store, instances: Instances, openings: Sequence[Opening], limits: str) -> None:
    if not openings:
        return
    try:
        parts = store.transact(lambda tx: _write(tx, openings, limits), name="expand_maps")
    except LeaseLost:
        if len(openings) > 1:
            for opening in openings:
                _open(store, instances, [opening], limits)
        else:
            log.warning("task %d was not expanded: its row has another owner", openings[0].row.id)
        return
    places = zip(parts, openings, strict=True)
    instances.items.remember([(part.first_id, o.fresh) for part, o in places if o.fresh is not None])


def _write(tx: Tx, openings: Sequence[Opening], limits: str) -> list[Part]:
    """One transaction: heads (fenced) → items, which are new → limits → instances. Returns the parts with their places."""
    numbers = sorted({instance_of(opening.row.id) for opening in openings})
    before = {row.id: row.next_ordinal for row in tx.run("load_next_ordinals", rows=[(number,) for number in numbers])}
    after, heads, parts = dict(before), [], []
    for row, part, fresh, needed, ended, bad in openings:
        number = instance_of(row.id)
        heads.append((row.id, row.fence, part.items - ended, needed - (ended - bad), bad))
        parts.append(part if fresh is None else part._replace(first_ordinal=after[number]))
        after[number] += 0 if fresh is None else part.items
        if after[number] > ORDINALS:
            raise QflowdError(f"instance {number} has no room for the items of its maps")  # looked at again, it fails
    if tx.count("expand_heads", rows=heads, now=tx.now) < len(heads):
        raise LeaseLost
    _insert(tx, parts)
    if limits:
        slots.give_back(tx, [slots.Freed(row.id, limits, has_begun=False) for row, *_ in openings])
    raised = [(number, before[number], after[number]) for number in numbers if after[number] != before[number]]
    if raised and tx.count("reserve_ordinals", rows=raised) < len(raised):
        raise Retryable("another transaction took the same ordinals")
    return parts


def _insert(tx: Tx, parts: Sequence[Part]) -> None:
    """Make the rows of more items."""
    plain = [part for part in parts if part.labels is None and part.start < part.end]
    if plain:
        rows = [(part.head, part.first_id, jsontext.dump(list(range(part.start, part.end)))) for part in plain]
        tx.run("insert_items", rows=rows, now=tx.now)
    labelled = [
        (part.head, part.first_id, part.start + i, label) for part in parts for i, label in enumerate(part.labels or ())
    ]
    if labelled:
        tx.run("insert_labelled_items", rows=labelled, now=tx.now)
    tx.run("save_fan_outs", rows=[(part.head, part.first_ordinal, part.items, part.end) for part in parts])


class Advanced(NamedTuple):
    """What came of telling heads that items have ended: heads that ended, and whether items became ready."""

    ended: list[Any]  # rows of `find_ended_heads`
    has_opened: bool


def advance_heads(tx: Tx, instances: Instances, arrivals: Sequence[tuple[int, int, int, int]]) -> Advanced:
    """Tell heads of the ends of items: rows of (head, ended, not failed, failed), sorted. `instances` have been loaded."""
    tx.run("advance_heads", rows=arrivals, now=tx.now)
    parts, closing = [], []
    for head in tx.run("load_fan_outs", rows=[(row[0],) for row in arrivals]):
        if head.open_parents <= 0:
            closing.append((head.task_id,))
        elif head.state == TaskState.PENDING and head.opened < head.items:
            parts.append(_next_part(tx, instances, head, head.opened - (head.items - head.open_parents)))
    if any(part.start < part.end for part in parts):
        _insert(tx, parts)
    ended = tx.run("find_ended_heads", rows=closing) if closing else []
    if failed := [head for head in ended if head.state == TaskState.FAILED]:
        tx.run("insert_attempts", rows=[_attempt(tx, instances, head, tx.now) for head in failed], daemon_id=None)
    return Advanced(ended, bool(parts))


def _attempt(tx: Tx, instances: Instances, head: Any, now: datetime) -> AttemptRow:
    """What people read of a head that failed."""
    number = instance_of(head.id)
    first = number * ORDINALS + head.first_ordinal
    item = tx.one("first_failed_item", first=first, last=first + head.items - 1)
    error = f"{head.bad_parents:,} of {head.items:,} items did not succeed"
    if item is not None:
        error += f"; the first: {instances[number].plan.name_of(item)}: {item.error or 'failed'}"
    state, reason = int(TaskState.FAILED), int(Reason.ERROR)
    return AttemptRow(head.id, head.done_fence, head.attempt, state, reason, head.started_at, now, error=error[:2000])

"""Item rows: the rows of a map's items, made window by window, from what the same items of maps before have come to.

The ordinals of all items are reserved at once, so the id of an item follows from its index. Rows are made for a window of
them; as some end, the next ones are made in the same transaction, so 100,000 items are never ready at once. Items that
start anew are rows already: those that do not fit into the window wait for a place.

A map may wait for another one item by item. When an item ends, its transaction locks the head of its own map before it
looks for rows of the maps behind; who makes such rows locks that head before he looks what has ended. So neither is missed.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final, NamedTuple

from qflowd.engine.caches import LaneKey
from qflowd.engine.finishing import advance
from qflowd.engine.finishing.outcome import AttemptRow
from qflowd.engine.maps import item_lanes
from qflowd.engine.plans.instances import Instances, LoadedInstance
from qflowd.engine.plans.items import Items, make_label
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.plan import Plan
from qflowd.engine.plans.scope import load_items
from qflowd.model import jsontext, rules
from qflowd.model.ids import ORDINALS, instance_of
from qflowd.model.states import Reason, TaskState
from qflowd.store.tx import Tx

WINDOW: Final = 10_000  # items that are open at a time, where the task does not say `max_parallel`


class Part(NamedTuple):
    """Items of a head that may run now: those from `start` to before `end` get rows, and rows at `places` start anew.

    `labels`: None where they have none. `lanes`: None where all stand in that of their head. `gated`: how many
    rows still wait for a place, none of them before index `gate`.
    """

    head: int
    node: int
    items: int
    start: int
    end: int
    labels: Sequence[str | None] | None
    first_ordinal: int = 0
    places: Sequence[int] = ()
    gated: int = 0
    gate: int = 0
    lanes: Sequence[LaneKey] | None = None

    @property
    def first_id(self) -> int:
        """The id that its first item has."""
        return self.head - self.head % ORDINALS + self.first_ordinal


class Beginning(NamedTuple):
    """How a row begins: its counters, as far as items before it have ended already. READY with `need`: see `make_rows`."""

    state: TaskState
    open_parents: int
    need: int
    bad_parents: int


class Advanced(NamedTuple):
    """What came of the ends of items: rows that ended because of them, and whether items became ready."""

    ended: list[Any]  # rows of `find_ended_heads` and `find_ended_unrun`
    has_opened: bool


def window_of(node: Node) -> int:
    """How many items of a map are open at a time."""
    return min(node.task.max_parallel or WINDOW, WINDOW)


def next_part(tx: Tx, instances: Instances, fan_out: Any, are_open: int) -> Part:
    """The items that may run next, as many as the window has room for. `fan_out`: of `load_fan_outs`."""
    instance = instances[instance_of(fan_out.task_id)]
    node = instance.plan.nodes[fan_out.node]
    room = max(0, window_of(node) - are_open)
    places: list[int] = []
    gated, gate = fan_out.gated, fan_out.gate
    first = fan_out.task_id - fan_out.task_id % ORDINALS + fan_out.first_ordinal
    if gated and room:
        last = first + fan_out.items - 1
        waiting = tx.run("list_gated", first=first + gate, last=last, gate=rules.GATE, batch=room)
        places = [row.id - first for row in waiting]
        # Fewer than were counted: somebody has changed rows by hand.
        gated = gated - len(places) if len(places) == min(room, gated) else 0
        gate = places[-1] + 1 if places else gate
    end = min(fan_out.items, fan_out.opened + room - len(places))
    start = fan_out.opened
    part = Part(
        fan_out.task_id, node.ordinal, fan_out.items, start, end, None, fan_out.first_ordinal, places, gated, gate
    )
    are_apart = start < end and item_lanes.are_apart(tx, instances, instance, node)
    if start == end or (node.label is None and not are_apart):
        return part
    items = load_items(tx, instances, instance, node, first, fan_out.round)
    lanes = item_lanes.lanes_of(tx, instances, instance, node, items, range(start, end)) if are_apart else None
    return part._replace(labels=labels_of(instance, node, items, start, end), lanes=lanes)


def labels_of(instance: LoadedInstance, node: Node, items: Items, start: int, end: int) -> list[str | None] | None:
    """What people call these items; None where the task has no label."""
    if (template := node.label) is None:
        return None
    return [make_label(template, items.scope(instance.scope, index)) for index in range(start, end)]


def lock_heads(tx: Tx, instances: Instances, heads: Sequence[int]) -> None:
    """Lock these heads and those of the maps before them, if any of them waits for another map item by item."""
    ids = set(heads)
    for head in heads:
        above = instances[instance_of(head)].plan.each.get(head % ORDINALS, ())
        ids.update(head - head % ORDINALS + parent for parent in above)
    if len(ids) > len(heads):
        tx.run("lock_heads", rows=[(number,) for number in sorted(ids)])


def make_rows(tx: Tx, instances: Instances, parts: Sequence[Part]) -> None:
    """Make the rows of more items, and give places to those that wait for one. The heads are locked.

    A row all of whose parents have ended, and not in its favour, is READY and needs some: it ends when it is claimed.
    """
    plain: list[tuple[Any, ...]] = []
    labelled: list[tuple[Any, ...]] = []
    for part in parts:
        if part.start == part.end:
            continue
        lanes = None if part.lanes is None else item_lanes.ids_of(tx, part.lanes)
        for beginning, indexes in _beginnings(tx, instances[instance_of(part.head)].plan, part).items():
            counters = int(beginning.state), *beginning[1:], tx.now if beginning.state is TaskState.READY else None
            for lane, of_lane in _by_lane(part, lanes, indexes).items():
                if part.labels is None:
                    plain.append((part.head, part.first_id, lane, *counters, jsontext.dump(list(of_lane))))
                else:
                    labels = part.labels
                    labelled += [
                        (part.head, part.first_id, lane, i, labels[i - part.start], *counters) for i in of_lane
                    ]
    if plain:
        tx.run("insert_items", rows=plain)
    if labelled:
        tx.run("insert_labelled_items", rows=labelled)
    if places := [(part.first_id + index,) for part in parts for index in part.places]:
        tx.run("give_places", rows=places, gate=rules.GATE, now=tx.now)
    saved = [(part.head, part.first_ordinal, part.items, part.end, part.gated, part.gate) for part in parts]
    tx.run("save_fan_outs", rows=saved)


def _by_lane(
    part: Part, ids: Mapping[LaneKey, int] | None, indexes: Sequence[int]
) -> Mapping[int | None, Sequence[int]]:
    """Indexes of items by the lane of their rows; None is the lane of their head."""
    if ids is None or part.lanes is None:
        return {None: indexes}
    by_lane: dict[int | None, list[int]] = {}
    for index in indexes:
        by_lane.setdefault(ids[part.lanes[index - part.start]], []).append(index)
    return by_lane


def _beginnings(tx: Tx, plan: Plan, part: Part) -> Mapping[Beginning, Sequence[int]]:
    """How the rows from `start` to before `end` begin: indexes by beginning."""
    every, above = range(part.start, part.end), plan.each.get(part.node, ())
    if not above:
        return {Beginning(TaskState.READY, 0, 0, 0): every}
    first = part.head - part.head % ORDINALS
    ids = [(first + parent,) for parent in sorted(above)]
    heads = {row.id - first: row for row in tx.run("lock_heads", rows=ids)}
    fan_outs = {row.task_id - first: row for row in tx.run("load_fan_outs", rows=ids)}
    arrived: dict[int, list[int]] = {}  # index -> [arrivals, gain, bad]
    for parent in above:
        ended: dict[int, Any] = {}
        made = 0
        if fan_out := fan_outs.get(parent):
            base, made = first + fan_out.first_ordinal, fan_out.opened
            rows = tx.run("list_ended", first=base + part.start, last=base + part.end - 1)
            ended = {row.id - base: row for row in rows}
        if TaskState(heads[parent].state).is_final:  # then there will be no more rows: its own end stands for theirs
            ended |= dict.fromkeys(range(max(part.start, made), part.end), heads[parent])
        for index, row in ended.items():
            state = TaskState(row.state)
            if row.reason == Reason.MANUAL:
                state = advance.passed_as(plan, part.node)
            worth = advance.arrival(plan, parent, state, part.node, partial(advance.met_open_breaker, row))
            total = arrived.setdefault(index, [0, 0, 0])
            total[:] = total[0] + 1, total[1] + worth[0], total[2] + worth[1]
    beginnings: dict[Beginning, list[int]] = {}
    open_parents, need = rules.start(len(above), plan.tasks[part.node].trigger_rule)
    for index in every:
        arrivals, gain, bad = arrived.get(index, (0, 0, 0))
        state = TaskState.READY if arrivals == open_parents else TaskState.PENDING
        beginnings.setdefault(Beginning(state, open_parents - arrivals, need - gain, bad), []).append(index)
    return beginnings


def advance_heads(
    tx: Tx,
    instances: Instances,
    arrivals: Sequence[tuple[int, int, int, int]],
    items: Sequence[tuple[int, int, int, int, int]],
) -> Advanced:
    """Tell heads of the ends of items, and items of the ends of the same items before them. `instances` have been loaded.

    `arrivals`: (head, ended, not failed, failed), sorted. `items`: see `Arrivals`.
    """
    lock_heads(tx, instances, [row[0] for row in arrivals])
    tx.run("advance_heads", rows=arrivals, now=tx.now)
    unrun = _advance_items(tx, instances, items) if items else []
    parts, closing = [], []
    for head in tx.run("load_fan_outs", rows=[(row[0],) for row in arrivals]):
        unopened = head.items - head.opened + head.gated
        if head.open_parents <= 0:
            closing.append((head.task_id,))
        elif head.state == TaskState.PENDING and unopened:
            parts.append(next_part(tx, instances, head, head.open_parents - unopened))
    parts = [part for part in parts if part.start < part.end or part.places]
    if parts:
        make_rows(tx, instances, parts)
    ended = tx.run("find_ended_heads", rows=closing) if closing else []
    if failed := [head for head in ended if head.state == TaskState.FAILED]:
        tx.run("insert_attempts", rows=[_attempt(tx, instances, head, tx.now) for head in failed], daemon_id=None)
    return Advanced(unrun + ended, bool(parts or items))


def _advance_items(tx: Tx, instances: Instances, items: Sequence[tuple[int, int, int, int, int]]) -> list[Any]:
    """Items that have rows hear of the same items before them. Returns those that ended without running."""
    ids = {number for row in items for number in row[:2]}
    doubtful: set[int] = set()
    first = {row.task_id: row.first_ordinal for row in tx.run("load_fan_outs", rows=[(i,) for i in sorted(ids)])}
    sums: dict[int, list[int]] = {}
    for head, above, ended, gain, bad in items:
        if head in first:
            number = head - head % ORDINALS + ended % ORDINALS - first[above] + first[head]
            total = sums.setdefault(number, [0, 0, 0])
            total[:] = total[0] + 1, total[1] + gain, total[2] + bad
            if not gain or len(instances[instance_of(head)].plan.each[head % ORDINALS]) > 1:
                doubtful.add(number)
    rows = [(number, *total) for number, total in sorted(sums.items())]
    if rows:
        tx.run("advance_tasks", rows=rows, now=tx.now)
    return tx.run("find_ended_unrun", rows=[(number,) for number in sorted(doubtful)]) if doubtful else []


def _attempt(tx: Tx, instances: Instances, head: Any, now: datetime) -> AttemptRow:
    """What people read of a head that failed."""
    number = instance_of(head.id)
    first = number * ORDINALS + head.first_ordinal
    item = tx.one("first_failed_item", first=first, last=first + head.items - 1)
    error = f"{head.bad_parents:,} of {head.items:,} items did not succeed"
    if item is not None:
        why = "failed" if item.state == TaskState.FAILED else "the item before it did not succeed"
        error += f"; the first: {instances[number].plan.name_of(item)}: {item.error or why}"
    state, reason = int(TaskState.FAILED), int(Reason.ERROR)
    return AttemptRow(head.id, head.done_fence, head.attempt, state, reason, head.started_at, now, error=error[:2000])

"""Undo: which rows of an instance are compensated, and which compensation waits for which. Pure.

The order is the DAG reversed: a compensation waits for those of all rows that came after its own. A row without one that
lies between two others only passes the end on (a *link*): without it, a join of thousands would need an edge for each pair.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heapify, heappop, heappush
from itertools import pairwise
from typing import Any, NamedTuple

from qflowd.engine.plans.plan import Plan
from qflowd.engine.spawning.spawn_tree import NO_TREE, SpawnTree
from qflowd.model.states import TaskState

IsUndone = Callable[[Any], bool]


class UndoStep(NamedTuple):
    """What undoes a row of `list_undone`, or a link in its place; `waits`: for how many others."""

    row: Any
    waits: int
    is_link: bool


class Undo(NamedTuple):
    """What is added to an instance: `steps` in the order in which they would be run one by one.

    `edges`: places in `steps`; the second waits for the first.
    """

    steps: Sequence[UndoStep]
    edges: Sequence[tuple[int, int]]


def undo(plan: Plan, rows: Iterable[Any], is_undone: IsUndone, *, serial: bool, tree: SpawnTree = NO_TREE) -> Undo:
    """Compensations of the rows (of `list_undone`) for which `is_undone`; in series, or each as soon as it may."""
    by_ordinal = {row.ordinal: row for row in rows}
    undone = {ordinal for ordinal, row in by_ordinal.items() if is_undone(row)}
    waits_for = _waits_for(plan, by_ordinal, undone, tree)
    order = _in_order(by_ordinal, waits_for)
    if serial:
        order = [ordinal for ordinal in order if ordinal in undone]
        waits_for = {after: [before] for before, after in pairwise(order)}
    place = {ordinal: i for i, ordinal in enumerate(order)}
    steps = [UndoStep(by_ordinal[o], len(waits_for.get(o, ())), o not in undone) for o in order]
    return Undo(steps, sorted((place[before], place[o]) for o in order for before in waits_for.get(o, ())))


def _waits_for(plan: Plan, rows: Mapping[int, Any], undone: set[int], tree: SpawnTree) -> dict[int, list[int]]:
    """Ordinal -> the rows that came right after it; of all rows that are undone, and of links."""
    before = _before(plan, rows, tree)

    def place(ordinal: int) -> tuple[int, ...]:
        first, *spawned = tree.path(ordinal)
        return rows[ordinal].node, -first, *spawned

    # Nodes are in topological order, parts come before their node's own row, what was spawned after what spawned it.
    forward = sorted(rows, key=place)
    has_above: set[int] = set()
    for ordinal in forward:
        if any(parent in undone or parent in has_above for parent in before(ordinal)):
            has_above.add(ordinal)
    waits_for: dict[int, list[int]] = {}
    for ordinal in reversed(forward):
        if ordinal not in undone and not (ordinal in has_above and ordinal in waits_for):
            waits_for.pop(ordinal, None)
            continue
        waits_for.setdefault(ordinal, [])
        for parent in before(ordinal):
            waits_for.setdefault(parent, []).append(ordinal)
    return waits_for


def _before(plan: Plan, rows: Mapping[int, Any], tree: SpawnTree) -> Callable[[int], Sequence[int]]:
    """What gives the rows that had to end right before one."""
    parts: dict[int, list[int]] = {}
    for ordinal, row in rows.items():
        if ordinal != row.node and ordinal not in tree.spawner:
            parts.setdefault(row.node, []).append(ordinal)

    def before(ordinal: int) -> Sequence[int]:
        """A node's own row comes after the parts of the node."""
        node = rows[ordinal].node
        above = parts[node] if ordinal == node and node in parts else plan.parents[node]
        if ordinal in tree.spawner and not (above := tree.before(ordinal)):
            return [tree.spawner[ordinal]]
        return [last for one in above for last in tree.last_of(one)] if tree.spawned else above

    return before


def _in_order(rows: Mapping[int, Any], waits_for: Mapping[int, Sequence[int]]) -> list[int]:
    """Each after those that it waits for; of those that may be next, what failed comes first, then what came last."""

    def urgency(ordinal: int) -> tuple[bool, int, int]:
        return rows[ordinal].state != TaskState.FAILED, -rows[ordinal].node, ordinal

    missing = {ordinal: len(after) for ordinal, after in waits_for.items()}
    releases: dict[int, list[int]] = {}
    for ordinal, after in waits_for.items():
        for other in after:
            releases.setdefault(other, []).append(ordinal)
    free = [urgency(ordinal) for ordinal, count in missing.items() if not count]
    heapify(free)
    order = []
    while free:
        *_, ordinal = heappop(free)
        order.append(ordinal)
        for other in releases.get(ordinal, ()):
            missing[other] -= 1
            if not missing[other]:
                heappush(free, urgency(other))
    return order

"""Recount: the counters of rows are worked out again from the states of what they wait for. Pure."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from qflowd.engine.commands.row_graph import NO_ORDINALS, EdgeHolds, RowGraph
from qflowd.model import rules
from qflowd.model.states import TaskState


class RecountedRow(NamedTuple):
    """State and counters of a row, worked out again."""

    ordinal: int
    state: TaskState
    open_parents: int
    need: int
    bad_parents: int


def recount(
    graph: RowGraph,
    states: Mapping[int, TaskState],
    again: AbstractSet[int],
    edge_holds: EdgeHolds,
    *,
    kept: AbstractSet[int] = NO_ORDINALS,
    passed: AbstractSet[int] = NO_ORDINALS,
    waiting: AbstractSet[int] = NO_ORDINALS,
) -> list[RecountedRow]:
    """State and counters of the rows `again`, as if they had never been looked at; the others stay as they are.

    A row may end at once: its parents have all ended, and not in its favour.

    `kept`: rows whose counters alone are worked out. `passed`: rows that a person has skipped; what comes after them
    continues as after a success, except along edges with conditions, which do not hold. `waiting`: rows that do not run
    again, but wait once more for what they have spawned.
    """
    now = dict(states)
    recounted = []
    for ordinal in graph.in_order(again | kept):
        if ordinal in waiting:
            recounted.append(spawner := _recount_spawner(graph, ordinal, now))
            now[ordinal] = spawner.state
            continue
        if ordinal in graph.items and ordinal not in kept:
            recounted.append(head := _recount_head(graph, ordinal, now))
            now[ordinal] = head.state
            continue
        parents = graph.parents(ordinal)
        arrivals = gain = bad = 0
        for parent in parents:
            if graph.has_begun(parent, ordinal):
                arrivals, gain = arrivals + 1, gain + 1
                continue
            if not now[parent].is_final:
                continue
            is_passed = parent in passed
            state = graph.passed_as(ordinal) if is_passed else now[parent]
            worth = graph.arrival(parent, state, ordinal, _nothing_holds if is_passed else edge_holds)
            arrivals, gain, bad = arrivals + 1, gain + worth.gain, bad + worth.bad
        open_parents, need = graph.start(ordinal)
        state = now[ordinal] if ordinal in kept else TaskState.READY
        if parents and ordinal not in kept:
            state = rules.settle(TaskState.PENDING, (open_parents, need, 0), arrivals, gain, bad)
        now[ordinal] = state
        recounted.append(RecountedRow(ordinal, state, open_parents - arrivals, need - gain, bad))
    return sorted(recounted)


def _recount_head(graph: RowGraph, ordinal: int, states: Mapping[int, TaskState]) -> RecountedRow:
    """A head that waited for items before; where none is open, it is claimed once more and makes rows for the next ones."""
    items, parts = graph.items[ordinal], [states[part] for part in graph.parts(ordinal)]
    worths = [rules.item_worth(state) for state in parts if state.is_final]
    state = TaskState.PENDING if len(worths) < len(parts) else TaskState.READY
    gain, bad = sum(worth.gain for worth in worths), sum(worth.bad for worth in worths)
    need = rules.needed(items, graph.plan.tasks[ordinal].tolerate) - gain
    return RecountedRow(ordinal, state, items - len(worths), need, bad)


def _recount_spawner(graph: RowGraph, ordinal: int, states: Mapping[int, TaskState]) -> RecountedRow:
    """A task that has spawned others and waits for them; for one of them even if all have ended, so that it is told."""
    ended = [states[task] for task in graph.tree.spawned[ordinal] if states[task].is_final]
    open_tasks = len(graph.tree.spawned[ordinal]) - len(ended)
    if not open_tasks:
        ended.pop()
    worths = [rules.item_worth(state) for state in ended]
    missing = len(graph.tree.spawned[ordinal]) - sum(worth.gain for worth in worths)
    return RecountedRow(ordinal, TaskState.PENDING, max(open_tasks, 1), missing, sum(worth.bad for worth in worths))


def _nothing_holds(_parent: int, _child: int) -> bool:
    return False

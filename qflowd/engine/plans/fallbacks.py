"""Fallbacks: which tasks of a plan run instead of others while the breaker of a limit is open. Pure; nodes are ordinals."""

from collections.abc import Mapping, Sequence
from enum import IntEnum

from qflowd.model.workflow import Task


class Fallback(IntEnum):
    """What of a task ends without running while the breaker of a limit is open, so that another task runs instead."""

    NONE = 0
    TASK = 1
    ITEMS = 2  # of a map, each by itself


def above(tasks: Sequence[Task]) -> dict[int, frozenset[int]]:
    """Of the tasks that run instead of others: those others."""
    ordinals = {task.key: i for i, task in enumerate(tasks)}
    edges = {i: [ordinals[edge.parent] for edge in task.after if edge.on] for i, task in enumerate(tasks)}
    return {i: frozenset(parents) for i, parents in edges.items() if parents}


def of(above: Mapping[int, frozenset[int]], each: Mapping[int, Sequence[int]]) -> dict[int, Fallback]:
    """What of those others does not wait. `each`: of maps that wait for others item by item, those others."""
    edges = [(parent, child) for child, parents in above.items() for parent in parents]
    return {parent: Fallback.ITEMS if parent in each.get(child, ()) else Fallback.TASK for parent, child in edges}

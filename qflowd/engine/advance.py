"""Advance: what ended tasks bring to the tasks behind them. Pure; the counters are moved by one statement per level.

Edges belong to the version and live in memory, so all that is sent is `(child, arrivals, gain, bad)`, added up: two
parents in one batch must count twice, and an UPDATE with a join would count them once.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from qflowd.engine.plan import Plan
from qflowd.model.ids import ORDINALS
from qflowd.model.rules import worth
from qflowd.model.states import TaskState


class Ended(NamedTuple):
    """A row that has just become final."""

    id: int
    node: int
    state: TaskState
    plan: Plan


# Does the edge's condition hold? Called with the parent's row and the child's node, only for edges that have one.
Holds = Callable[[Ended, int], bool]
Arrival = tuple[int, int, int, int]


def arrivals(ended: Iterable[Ended], holds: Holds) -> list[Arrival]:
    """What these rows bring to each child: (id, arrivals, gain, bad), sorted by id."""
    plain: dict[int, int] = {}  # child -> favourable arrivals, the common case
    mixed: dict[int, list[int]] = {}
    for row in ended:
        children = row.plan.children[row.node]
        if not children:
            continue
        first = row.id - row.id % ORDINALS
        if row.state is TaskState.SUCCESS and not row.plan.has_conditions:
            for child in children:
                key = first + child
                plain[key] = plain.get(key, 0) + 1
            continue
        for child in children:
            has_condition = row.node in row.plan.nodes[child].conditions
            condition = holds(row, child) if has_condition and row.state is TaskState.SUCCESS else True
            gain, bad = worth(row.state, condition=condition)
            total = mixed.setdefault(first + child, [0, 0, 0])
            total[0] += 1
            total[1] += gain
            total[2] += bad
    if not mixed:
        return [(key, count, count, 0) for key, count in sorted(plain.items())]
    for key, count in plain.items():
        total = mixed.setdefault(key, [0, 0, 0])
        total[0] += count
        total[1] += count
    return [(key, count, gain, bad) for key, (count, gain, bad) in sorted(mixed.items())]


def closers(ended: Iterable[Ended]) -> dict[int, int]:
    """Instance -> how many of its nodes that nothing waits for have ended."""
    found: dict[int, int] = {}
    for row in ended:
        if not row.plan.children[row.node]:
            instance = row.id // ORDINALS
            found[instance] = found.get(instance, 0) + 1
    return found

"""Advance: what ended tasks bring to the tasks behind them. Pure; `finish.py` moves the counters, a level at a time.

Edges belong to the version and live in memory, so all that is sent is `(child, arrivals, gain, bad)`, added up: two
parents in one batch must count twice, and an UPDATE with a join would count them once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from qflowd.engine.instances import Instance
from qflowd.model.ids import ORDINALS
from qflowd.model.rules import worth
from qflowd.model.states import SUCCESS, TaskState


class EndedRow(Protocol):
    """A row that has just become final."""

    @property
    def id(self) -> int: ...
    @property
    def state(self) -> int: ...


# Does the condition of an edge hold? Called with the instance, the parent's node and the child's, only where the edge
# has a condition and its parent succeeded.
Holds = Callable[[int, int, int], bool]


class Arrivals(NamedTuple):
    """What ended rows bring to their children.

    `rows`: (id, arrivals, gain, bad) of children, sorted by id. `doubtful`: those of them that may have ended with it,
    without running; a child whose only parent succeeded has not. `fans`: (first id of the instance, ordinals) of children
    whose only parent succeeded, where they are many.
    """

    rows: list[tuple[int, int, int, int]]
    doubtful: list[int]
    fans: list[tuple[int, str]]


def arrivals(ended: Iterable[tuple[Instance, Sequence[EndedRow]]], holds: Holds) -> Arrivals:
    """Add up what rows of these instances bring to each child."""
    plain: dict[int, int] = {}  # child -> favourable arrivals, the common case
    mixed: dict[int, list[int]] = {}
    fans: list[tuple[int, str]] = []
    doubtful: set[int] = set()
    for instance, rows in ended:
        plan, first = instance.plan, instance.id * ORDINALS
        if not plan.has_edges:
            continue
        children, parents, plan_fans, has_conditions = plan.children, plan.parents, plan.fans, plan.has_conditions
        for row in rows:
            node = row.id - first
            if row.state != SUCCESS or has_conditions:
                _add_one(mixed, instance, row, holds)
                continue
            below = children[node]
            if (fan := plan_fans[node]) is not None:
                fans.append((first, fan.ordinals))
                below = fan.others
            for child in below:
                key = first + child
                if key in plain:
                    plain[key] += 1
                    continue
                plain[key] = 1
                if len(parents[child]) > 1:
                    doubtful.add(key)
    if not mixed:
        return Arrivals([(key, count, count, 0) for key, count in sorted(plain.items())], sorted(doubtful), fans)
    together = _together(plain, mixed)
    return Arrivals(together, [row[0] for row in together], fans)


def _together(plain: Mapping[int, int], mixed: dict[int, list[int]]) -> list[tuple[int, int, int, int]]:
    for key, count in plain.items():
        total = mixed.setdefault(key, [0, 0, 0])
        total[0] += count
        total[1] += count
    return [(key, arrivals, gain, bad) for key, (arrivals, gain, bad) in sorted(mixed.items())]


def _add_one(mixed: dict[int, list[int]], instance: Instance, row: EndedRow, holds: Holds) -> None:
    """What one row brings, its state and the conditions of its edges considered, to child -> [arrivals, gain, bad]."""
    plan, first = instance.plan, instance.id * ORDINALS
    node = row.id - first
    for child in plan.children[node]:
        is_unconditional = row.state != SUCCESS or node not in plan.nodes[child].conditions
        gain, bad = worth(TaskState(row.state), condition=is_unconditional or holds(instance.id, node, child))
        total = mixed.setdefault(first + child, [0, 0, 0])
        total[0] += 1
        total[1] += gain
        total[2] += bad


def closers(ended: Iterable[tuple[Instance, Sequence[EndedRow]]]) -> dict[int, int]:
    """Instance -> how many of its nodes that nothing waits for have ended."""
    found: dict[int, int] = {}
    for instance, rows in ended:
        children, first = instance.plan.children, instance.id * ORDINALS
        count = sum([not children[row.id - first] for row in rows])
        if count:
            found[instance.id] = found.get(instance.id, 0) + count
    return found

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
    """Rows of one instance that have just become final: node and state of each."""

    instance_id: int
    plan: Plan
    rows: list[tuple[int, TaskState]]


# Does the condition of an edge hold? Called with the instance, the parent's node and the child's, only where the edge
# has a condition and its parent succeeded.
Holds = Callable[[int, int, int], bool]
Arrival = tuple[int, int, int, int]


def arrivals(ended: Iterable[Ended], holds: Holds) -> list[Arrival]:
    """What these rows bring to each child: (id, arrivals, gain, bad), sorted by id."""
    plain: dict[int, int] = {}  # child -> favourable arrivals, the common case
    mixed: dict[int, list[int]] = {}
    for instance_id, plan, rows in ended:
        first = instance_id * ORDINALS
        for node, state in rows:
            if not plan.children[node]:
                continue
            if state is TaskState.SUCCESS and not plan.has_conditions:
                for child in plan.children[node]:
                    key = first + child
                    plain[key] = plain.get(key, 0) + 1
                continue
            for child in plan.children[node]:
                has_condition = state is TaskState.SUCCESS and node in plan.nodes[child].conditions
                gain, bad = worth(state, condition=not has_condition or holds(instance_id, node, child))
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
    for instance_id, plan, rows in ended:
        if count := sum(not plan.children[node] for node, _ in rows):
            found[instance_id] = found.get(instance_id, 0) + count
    return found

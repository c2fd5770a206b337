"""Advance: what ended tasks bring to the tasks behind them. Pure; `finish.py` moves the counters, a level at a time.

Edges belong to the version and live in memory, so all that is sent is `(child, arrivals, gain, bad)`, added up: two
parents in one batch must count twice, and an UPDATE with a join would count them once.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import NamedTuple, Protocol

from qflowd.engine.plans.instances import LoadedInstance, TaskRow
from qflowd.engine.plans.plan import Plan
from qflowd.model.ids import ORDINALS
from qflowd.model.rules import FAVOURABLE, Worth, item_worth, worth
from qflowd.model.states import SUCCESS, Reason, TaskState


class EndedRow(TaskRow, Protocol):
    """A row that has just become final."""

    @property
    def node(self) -> int: ...
    @property
    def round(self) -> int: ...
    @property
    def state(self) -> int: ...
    @property
    def reason(self) -> int: ...


class Edges(Protocol):
    """What is to be known of the edges below ended rows, and is not in their plan."""

    def has_begun(self, head_id: int) -> bool:
        """Has this map made rows for its items? Asked only where others wait for it item by item."""

    def holds(self, instance_id: int, parent: EndedRow, child: int) -> bool:
        """Does the condition of the edge to node `child` hold? Asked only where there is one, and its parent succeeded."""

    def children(self, parents: Sequence[int]) -> Iterable[tuple[int, int]]:
        """Edges that are stored: (parent, child), both ids of rows."""


class Arrivals(NamedTuple):
    """What ended rows bring to their children.

    `rows`: (id, arrivals, gain, bad) of children, sorted by id. `doubtful`: those of them that may have ended with it,
    without running; a child whose only parent succeeded has not. `fans`: (first id of the instance, ordinals) of children
    whose only parent succeeded, where they are many. `heads`: the same as `rows` for heads of maps, whose items ended.
    `items`: (head below, head above, id of the item that ended, gain, bad) where a map waits for another item by item.
    `spawners`: the same as `rows` for tasks whose spawned tasks ended.
    """

    rows: list[tuple[int, int, int, int]]
    doubtful: list[int]
    fans: list[tuple[int, str]]
    heads: list[tuple[int, int, int, int]]
    items: list[tuple[int, int, int, int, int]]
    spawners: list[tuple[int, int, int, int]]


class Sums:
    """Arrivals while they are added up."""

    def __init__(self) -> None:
        self.plain: dict[int, int] = {}  # child -> favourable arrivals, the common case
        self.mixed: dict[int, list[int]] = {}  # child -> [arrivals, gain, bad]
        self.fans: list[tuple[int, str]] = []
        self.doubtful: set[int] = set()
        self.heads: dict[int, list[int]] = {}
        self.items: list[tuple[int, int, int, int, int]] = []
        self.spawners: dict[int, list[int]] = {}

    def total(self) -> Arrivals:
        heads, spawners = _rows(self.heads), _rows(self.spawners)
        if not self.mixed:
            rows = [(key, count, count, 0) for key, count in sorted(self.plain.items())]
            return Arrivals(rows, sorted(self.doubtful), self.fans, heads, self.items, spawners)
        for key, count in self.plain.items():
            self.add(key, count, count, 0)
        together = _rows(self.mixed)
        return Arrivals(together, [row[0] for row in together], self.fans, heads, self.items, spawners)

    def add(self, child: int, arrivals: int, gain: int, bad: int) -> None:
        total = self.mixed.setdefault(child, [0, 0, 0])
        total[0] += arrivals
        total[1] += gain
        total[2] += bad

    def add_to_spawner(self, spawner: int, gain: int, bad: int) -> None:
        """A task that it spawned has ended."""
        total = self.spawners.setdefault(spawner, [0, 0, 0])
        total[0] += 1
        total[1] += gain
        total[2] += bad


def _rows(totals: Mapping[int, Sequence[int]]) -> list[tuple[int, int, int, int]]:
    return [(key, arrivals, gain, bad) for key, (arrivals, gain, bad) in sorted(totals.items())]


def add_arrivals(sums: Sums, instance: LoadedInstance, rows: Sequence[EndedRow], edges: Edges) -> None:
    """What ended tasks of one instance, in the order of their ids, bring to the rows that wait for them."""
    plan, first = instance.plan, instance.id * ORDINALS
    has_parts = rows[-1].id % ORDINALS >= len(plan.tasks)  # rows beyond the nodes of the plan
    if has_parts and plan.maps:
        rows = _add_items(sums, instance, rows)
    if not plan.has_edges and not has_parts:
        return
    is_special = plan.has_conditions or plan.has_each or has_parts
    children, parents, plan_fans, plain = plan.children, plan.parents, plan.fans, sums.plain
    for row in rows:
        if row.state != SUCCESS or is_special:
            _add_arrivals_of(sums, instance, row, edges)
            continue
        below = children[row.node]
        if (fan := plan_fans[row.node]) is not None:
            sums.fans.append((first, fan.ordinals))
            below = fan.others
        for child in below:
            key = first + child
            if key in plain:
                plain[key] += 1
                continue
            plain[key] = 1
            if len(parents[child]) > 1:
                sums.doubtful.add(key)


def _add_items(sums: Sums, instance: LoadedInstance, rows: Sequence[EndedRow]) -> list[EndedRow]:
    """What ended items bring to the heads of their maps, and to the same items of maps behind. Returns the other rows."""
    plan, first, others = instance.plan, instance.id * ORDINALS, []
    maps, each_children = plan.maps, plan.each_children
    for row in rows:
        if row.node not in maps or row.id - first == row.node:
            others.append(row)
            continue
        gain, bad = (1, 0) if row.state == SUCCESS else item_worth(TaskState(row.state))
        total = sums.heads.setdefault(first + row.node, [0, 0, 0])
        total[0] += 1
        total[1] += gain
        total[2] += bad
        for child in each_children.get(row.node, ()):
            state = passed_as(plan, child) if row.reason == Reason.MANUAL else TaskState(row.state)
            value = arrival(plan, row.node, state, child, partial(met_open_breaker, row))
            sums.items.append((first + child, first + row.node, row.id, *value))
    return others


def _add_arrivals_of(sums: Sums, instance: LoadedInstance, row: EndedRow, edges: Edges) -> None:
    """What one row brings, its state and the conditions of its edges considered."""
    plan, first = instance.plan, instance.id * ORDINALS
    is_passed = row.reason == Reason.MANUAL  # skipped by a person: done, but no condition of an edge holds
    for child in plan.children_of(row.id - first, row.node):
        if row.node in plan.each.get(child, ()) and edges.has_begun(row.id):
            continue  # told when it began
        state = passed_as(plan, child) if is_passed else TaskState(row.state)
        holds = partial(edges.holds, instance.id, row, child) if not is_passed else _never
        gain, bad = arrival(plan, row.node, state, child, holds)
        sums.add(first + child, 1, gain, bad)


def arrival(plan: Plan, node: int, state: TaskState, child: int, holds: Callable[[], bool]) -> Worth:
    """What a row of `node` that ended brings to the row of `child`; `holds` tells whether their edge's condition does."""
    if child == node:  # a part of it
        return worth(state)
    if node in plan.fallbacks.get(child, ()):
        return FAVOURABLE if state is TaskState.SKIPPED and holds() else Worth(0, worth(state).bad)
    is_tolerated = plan.tasks[node].on_failure == "continue"
    condition = node not in plan.nodes[child].conditions or (state is TaskState.SUCCESS and holds())
    return worth(state, plan.tasks[child].trigger_rule, condition=condition, tolerated=is_tolerated)


def met_open_breaker(row: EndedRow) -> bool:
    """Did it not run because a breaker was open?"""
    return row.reason == Reason.BREAKER_OPEN


def _never() -> bool:
    return False


def passed_as(plan: Plan, child: int) -> TaskState:
    """What a row that a person has skipped is to one that waits for it: done, but not a result for who looks for one."""
    return TaskState.SKIPPED if plan.tasks[child].trigger_rule == "any_success" else TaskState.SUCCESS


def count_closers(plan: Plan, rows: Sequence[EndedRow]) -> int:
    """How many of these rows of one instance, in the order of their ids, close it: no row runs only after their end."""
    is_closer = plan.is_closer
    if rows[-1].id % ORDINALS >= len(plan.tasks):  # there are rows beyond the nodes of the plan
        return sum(row.id % ORDINALS == row.node and is_closer[row.node] for row in rows)
    return sum([is_closer[row.node] for row in rows])

"""The counters of rows, worked out again: how the rows of an instance hang together, and what has arrived at each. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from qflowd.engine.finishing import advance
from qflowd.engine.plans.plan import Plan
from qflowd.engine.spawning.spawn_tree import NO_TREE, SpawnTree
from qflowd.model import rules
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState

NOBODY: frozenset[int] = frozenset()


class Recounted(NamedTuple):
    """A row that starts anew, with its counters."""

    ordinal: int
    state: TaskState
    open_parents: int
    need: int
    bad_parents: int


# Does the condition of the edge from a row to a node hold? Asked only for edges that have one, of rows that ended.
EdgeHolds = Callable[[int, int], bool]


class Rows:
    """All rows of an instance by ordinal, and how they hang together."""

    def __init__(
        self,
        plan: Plan,
        nodes: dict[int, int],
        items: dict[int, int],
        firsts: Mapping[int, int],
        tree: SpawnTree = NO_TREE,
    ) -> None:
        """`nodes`: ordinal -> node. Of heads of maps, `items`: how many it waits for, `firsts`: the ordinal of the first."""
        self.plan, self.nodes, self.items, self.firsts, self.tree = plan, nodes, items, firsts, tree
        self._parts: dict[int, list[int]] = {}  # node -> ordinals of the rows that are parts of it
        for ordinal, node in nodes.items():
            if ordinal != node and ordinal not in tree.spawner:
                self._parts.setdefault(node, []).append(ordinal)

    def parents(self, ordinal: int) -> Sequence[int]:
        if ordinal in self.tree.spawner:
            return self.tree.before(ordinal)
        node = self.nodes[ordinal]
        if ordinal == node:
            return [*self.plan.parents[node], *self.parts(node)]
        index = self.index(ordinal)
        above = [self.item(parent, index) for parent in self.plan.each.get(node, ())]
        return [parent for parent in above if parent in self.nodes]

    def index(self, ordinal: int) -> int:
        """The place of an item in its list."""
        return ordinal - self.firsts.get(self.nodes[ordinal], 0)

    def item(self, head: int, index: int) -> int:
        """The ordinal of an item of a map; of the map itself, where it has none and stands for them."""
        return self.firsts[head] + index if head in self.items else head

    def has_begun(self, parent: int, child: int) -> bool:
        """Does a map wait for another one item by item, and has that one a list? Then it has been told so."""
        return parent in self.items and parent in self.plan.each.get(child, ())

    def parts(self, node: int) -> Sequence[int]:
        """The rows beyond the plan's nodes that are parts of a node: the items of a map."""
        return self._parts.get(node, ())

    def forget_items(self, heads: Iterable[int]) -> None:
        """These maps will have other items."""
        for head in heads:
            self.items.pop(head)
            for part in self._parts.pop(head, ()):
                self.nodes.pop(part)

    def forget_spawned(self, spawned: Iterable[int]) -> None:
        """The tasks that spawned these will spawn others."""
        for ordinal in spawned:
            self.nodes.pop(ordinal)

    def start(self, ordinal: int) -> rules.Counters:
        """The counters of a row before anything has arrived."""
        if ordinal in self.tree.spawner:
            return rules.start(len(self.tree.before(ordinal)))
        node = self.nodes[ordinal]
        parents = self.plan.parents[node] if ordinal == node else self.plan.each.get(node, ())
        open_parents, need = rules.start(len(parents), self.plan.tasks[node].trigger_rule)
        parts = len(self.parts(node)) if ordinal == node else 0
        return rules.Counters(open_parents + parts, need + parts)

    def arrival(self, parent: int, state: TaskState, child: int, edge_holds: EdgeHolds) -> rules.Worth:
        """What a row that ended brings to one that waits for it."""
        return advance.arrival(
            self.plan, self.nodes[parent], state, self.nodes[child], lambda: edge_holds(parent, self.nodes[child])
        )

    def passed_as(self, ordinal: int) -> TaskState:
        """What a row that a person has skipped is to this one."""
        is_spawned = ordinal in self.tree.spawner
        return TaskState.SUCCESS if is_spawned else advance.passed_as(self.plan, self.nodes[ordinal])

    def children(self, ordinal: int) -> Sequence[int]:
        if ordinal in self.tree.spawner:
            return self.tree.behind(ordinal)
        node = self.nodes[ordinal]
        children = self.plan.children_of(ordinal, node)
        if ordinal == node or node not in self.plan.each_children:
            return children
        index = self.index(ordinal)
        below = [self.item(child, index) for child in self.plan.each_children[node]]
        return [*children, *(child for child in below if child in self.nodes)]

    def behind(self, ordinals: Iterable[int]) -> set[int]:
        """All rows that wait, directly or not, for these."""
        waiting: set[int] = set()
        open_rows = list(ordinals)
        while open_rows:
            new = set(self.children(open_rows.pop())) - waiting
            waiting |= new
            open_rows += new
        return waiting

    def in_order(self, ordinals: Iterable[int]) -> list[int]:
        """Parents first.

        Nodes are in topological order, parts come before their node's own row, and what was spawned, in the order of the
        calls, before what spawned it.
        """
        return sorted(ordinals, key=self._place)

    def _place(self, ordinal: int) -> tuple[int, ...]:
        first, *spawned = self.tree.path(ordinal)
        return (self.nodes[ordinal], -first, *spawned, ORDINALS)


def recount(
    rows: Rows,
    states: Mapping[int, TaskState],
    again: AbstractSet[int],
    edge_holds: EdgeHolds,
    *,
    kept: AbstractSet[int] = NOBODY,
    passed: AbstractSet[int] = NOBODY,
    waiting: AbstractSet[int] = NOBODY,
) -> list[Recounted]:
    """State and counters of the rows `again`, as if they had never been looked at; the others stay as they are.

    A row may end at once: its parents have all ended, and not in its favour.

    `kept`: rows whose counters alone are worked out. `passed`: rows that a person has skipped; what comes after them
    continues as after a success, except along edges with conditions, which do not hold. `waiting`: rows that do not run
    again, but wait once more for what they have spawned.
    """
    now = dict(states)
    recounted = []
    for ordinal in rows.in_order(again | kept):
        if ordinal in waiting:
            recounted.append(spawner := _recount_spawner(rows, ordinal, now))
            now[ordinal] = spawner.state
            continue
        if ordinal in rows.items and ordinal not in kept:
            recounted.append(head := _recount_head(rows, ordinal, now))
            now[ordinal] = head.state
            continue
        parents = rows.parents(ordinal)
        arrivals = gain = bad = 0
        for parent in parents:
            if rows.has_begun(parent, ordinal):
                arrivals, gain = arrivals + 1, gain + 1
                continue
            if not now[parent].is_final:
                continue
            is_passed = parent in passed
            state = rows.passed_as(ordinal) if is_passed else now[parent]
            worth = rows.arrival(parent, state, ordinal, _nothing_holds if is_passed else edge_holds)
            arrivals, gain, bad = arrivals + 1, gain + worth.gain, bad + worth.bad
        open_parents, need = rows.start(ordinal)
        state = now[ordinal] if ordinal in kept else TaskState.READY
        if parents and ordinal not in kept:
            state = rules.settle(TaskState.PENDING, (open_parents, need, 0), arrivals, gain, bad)
        now[ordinal] = state
        recounted.append(Recounted(ordinal, state, open_parents - arrivals, need - gain, bad))
    return sorted(recounted)


def _recount_head(rows: Rows, ordinal: int, states: Mapping[int, TaskState]) -> Recounted:
    """A head that waited for items before; where none is open, it is claimed once more and makes rows for the next ones."""
    items, parts = rows.items[ordinal], [states[part] for part in rows.parts(ordinal)]
    worths = [rules.item_worth(state) for state in parts if state.is_final]
    state = TaskState.PENDING if len(worths) < len(parts) else TaskState.READY
    gain, bad = sum(worth.gain for worth in worths), sum(worth.bad for worth in worths)
    need = rules.needed(items, rows.plan.tasks[ordinal].tolerate) - gain
    return Recounted(ordinal, state, items - len(worths), need, bad)


def _recount_spawner(rows: Rows, ordinal: int, states: Mapping[int, TaskState]) -> Recounted:
    """A task that has spawned others and waits for them; for one of them even if all have ended, so that it is told."""
    ended = [states[task] for task in rows.tree.spawned[ordinal] if states[task].is_final]
    open_tasks = len(rows.tree.spawned[ordinal]) - len(ended)
    if not open_tasks:
        ended.pop()
    worths = [rules.item_worth(state) for state in ended]
    missing = len(rows.tree.spawned[ordinal]) - sum(worth.gain for worth in worths)
    return Recounted(ordinal, TaskState.PENDING, max(open_tasks, 1), missing, sum(worth.bad for worth in worths))


def _nothing_holds(_parent: int, _child: int) -> bool:
    return False

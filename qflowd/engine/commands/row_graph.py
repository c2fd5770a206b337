"""How the rows of an instance hang together. Pure."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from qflowd.engine.finishing import advance
from qflowd.engine.plans.plan import Plan
from qflowd.engine.spawning.spawn_tree import NO_TREE, SpawnTree
from qflowd.model import rules
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskState

NO_ORDINALS: frozenset[int] = frozenset()

# Does the condition of the edge from a row to a node hold? Asked only for edges that have one, of rows that ended.
EdgeHolds = Callable[[int, int], bool]


class RowGraph:
    """All rows of an instance by ordinal, and which of them wait for which."""

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

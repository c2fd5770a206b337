"""The spawned tasks of an instance: who spawned whom, and who comes after whom. By ordinal."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Final

from qflowd.engine.finishing.forget import forget_rows
from qflowd.model.ids import ORDINALS, key_range
from qflowd.store.tx import Tx

FORGETTING: Final = ("delete_spawned", "delete_task_inputs", "delete_edges_from")


class SpawnTree:
    """All of them. `returned`: those that spawned and returned a value, which is their output."""

    def __init__(
        self,
        spawned: Mapping[int, Sequence[int]],
        edges: Iterable[tuple[int, int]] = (),
        returned: AbstractSet[int] = frozenset(),
    ) -> None:
        """`spawned`: a task -> those that it spawned. `edges`: (before, after) among those."""
        self.spawned, self.returned = spawned, returned
        self.spawner = {task: spawner for spawner, tasks in spawned.items() for task in tasks}
        self._before: dict[int, list[int]] = {}
        self._after: dict[int, list[int]] = {}
        for before, after in edges:
            self._before.setdefault(after, []).append(before)
            self._after.setdefault(before, []).append(after)

    def before(self, task: int) -> Sequence[int]:
        """Those that a spawned task comes after."""
        return self._before.get(task, ())

    def behind(self, task: int) -> Sequence[int]:
        """What waits for a spawned task: the one that spawned it, and those that come after it."""
        return [self.spawner[task], *self._after.get(task, ())]

    def path(self, task: int) -> list[int]:
        """The tasks above it that spawned one another, the outermost first, and itself."""
        path = [task]
        while (above := self.spawner.get(path[-1])) is not None:
            path.append(above)
        return path[::-1]

    def last_of(self, task: int) -> list[int]:
        """What ended last of a task: itself, or those of what it spawned that nothing comes after."""
        spawned = [one for one in self.spawned.get(task, ()) if one not in self._after]
        return [last for one in spawned for last in self.last_of(one)] or [task]

    def below(self, tasks: Iterable[int]) -> set[int]:
        """All that these have spawned, and what that has spawned."""
        below: set[int] = set()
        open_tasks = list(tasks)
        while open_tasks:
            spawned = self.spawned.get(open_tasks.pop(), ())
            below.update(spawned)
            open_tasks += spawned
        return below


NO_TREE: Final = SpawnTree({})


def load_tree(tx: Tx, instance_id: int) -> SpawnTree:
    """The spawned tasks of an instance, those of earlier runs of a task left out."""
    spawners = tx.run("list_spawners", **key_range(instance_id))
    if not spawners:
        return NO_TREE
    spawned = {row.task_id % ORDINALS: range(row.first_ordinal, row.first_ordinal + row.tasks) for row in spawners}
    edges = [(row.parent % ORDINALS, row.child % ORDINALS) for row in tx.run("list_edges", **key_range(instance_id))]
    returned = {row.task_id % ORDINALS for row in spawners if row.returned}
    return SpawnTree(spawned, [edge for edge in edges if edge[0] < edge[1]], returned)


def forget_spawned(tx: Tx, instance_id: int, tree: SpawnTree, spawners: AbstractSet[int]) -> None:
    """Delete what these tasks have spawned, before they start anew; all rows of the instance are locked."""
    gone = tree.below(spawners)
    first = instance_id * ORDINALS
    forget_rows(tx, [(first + ordinal,) for ordinal in sorted(gone)], FORGETTING)
    if ended := sorted((spawners | gone) & tree.spawned.keys()):
        tx.run("delete_spawners", rows=[(first + ordinal,) for ordinal in ended])

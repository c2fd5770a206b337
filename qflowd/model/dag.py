"""The graph of a workflow: its order, its cycles, the tasks above a task."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from itertools import islice

from qflowd.model.errors import CycleFault, Fault, InvalidWorkflow
from qflowd.model.workflow import Task, Workflow

Parents = Mapping[str, Sequence[str]]  # task key -> keys of the tasks that it waits for


def parents_of(tasks: Iterable[Task]) -> dict[str, tuple[str, ...]]:
    """Task key -> keys of its parents, in the order written."""
    return {task.key: tuple([edge.parent for edge in task.after]) for task in tasks}


def order(workflow: Workflow) -> list[Task]:
    """All tasks by level, and inside a level as written; a task's ordinal is its position here.

    Raises: InvalidWorkflow if the graph has a cycle, or an edge from what is not a task.
    """
    parents = parents_of(workflow.tasks)
    if unknown := sorted(set().union(*parents.values()) - parents.keys()):
        raise InvalidWorkflow([Fault(workflow.key, 0, "tasks", f"no task is called {', '.join(unknown)}")])
    try:
        level = levels(parents)
    except CycleError as error:
        message = f"cycle: {' -> '.join(error.args[1])}"
        raise InvalidWorkflow([CycleFault(workflow.key, 0, "tasks", message)]) from None
    return sorted(workflow.tasks, key=lambda task: level[task.key])


def levels(parents: Parents) -> dict[str, int]:
    """Task key -> length of the longest way to it from a task without parents. Every parent is a key.

    Raises: CycleError; its second argument is a cycle in the direction of work, the first key repeated at the end.
    """
    level: dict[str, int] = {}
    for key in TopologicalSorter(parents).static_order():
        level[key] = max((level[parent] + 1 for parent in parents[key]), default=0)
    return level


def cycle_from(first: str, below: Callable[[str], Iterable[str]]) -> list[str]:
    """The first cycle that is met on the way down from `first`, its first key repeated at the end; empty if there is none.

    `below`: what comes right after a key; asked once for each.
    """
    harmless: set[str] = set()  # what has been walked, and leads back to nothing above it

    def walk(path: list[str]) -> list[str]:
        for key in sorted(set(below(path[-1])) - harmless):
            if key in path:
                return [*path[path.index(key) :], key]
            if cycle := walk([*path, key]):
                return cycle
            harmless.add(key)
        return []

    return walk([first])


class Above:
    """The tasks above one point of a graph, walked only as far as needed.

    `direct` are the tasks right above that point, which count as well.
    """

    def __init__(self, parents: Parents, level: Mapping[str, int], direct: Iterable[str]) -> None:
        self._parents = parents
        self._level = level
        self._direct = list(direct)

    def __contains__(self, key: str) -> bool:
        # What is not lower than `key` cannot have it above itself.
        return key in self._level and key in self._walk(self._level[key])

    def nearest(self, count: int) -> list[str]:
        """Up to `count` of them, nearest first."""
        return list(islice(self._walk(0), count))

    def _walk(self, lowest: int) -> Iterator[str]:
        todo = list(dict.fromkeys(self._direct))
        seen = set(todo)
        for key in todo:  # grows while it is walked
            yield key
            if self._level[key] > lowest:
                fresh = [parent for parent in self._parents[key] if parent not in seen]
                seen.update(fresh)
                todo += fresh

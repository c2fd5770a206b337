"""The graph of a workflow: its order, its cycles, who stands above whom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Task, Workflow

Parents = Mapping[str, Sequence[str]]  # task key -> keys of the tasks that it waits for


def parents_of(tasks: Iterable[Task]) -> dict[str, tuple[str, ...]]:
    """Task key -> keys of its parents, in the order written."""
    return {task.key: tuple([edge.parent for edge in task.after]) for task in tasks}


def order(workflow: Workflow) -> list[Task]:
    """All tasks by level, and inside a level as written; a task's ordinal is its position here.

    A task's level is the length of the longest way to it from a task without parents.

    Raises: InvalidWorkflow if the graph has a cycle, or an edge from what is not a task.
    """
    parents = parents_of(workflow.tasks)
    level = levels(parents)
    if len(level) < len(parents):
        if unknown := sorted(set().union(*parents.values()) - parents.keys()):
            raise InvalidWorkflow([Fault(workflow.key, 0, "tasks", f"no task is called {', '.join(unknown)}")])
        cycle = find_cycle(parents) or []
        raise InvalidWorkflow([Fault(workflow.key, 0, "tasks", f"cycle: {' -> '.join(cycle)}")])
    return sorted(workflow.tasks, key=lambda task: level[task.key])


def levels(parents: Parents) -> dict[str, int]:
    """Task key -> level, from 0. Tasks of a cycle, and those below one, are left out."""
    missing = {key: len(above) for key, above in parents.items()}
    children: dict[str, list[str]] = {}
    for key, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(key)
    level = {key: 0 for key, count in missing.items() if not count}
    ready = list(level)
    for key in ready:  # grows while it is walked
        for child in children.get(key, ()):
            missing[child] -= 1
            level[child] = max(level.get(child, 0), level[key] + 1)
            if not missing[child]:
                ready.append(child)
    return {key: level[key] for key in ready}


def find_cycle(parents: Parents) -> list[str] | None:
    """The keys of one cycle in the direction of work, first key repeated at the end; None if there is none."""
    inside = set(parents) - set(levels(parents))
    if not inside:
        return None
    # Every key left has a parent that is left, so walking upwards must meet itself.
    key = next(key for key in parents if key in inside)
    place: dict[str, int] = {}
    while key not in place:
        place[key] = len(place)
        key = next(parent for parent in parents[key] if parent in inside)
    return [key, *reversed(list(place)[place[key] :])]


class Above:
    """The tasks above one point of a graph, walked only as far as somebody asks.

    `direct` are the tasks right above that point, which count as well.
    """

    def __init__(self, parents: Parents, level: Mapping[str, int], direct: Iterable[str]) -> None:
        self._parents = parents
        self._level = level
        self._direct = list(direct)

    def __contains__(self, key: str) -> bool:
        # What is not lower than `key` cannot have it above itself.
        return key in self._level and any(found == key for found in self._walk(self._level[key]))

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

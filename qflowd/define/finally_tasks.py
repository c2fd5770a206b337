"""Finally-tasks: a task with `trigger_rule: always` and no `after` waits for the ends of its workflow."""

from collections.abc import Iterable

import msgspec

from qflowd.model.rules import waits_in_full
from qflowd.model.workflow import Edge, Task


def with_ends(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks, each finally-task with edges from all tasks that must have ended before it.

    These are the tasks for which no other task waits, apart from finally-tasks and what is behind them.
    """
    finals = {task.key for task in tasks if is_finally(task)}
    if not finals:
        return tasks
    behind = _behind(tasks, finals)
    before = [task for task in tasks if task.key not in behind]
    waited_for = {
        edge.parent for task in before if waits_in_full(task.trigger_rule) for edge in task.after if not edge.each
    }
    edges = tuple(Edge(task.key) for task in before if task.key not in waited_for)
    return tuple(msgspec.structs.replace(task, after=edges) if task.key in finals else task for task in tasks)


def is_finally(task: Task) -> bool:
    """Does it wait for the whole workflow?"""
    return task.trigger_rule == "always" and not task.after


def _behind(tasks: Iterable[Task], keys: set[str]) -> set[str]:
    """These tasks, and all that wait for them."""
    children: dict[str, list[str]] = {}
    for task in tasks:
        for edge in task.after:
            children.setdefault(edge.parent, []).append(task.key)
    behind, todo = set(keys), list(keys)
    while todo:
        fresh = [child for child in children.get(todo.pop(), ()) if child not in behind]
        behind.update(fresh)
        todo += fresh
    return behind

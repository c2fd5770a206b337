"""Maps behind maps, item by item: `after: {bars: each}`. Such a task is a map of the same list as the one before it."""

from collections.abc import Mapping
from typing import Final

import msgspec

from qflowd.define.fields import Fields
from qflowd.model.workflow import Task

EACH: Final = "each"  # in the place of a condition
BREAKER_OPEN: Final = "breaker_open"  # what an edge may be `on`


def with_lists(tasks: tuple[Task, ...]) -> tuple[Task, ...]:
    """The tasks; one that waits for a map item by item has its list, and its label unless it has one of its own."""
    by_key = {task.key: task for task in tasks}
    made: dict[str, Task] = {}
    for task in tasks:
        way = _way_up(task, by_key)
        for upper, lower in zip(reversed(way[1:]), reversed(way[:-1]), strict=True):
            source = made.get(upper.key, upper)
            if lower.map is None and lower.key not in made:
                chunk, label = lower.chunk or source.chunk, lower.label or source.label
                made[lower.key] = msgspec.structs.replace(lower, map=source.map, chunk=chunk, label=label)
    return tuple(made.get(task.key, task) for task in tasks)


def _way_up(task: Task, by_key: Mapping[str, Task]) -> list[Task]:
    """The task, the map that it waits for item by item, the one before that, up to one that has its own list."""
    way, seen = [task], {task.key}
    while way[-1].map is None:
        above = next((by_key.get(edge.parent) for edge in way[-1].after if edge.each), None)
        if above is None or above.key in seen:
            break
        way.append(above)
        seen.add(above.key)
    return way


def above_item_by_item(task: Task, by_key: Mapping[str, Task]) -> set[str]:
    """The maps above a task that may still run when it begins: an item of it waits for the same item of these."""
    above: set[str] = set()
    todo = [task]
    while todo:
        for edge in todo.pop().after:
            if edge.each and edge.parent in by_key and edge.parent not in above:
                above.add(edge.parent)
                todo.append(by_key[edge.parent])
    return above - {edge.parent for edge in task.after if not edge.each}


def check_each(fields: Fields, task: Task, by_key: Mapping[str, Task]) -> None:
    """All maps that a task waits for item by item are of its own list."""
    for parent in (by_key[edge.parent] for edge in task.after if edge.each and edge.parent in by_key):
        path = "after", parent.key
        if parent.map is None:
            if parent.job or parent.workflow:  # else its definition says what it is
                fields.fault(f"{parent.key} is not a map; `each` waits for the items of one", *path)
        elif task.map != parent.map:
            fields.fault(f"{parent.key} has another list; leave `map` out here, or write the same", *path)
        elif task.chunk != parent.chunk:
            fields.fault(
                f"{parent.key} has chunk {parent.chunk or 1}, and this task {task.chunk or 1}; both must be the same",
                *path,
            )

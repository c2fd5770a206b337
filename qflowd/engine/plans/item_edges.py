"""Item edges: which maps of a plan wait for which others item by item. Pure; nodes are ordinals."""

from collections.abc import Mapping, Sequence

from qflowd.model.workflow import Task


def above(tasks: Sequence[Task]) -> dict[int, tuple[int, ...]]:
    """Of the maps that wait for others item by item: those others."""
    ordinals = {task.key: i for i, task in enumerate(tasks)}
    edges = {i: tuple(ordinals[edge.parent] for edge in task.after if edge.each) for i, task in enumerate(tasks)}
    return {i: parents for i, parents in edges.items() if parents}


def below(above: Mapping[int, Sequence[int]]) -> dict[int, tuple[int, ...]]:
    """The same the other way round."""
    children: dict[int, tuple[int, ...]] = {}
    for child, parents in above.items():
        for parent in parents:
            children[parent] = (*children.get(parent, ()), child)
    return children


def running(above: Mapping[int, Sequence[int]], parents: Sequence[int], node: int) -> frozenset[int]:
    """The maps up the chain whose items may still run when an item of `node` begins. `parents`: all of `node`."""
    chain: set[int] = set()
    todo = [node]
    while todo:
        fresh = set(above.get(todo.pop(), ())) - chain
        chain |= fresh
        todo += fresh
    return frozenset(chain - (set(parents) - set(above.get(node, ()))))

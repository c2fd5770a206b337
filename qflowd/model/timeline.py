"""When the tasks of an instance ran: which of them it waited for, and how many ran at a time."""

from collections.abc import Iterable, Mapping
from datetime import datetime


def critical_path(ends: Mapping[int, datetime], edges: Iterable[tuple[int, int]]) -> frozenset[int]:
    """Nodes that an instance waited for: from the one that ended last, back over what each waited for last.

    `ends`: when each node ended, or now; `edges`: node and a node that it waits for.
    """
    parents: dict[int, list[int]] = {}
    for node, parent in edges:
        if parent in ends:
            parents.setdefault(node, []).append(parent)
    path: set[int] = set()
    last = list(ends)
    while last and (node := max(last, key=lambda each: (ends[each], each))) not in path:
        path.add(node)
        last = parents.get(node, [])
    return frozenset(path)


def running_in_bins(changes: Iterable[tuple[int, int, int]], bins: int) -> list[int]:
    """How many ran at some time within each bin. `changes`: a bin, how many began in it, how many ended in it."""
    starts, ends = [0] * bins, [0] * bins
    for place, began, ended in changes:
        at = min(max(place, 0), bins - 1)
        starts[at] += began
        ends[at] += ended
    counts, running = [], 0
    for began, ended in zip(starts, ends, strict=True):
        counts.append(running + began)
        running += began - ended
    return counts

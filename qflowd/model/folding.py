"""A graph of at most so many boxes: of one that has more, tasks of a layer that run the same job are drawn as one. Pure."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from qflowd.model.dag import Parents, levels

MOST_BOXES: Final = 300  # that a browser draws at full speed


class Folded(NamedTuple):
    """What is drawn: the tasks of each box, which boxes come right before it, and its layer.

    The box of one task has its key; that of several `LAYER:JOB`, which no task can have.
    """

    boxes: Mapping[str, Sequence[str]]
    parents: Parents
    level: Mapping[str, int]


def fold(parents: Parents, jobs: Mapping[str, str], most: int = MOST_BOXES) -> Folded:
    """Fold a graph without cycles; the largest groups first, and no more of them than needed.

    Where one box for each layer and job would still be too many, several layers share theirs, and edges inside of these
    are not drawn.

    Args:
        jobs: what each task runs; other names do as well.

    Raises: graphlib.CycleError.
    """
    level = levels(parents)
    if len(parents) <= most:
        return Folded({key: [key] for key in parents}, parents, level)
    groups = _groups({key: level[key] for key in parents}, jobs, most)
    folded: dict[str, Sequence[str]] = {}
    left = most - len(groups)  # boxes that we may still draw apart
    is_banded = any(level[key] != level[keys[0]] for keys in groups.values() for key in keys)
    for name, keys in sorted(groups.items(), key=lambda group: len(group[1])):
        if len(keys) - 1 <= left and not is_banded:
            left -= len(keys) - 1
            folded |= {key: [key] for key in keys}
        elif len(keys) == 1:
            folded[keys[0]] = keys
        else:
            folded[f"{name[0]}:{name[1]}"] = keys
    layer_of = {key: name[0] for name, keys in groups.items() for key in keys}
    return _folded(parents, folded, layer_of)


def _groups(level: Mapping[str, int], jobs: Mapping[str, str], most: int) -> dict[tuple[int, str], list[str]]:
    """(layer, job) -> tasks; as many layers together as it takes, at last whatever they run."""
    deepest, together = max(level.values()), 1
    while True:
        by_layer = together > deepest + 1  # even of all layers together there are too many jobs
        width = max(1, -(-(deepest + 1) // most)) if by_layer else together
        groups: dict[tuple[int, str], list[str]] = {}
        for key, layer in level.items():
            groups.setdefault((layer // width, "" if by_layer else jobs[key]), []).append(key)
        if len(groups) <= most:
            return groups
        together *= 2


def _folded(parents: Parents, boxes: Mapping[str, Sequence[str]], layer_of: Mapping[str, int]) -> Folded:
    written = {key: i for i, key in enumerate(parents)}
    ordered = sorted(boxes, key=lambda box: written[boxes[box][0]])
    box_of = {key: box for box, keys in boxes.items() for key in keys}
    before: dict[str, list[str]] = {}
    for box in ordered:
        above = dict.fromkeys(parent for key in boxes[box] for parent in parents[key])
        lower = layer_of[boxes[box][0]]
        before[box] = list(dict.fromkeys(box_of[parent] for parent in above if layer_of[parent] < lower))
    return Folded({box: boxes[box] for box in ordered}, before, {box: layer_of[boxes[box][0]] for box in ordered})

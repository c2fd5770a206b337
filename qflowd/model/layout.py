"""Where the boxes of a graph stand and how its edges run: layers from left to right, rows from top to bottom. Pure.

An edge over several layers takes a row of its own in each layer that it passes, so it runs through no box; those of one
parent share these rows. Edges over more than REACH layers run outside, below all boxes.
"""

from collections.abc import Mapping, Sequence
from heapq import heappop, heappush
from itertools import accumulate, pairwise
from typing import Final, NamedTuple

from qflowd.model.dag import Parents, levels

WIDTH: Final = 200  # of a box, in px, as everything here
HEIGHT: Final = 56
GAP: Final = 80  # between layers; edges turn there
ROW_GAP: Final = 24
REACH: Final = 12  # layers that an edge may pass among the boxes
LANES: Final = 40  # outside, LANE apart; more edges than that share them
LANE: Final = 12
TURN: Final = 20  # from a box to where an outside edge turns
SWEEPS: Final = 4

Point = tuple[int, int]


class Spot(NamedTuple):
    """The top left corner of a box, and its layer from 0."""

    layer: int
    x: int
    y: int


class Way(NamedTuple):
    """How an edge runs, from the right side of `parent` to the left side of `child`; x never falls."""

    parent: str
    child: str
    points: tuple[Point, ...]


class Layout(NamedTuple):
    """All boxes by key, all edges in the order of `parents`, and the size of the whole."""

    spots: Mapping[str, Spot]
    ways: Sequence[Way]
    width: int
    height: int


def lay_out(parents: Parents, level: Mapping[str, int] | None = None) -> Layout:
    """Place a graph without cycles. The same graph always looks the same.

    Args:
        level: the layer of each key, if it is not the length of the longest way to it; greater than that of its parents.

    Raises: graphlib.CycleError.
    """
    rows = _Rows(parents, levels(parents) if level is None else level)
    for sweep in range(SWEEPS):
        rows.sweep(leftwards=sweep % 2 == 1)
    middles = rows.middles()
    boxes = rows.boxes
    top = min((*middles[boxes:], *(middle - HEIGHT // 2 for middle in middles[:boxes])), default=0.0)
    ys = [int(middle - top + 0.5) for middle in middles]  # whole, and as far apart as before
    bottom = max((y + (HEIGHT // 2 if i < boxes else 0) for i, y in enumerate(ys)), default=0)
    ways = _ways(rows, ys, bottom)
    spots = {
        key: Spot(layer, layer * (WIDTH + GAP), y - HEIGHT // 2)
        for key, layer, y in zip(rows.keys, rows.layer, ys, strict=False)  # what follows the boxes is no box
    }
    width = max((spot.x + WIDTH for spot in spots.values()), default=0)
    return Layout(spots, ways, width, max([bottom, *(way.points[len(way.points) // 2][1] for way in ways)]))


class _Rows:
    """The rows of every layer: boxes, and behind them what stands in for an edge that passes."""

    def __init__(self, parents: Parents, level: Mapping[str, int]) -> None:
        self.keys = list(parents)
        number = {key: i for i, key in enumerate(self.keys)}
        self.boxes = len(self.keys)
        self.layer = [level[key] for key in self.keys]
        self.edges = [(number[parent], i) for i, key in enumerate(self.keys) for parent in dict.fromkeys(parents[key])]
        self.left: list[list[int]] = [[] for _ in self.keys]
        self.right: list[list[int]] = [[] for _ in self.keys]
        self.passages: dict[int, list[int]] = {}  # parent -> itself, and what stands in for its edges, layer by layer
        for parent, child in self.edges:
            if (distance := self.layer[child] - self.layer[parent]) <= REACH:
                self._join(self._passage(parent, distance), child)
        self.layers: list[list[int]] = [[] for _ in range(max(self.layer, default=-1) + 1)]
        for i, layer in enumerate(self.layer):
            self.layers[layer].append(i)

    def _passage(self, parent: int, distance: int) -> int:
        """What stands for `parent` right before the layer that is so far from it."""
        passage = self.passages.setdefault(parent, [parent])
        while len(passage) < distance:
            self.layer.append(self.layer[passage[-1]] + 1)
            self.left.append([])
            self.right.append([])
            self._join(passage[-1], len(self.layer) - 1)
            passage.append(len(self.layer) - 1)
        return passage[distance - 1]

    def _join(self, left: int, right: int) -> None:
        self.right[left].append(right)
        self.left[right].append(left)

    def sweep(self, *, leftwards: bool) -> None:
        """Bring each layer into the order of its neighbours' middles; from the left to the right, or back."""
        place = [0.0] * len(self.layer)
        near = self.right if leftwards else self.left
        for row in reversed(self.layers) if leftwards else self.layers:
            size = len(row)
            own = {i: (n + 0.5) / size for n, i in enumerate(row)}
            key = {i: sum([place[j] for j in near[i]]) / len(near[i]) if near[i] else own[i] for i in row}
            row.sort(key=key.__getitem__)
            for n, i in enumerate(row):
                place[i] = (n + 0.5) / size

    def middles(self) -> list[float]:
        """The y of the middle of each row: near those left of it, then near those right of it."""
        y = [0.0] * len(self.layer)
        offsets = {id(row): self._offsets(row) for row in self.layers}
        for near, layers in ((self.left, self.layers), (self.right, self.layers[::-1]), (self.left, self.layers)):
            for row in layers:
                wanted = [sum([y[j] for j in near[i]]) / len(near[i]) if near[i] else y[i] for i in row]
                for i, middle in zip(row, _apart(wanted, offsets[id(row)]), strict=True):
                    y[i] = middle
        return y

    def _offsets(self, row: Sequence[int]) -> list[int]:
        """How far each is at least below the first."""
        tall = [HEIGHT if i < self.boxes else 0 for i in row]
        return list(accumulate(((a + b) // 2 + ROW_GAP for a, b in pairwise(tall)), initial=0))


def _apart(wanted: Sequence[float], offsets: Sequence[int]) -> list[float]:
    """The places nearest to the wanted ones (least squares) that keep order and distances."""
    blocks: list[tuple[float, int]] = []  # sum and count of neighbours that are pushed together
    for place, offset in zip(wanted, offsets, strict=True):
        total, count = place - offset, 1
        while blocks and blocks[-1][0] * count >= total * blocks[-1][1]:
            more, others = blocks.pop()
            total, count = total + more, count + others
        blocks.append((total, count))
    starts = [total / count for total, count in blocks for _ in range(count)]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _outside_lanes(rows: _Rows) -> dict[int, int]:
    """The lane outside of each parent that needs one; as few as possible."""
    ends: dict[int, int] = {}
    for parent, child in rows.edges:
        if rows.layer[child] - rows.layer[parent] > REACH:
            ends[parent] = max(ends.get(parent, 0), rows.layer[child])
    lanes: dict[int, int] = {}
    free: list[int] = []
    taken: list[tuple[int, int]] = []  # until which layer, which lane
    for parent in sorted(ends, key=lambda i: rows.layer[i]):
        while taken and taken[0][0] <= rows.layer[parent]:
            heappush(free, heappop(taken)[1])
        lanes[parent] = heappop(free) if free else len(taken)
        heappush(taken, (ends[parent], lanes[parent]))
    return lanes


def _ways(rows: _Rows, ys: Sequence[int], bottom: int) -> list[Way]:
    lanes = _outside_lanes(rows)
    xs = [layer * (WIDTH + GAP) for layer in rows.layer]
    passed = {
        parent: [(x, ys[i]) for i in passage[1:] for x in (xs[i], xs[i] + WIDTH)]
        for parent, passage in rows.passages.items()
    }
    ways = []
    for parent, child in rows.edges:
        start, end, lane = (xs[parent] + WIDTH, ys[parent]), (xs[child], ys[child]), lanes.get(parent, 0)
        if (distance := rows.layer[child] - rows.layer[parent]) <= REACH:
            points = (start, *passed[parent][: 2 * (distance - 1)], end)
        else:
            left, right, y = start[0] + TURN, end[0] - TURN, bottom + ROW_GAP + lane % LANES * LANE
            points = (start, (left, ys[parent]), (left, y), (right, y), (right, ys[child]), end)
        ways.append(Way(rows.keys[parent], rows.keys[child], points))
    return ways

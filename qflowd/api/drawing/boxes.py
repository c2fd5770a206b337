"""Graphs as pages get them: boxes with their places and, of an instance, with counts by state; edges with their points."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.drawing.versions import VersionGraph, job_of, kind_of
from qflowd.model.layout import HEIGHT, WIDTH, Spot, Way
from qflowd.model.workflow import Edge

MOST_NAMED: Final = 1000  # tasks of a folded box that are named
# What a box of several rows is said to be: the first of these that one of them is.
ENDED_WELL: Final = ("SUCCESS", "SKIPPED")
ENDED_BADLY: Final = ("FAILED", "UPSTREAM_FAILED", "CANCELLED")
OPEN: Final = ("RUNNING", "RESERVED", "READY", "HELD", "PENDING")


class Fold(Item):
    """Tasks that are drawn as one box: how many, and the keys of the first 1,000."""

    count: int
    tasks: Sequence[str]


class Box(Item):
    """A task, or several that are folded. `x`, `y`: its top left corner, in px.

    `node`: the number of the (first) task. `counts`, `state` and instants: of an instance alone. A map, and a task that
    spawned others, counts its rows; `task_id` is that of its own row.
    """

    node: int
    key: str
    title: str
    job: str
    kind: str
    layer: int
    x: int
    y: int
    width: int = WIDTH
    height: int = HEIGHT
    fold: Fold | None = None
    counts: Mapping[str, int] | None = None
    state: str | None = None
    task_id: str | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None


class GraphEdge(Item, rename={"from_": "from"}):
    """An edge between two boxes, by their keys. `condition`: of the one edge that it stands for, as it is written."""

    from_: str
    to: str
    condition: str | None
    points: Sequence[tuple[int, int]]


class Graph(Item):
    """A graph, drawn from left to right."""

    boxes: Sequence[Box]
    edges: Sequence[GraphEdge]
    width: int
    height: int
    folded: bool


class NodeStates:
    """What the rows of one node of an instance come to; made of rows of `count_node_states`."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.head: str | None = None  # the state of a map's own row
        self.task_id: int | None = None  # of the row itself
        self.failed_id: int | None = None  # of the first row that failed
        self.started_at: datetime | None = None
        self.finished_at: datetime | None = None
        self._items: int | None = None

    def add(self, row: Any, state: str) -> None:
        """Count some rows; `state` is theirs, as it is shown."""
        self.task_id = min(row.task_id, self.task_id or row.task_id)
        self.started_at = min((t for t in (self.started_at, row.started_at) if t), default=None)
        self.finished_at = max((t for t in (self.finished_at, row.finished_at) if t), default=None)
        if row.is_head:
            self.head, self._items = state, row.items
            return
        if state == "FAILED":
            self.failed_id = min(row.task_id, self.failed_id or row.task_id)
        self.counts[state] += row.tasks

    def close(self) -> None:
        """All rows have been added: items that have no row yet wait, and a map without items is a row like others."""
        if self.head is not None and self._items is None:
            self.counts[self.head] += 1
        elif self._items is not None and (more := self._items - self.counts.total()) > 0:
            self.counts["PENDING" if self.head in OPEN else "CANCELLED"] += more

    @property
    def state(self) -> str:
        """In one word. The end of a map is that of its own row, which may tolerate failed items."""
        if self.head is not None and self.head not in OPEN:
            return self.head
        return state_of(self.counts)


def state_of(counts: Mapping[str, int]) -> str:
    """What rows come to together: what one of them still does, else the worst end."""
    order = (*OPEN, *ENDED_BADLY, *ENDED_WELL)
    found = next((state for state in order if counts.get(state)), "PENDING")
    return "RUNNING" if found == "RESERVED" else found


def states_by_node(
    rows: Iterable[Any], *, is_paused: bool = False, paused: Iterable[int] = ()
) -> dict[int, NodeStates]:
    """Rows of `count_node_states` of one instance, by node. `paused`: nodes whose ready rows are HELD."""
    held, found = set(paused), dict[int, NodeStates]()
    for row in rows:
        is_held = row.state == "READY" and (is_paused or row.node in held)
        found.setdefault(row.node, NodeStates()).add(row, "HELD" if is_held else row.state)
    for node in found.values():
        node.close()
    return found


def draw(graph: VersionGraph, *, is_folded: bool, states: Mapping[int, NodeStates] | None = None) -> Graph:
    """The graph of a version, or with `states` of an instance of it."""
    folded, layout = graph.drawn(is_folded=is_folded)
    boxes = [_box(graph, key, keys, layout.spots[key], states) for key, keys in folded.boxes.items()]
    alone = {key: keys[0] for key, keys in folded.boxes.items() if len(keys) == 1}
    edges = [
        GraphEdge(from_=way.parent, to=way.child, condition=_condition(graph, alone, way), points=way.points)
        for way in layout.ways
    ]
    is_folded = len(boxes) < len(graph.nodes)
    return Graph(boxes=boxes, edges=edges, width=layout.width, height=layout.height, folded=is_folded)


def condition_of(edge: Edge) -> str | None:
    """What must hold for an edge, beside the end of the task before it."""
    return "the breaker is open" if edge.on else edge.condition


def _condition(graph: VersionGraph, alone: Mapping[str, str], way: Way) -> str | None:
    if way.parent not in alone or way.child not in alone:
        return None
    after = graph.nodes[graph.number[way.child]].after
    return next((condition_of(edge) for edge in after if edge.parent == way.parent), None)


def _box(
    graph: VersionGraph, key: str, keys: Sequence[str], spot: Spot, states: Mapping[int, NodeStates] | None
) -> Box:
    task = graph.nodes[graph.number[keys[0]]]
    about: dict[str, Any] = {"title": task.title, "kind": kind_of(task)}
    if len(keys) > 1:
        about = {"title": "", "kind": "fold", "fold": Fold(count=len(keys), tasks=keys[:MOST_NAMED])}
    if states is not None:
        about |= _facts([states[node] for node in map(graph.number.__getitem__, keys) if node in states])
    node, job = graph.number[task.key], job_of(task)
    return Box(node=node, key=key, job=job, layer=spot.layer, x=spot.x, y=spot.y, **about)


def _facts(rows: Sequence[NodeStates]) -> dict[str, Any]:
    """What a box shows of an instance; nothing as long as there are no rows."""
    if not rows:
        return {}
    counts: Counter[str] = Counter()
    for each in rows:
        counts.update(each.counts)
    state = rows[0].state if len(rows) == 1 else state_of(Counter(each.state for each in rows))
    ends = [each.finished_at for each in rows if each.finished_at] if state not in OPEN else []
    return {
        "counts": counts,
        "state": state,
        "task_id": str(rows[0].task_id) if len(rows) == 1 else None,
        "started_at": min((each.started_at for each in rows if each.started_at), default=None),
        "finished_at": max(ends, default=None),
    }

"""Graphs as pages get them: boxes with their places and, of an instance, with counts by state; edges with their points."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.drawing.node_states import NodeStates, shown_of
from qflowd.api.drawing.versions import VersionGraph, job_of, kind_of
from qflowd.model.layout import HEIGHT, WIDTH, Spot, Way
from qflowd.model.workflow import Edge

MOST_NAMED: Final = 1000  # tasks of a folded box that are named


class Fold(Item):
    """Tasks that are drawn as one box: how many, and the keys of the first 1,000."""

    count: int
    tasks: Sequence[str]


class Box(Item):
    """A task, or several that are folded. `x`, `y`: its top left corner, in px.

    `node`: the number of the (first) task. `kind`: that of its own row, or `fold`. `counts`, `state` and instants: of an instance alone. A map, and a task that
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


class GraphEdge(Item):
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
        about |= shown_of([states[node] for node in map(graph.number.__getitem__, keys) if node in states])
    node, job = graph.number[task.key], job_of(task)
    return Box(node=node, key=key, job=job, layer=spot.layer, x=spot.x, y=spot.y, **about)

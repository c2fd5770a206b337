"""The tasks and edges of a version, read: each with what stands right before and behind it, or all that does."""

from collections.abc import Mapping, Sequence
from typing import Any

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.drawing.boxes import condition_of
from qflowd.api.drawing.versions import VersionGraph, graph_of, job_of, kind_of
from qflowd.api.named import number_in, version_of, workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.define.writing import dump_task
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no
from qflowd.model.roles import Role


class NodeItem(Item):
    """A task of a version. `node` is its number, `depth` its layer; `up` and `down`: the tasks right before and behind it.

    `document`: what stands under its key in a file; of a draft as it is written.
    """

    node: int
    key: str
    title: str
    job: str
    kind: str
    depth: int
    up: Sequence[str]
    down: Sequence[str]
    document: Mapping[str, Any]


class EdgeItem(Item):
    """An edge. `id` names it in paths; `each`: an item of a map waits only for the same item of the one before."""

    id: str
    from_: str
    to: str
    condition: str | None
    each: bool


class DepthQuery(Query):
    """`deep`: everything before (behind) it, not only what is right there."""

    deep: bool = False


@route("GET", "/workflows/{id}/versions/{version}/nodes", Role.READ)
def list_nodes(call: Call, id: str, version: str) -> list[NodeItem]:
    """The tasks of a version in topological order."""
    graph = _graph(call, id, version)
    return [_node(graph, task.key) for task in graph.nodes]


@route("GET", "/workflows/{id}/versions/{version}/nodes/{node}", Role.READ)
def show_node(call: Call, id: str, version: str, node: str) -> NodeItem:
    """One task, by its key or its number."""
    graph = _graph(call, id, version)
    return _node(graph, key_of(call, graph, node))


@route("GET", "/workflows/{id}/versions/{version}/nodes/{node}/up", Role.READ)
def list_nodes_before(call: Call, id: str, version: str, node: str, query: DepthQuery) -> list[NodeItem]:
    """What a task waits for."""
    graph = _graph(call, id, version)
    return _around(graph, key_of(call, graph, node), graph.parents, deep=query.deep)


@route("GET", "/workflows/{id}/versions/{version}/nodes/{node}/down", Role.READ)
def list_nodes_behind(call: Call, id: str, version: str, node: str, query: DepthQuery) -> list[NodeItem]:
    """What waits for a task."""
    graph = _graph(call, id, version)
    return _around(graph, key_of(call, graph, node), graph.children, deep=query.deep)


@route("GET", "/workflows/{id}/versions/{version}/edges", Role.READ)
def list_edges(call: Call, id: str, version: str) -> list[EdgeItem]:
    """The edges of a version."""
    return [
        EdgeItem(
            id=f"{edge.parent}:{task.key}", from_=edge.parent, to=task.key, condition=condition_of(edge), each=edge.each
        )
        for task in _graph(call, id, version).nodes
        for edge in task.after
    ]


def key_of(call: Call, graph: VersionGraph, node: str) -> str:
    """The key of the task that a path names: a key comes before a number, below /scheduling the other way round.

    Raises: NotFound.
    """
    number = number_in(node)
    by_number = graph.nodes[number].key if 0 <= number < len(graph.nodes) else None
    by_key = node if node in graph.number else None
    key = (by_number or by_key) if call.is_scheduling else (by_key or by_number)
    if key is None:
        raise NotFound(there_is_no("task", node, graph.number, f"versions {graph.workflow.key}"))
    return key


def _graph(call: Call, id: str, version: str) -> VersionGraph:
    return graph_of(call, version_of(call, workflow_of(call, id), version))


def _node(graph: VersionGraph, key: str) -> NodeItem:
    task = graph.nodes[graph.number[key]]
    return NodeItem(
        node=graph.number[key],
        key=key,
        title=task.title,
        job=job_of(task),
        kind=kind_of(task),
        depth=graph.levels[key],
        up=graph.parents[key],
        down=graph.children[key],
        document=dump_task(task) if graph.written is None else graph.written[key],
    )


def _around(graph: VersionGraph, key: str, near: Mapping[str, Sequence[str]], *, deep: bool) -> list[NodeItem]:
    """In topological order."""
    found = dict.fromkeys(near[key])
    todo = list(found) if deep else []
    for each in todo:  # grows while it is walked
        fresh = [other for other in near[each] if other not in found]
        found |= dict.fromkeys(fresh)
        todo += fresh
    return [_node(graph, each) for each in sorted(found, key=graph.number.__getitem__)]

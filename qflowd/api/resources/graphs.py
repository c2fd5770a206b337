"""Graphs: of a version, and of an instance with where its tasks stand."""

from typing import Literal

from qflowd.api.answers import ApiAnswer
from qflowd.api.call import Call
from qflowd.api.drawing.boxes import Graph, draw
from qflowd.api.drawing.node_states import states_of_instance
from qflowd.api.drawing.versions import VersionGraph, graph_of, graphs_of
from qflowd.api.named import no_such_instance, version_of, workflow_of
from qflowd.api.reading import Query
from qflowd.api.routing import route
from qflowd.model.errors import NotFound
from qflowd.model.roles import Role
from qflowd.model.workflow import Task, Workflow


class GraphQuery(Query):
    """`fold`: more than 300 boxes are folded by layer and job, or `none` are."""

    fold: Literal["auto", "none"] = "auto"


@route("GET", "/workflows/{id}/versions/{version}/graph", Role.READ)
def show_version_graph(call: Call, id: str, version: str, query: GraphQuery) -> ApiAnswer | Graph:
    """The graph of a version: `{version}` is a number, `active` or `draft`."""
    found = version_of(call, workflow_of(call, id), version)
    graph = draw(graph_of(call, found), is_folded=query.fold == "auto")
    if found.state == "DRAFT":
        return graph
    return ApiAnswer(graph, etag=f"{found.hash}-{query.fold}")


@route("GET", "/instances/{id}/graph", Role.READ)
def show_instance_graph(call: Call, id: int, query: GraphQuery) -> Graph:
    """The graph of an instance: each box with its counts by state, its state, first start and last end."""
    head = call.one("show_instance_head", id=id)
    if head is None:
        raise no_such_instance(call, id)
    states = states_of_instance(call, id, head.state)
    if head.version_id is None:
        graph: VersionGraph | None = VersionGraph(Workflow(head.job, (Task(head.job, head.job),)), 0)
    else:
        graph = graphs_of(call, [(head.version_id, head.hash)]).get(head.version_id)
    if graph is None:
        raise NotFound(f"the version of instance {id} is gone")
    return draw(graph, is_folded=query.fold == "auto", states=states)

"""Tasks and edges of drafts, written one at a time; every answer has the draft's new ETag, its faults and its graph."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from qflowd.api.answers import ApiAnswer
from qflowd.api.call import Call
from qflowd.api.definitions.drafts import Data, DraftItem, edit_draft
from qflowd.api.definitions.writes import with_settings
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.define import edits
from qflowd.define.edits import WrittenEdge
from qflowd.define.sketch import find_task
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.numbers import whole_number
from qflowd.model.roles import Role

NODES: Final = "/workflows/{id}/versions/{version}/nodes"
EDGES: Final = "/workflows/{id}/versions/{version}/edges"
OF_DRAFTS: Final = (40302, 40904, 41201, 42203, 42801)


class NodeBody(Body):
    """A task as a file has it: what runs (`job`, the task definition `task`, or `workflow`), and what it waits for.

    `settings`: whatever else stands under its key in a file, such as `retries`, `when`, `map`.
    """

    job: str | None = None
    task: str | None = None
    workflow: str | None = None
    title: str | None = None
    params: Mapping[str, Any] | None = None
    after: str | Sequence[str] | Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None

    def document(self) -> Data:
        """What stands under its key. Raises: ApiFault 42202 for a setting that has a field of its own."""
        own = {name: msgspec.to_builtins(getattr(self, name)) or None for name in _FIELDS}
        return with_settings({**own, "key": None}, self.settings)


class NewNode(NodeBody, kw_only=True):
    """A task and its key."""

    key: str


class ChangedNode(NodeBody):
    """A task as it is to be: what is left out is gone. `key`: its new one; edges and expressions follow."""

    key: str | None = None


class EdgeBody(Body):
    """An edge. `condition`: true or null, an expression, `each`, or `{on: breaker_open}`, as in a file."""

    from_: str
    to: str
    condition: bool | str | Mapping[str, Any] | None = None


_FIELDS: Final = ("job", "task", "workflow", "title", "after", "params")


@route("POST", NODES, Role.DEFINE, errors=(*OF_DRAFTS, 40902))
def create_node(call: Call, id: str, version: str, body: NewNode) -> ApiAnswer | DraftItem:
    """Add a task to a draft."""
    return edit_draft(call, id, version, lambda data: edits.add_task(data, body.key, body.document()), status=201)


@route("PUT", f"{NODES}/{{node}}", Role.DEFINE, errors=(*OF_DRAFTS, 40902))
def update_node(call: Call, id: str, version: str, node: str, body: ChangedNode) -> ApiAnswer | DraftItem:
    """Change a task of a draft, or its key."""

    def change(data: Data) -> Data:
        key = find_task(data, node, is_position_first=call.is_scheduling)
        return edits.set_task(data, key, body.document(), name=body.key)

    return edit_draft(call, id, version, change)


@route("DELETE", f"{NODES}/{{node}}", Role.DEFINE, errors=(*OF_DRAFTS, 42202))
def delete_node(call: Call, id: str, version: str, node: str) -> ApiAnswer | DraftItem:
    """Remove a task of a draft, and its edges."""

    def change(data: Data) -> Data:
        return edits.remove_task(data, find_task(data, node, is_position_first=call.is_scheduling))

    return edit_draft(call, id, version, change)


@route("POST", EDGES, Role.DEFINE, errors=OF_DRAFTS)
def create_edge(call: Call, id: str, version: str, body: EdgeBody) -> ApiAnswer | DraftItem:
    """Add an edge to a draft, or give one that is there another condition."""
    if body.condition is False:
        raise InvalidRequest("condition: false would never hold; leave the edge out")
    condition = True if body.condition is None else msgspec.to_builtins(body.condition)

    def change(data: Data) -> Data:
        by_position = {"is_position_first": call.is_scheduling}
        parent, child = (find_task(data, name, **by_position) for name in (body.from_, body.to))
        return edits.put_edge(data, WrittenEdge(parent, child, condition))

    return edit_draft(call, id, version, change, status=201)


@route("DELETE", f"{EDGES}/{{edge}}", Role.DEFINE, errors=(*OF_DRAFTS, 42202))
def delete_edge(call: Call, id: str, version: str, edge: str) -> ApiAnswer | DraftItem:
    """Remove an edge of a draft: `FROM:TO`, or its position among the edges as they are written."""

    def change(data: Data) -> Data:
        found = find_edge(data, edge)
        return edits.remove_edge(data, found.parent, found.child)

    return edit_draft(call, id, version, change)


def find_edge(data: Data, name: str) -> WrittenEdge:
    """The edge that a path names. Raises: NotFound."""
    edges = edits.edges_of(data)
    parent, colon, child = name.partition(":")
    if colon:
        found = next((edge for edge in edges if (edge.parent, edge.child) == (parent, child)), None)
    else:
        number = whole_number(name, 9)
        found = edges[number] if number is not None and number < len(edges) else None
    if found is None:
        raise NotFound(f"there is no edge {name!r}; edges are named FROM:TO")
    return found

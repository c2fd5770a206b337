"""Edits of a workflow's document: tasks and the edges between them, one at a time.

Each takes the plain document and returns another; the rest of it stays as it is written. A document with faults can be
edited as far as it can be read, but no edit makes a cycle.
"""

from collections.abc import Mapping
from graphlib import CycleError
from typing import Any, NamedTuple

from qflowd.define.renaming import renamed_in_condition, renamed_in_value
from qflowd.model import dag
from qflowd.model.errors import CycleFound, NameTaken, NotFound
from qflowd.model.near_names import there_is_no
from qflowd.model.workflow import Json

Text = Mapping[str, Json]  # the document of a workflow, as its file says it


class WrittenEdge(NamedTuple):
    """An edge, with its condition as a file says it: true, an expression, `each` or `{on: breaker_open}`."""

    parent: str
    child: str
    condition: Json = True


def tasks_of(document: Text) -> dict[str, dict[str, Json]]:
    """Key -> what stands under it, of all tasks; whatever is not a mapping counts as empty."""
    tasks = document.get("tasks")
    written = tasks if isinstance(tasks, dict) else {}
    return {key: dict(body) if isinstance(body, dict) else {} for key, body in written.items()}


def edges_of(document: Text) -> list[WrittenEdge]:
    """All edges as they are written, child by child; of tasks that may not exist."""
    return [
        WrittenEdge(parent, key, condition)
        for key, body in tasks_of(document).items()
        for parent, condition in parents_in(body).items()
    ]


def parents_in(body: Text) -> dict[str, Json]:
    """Parent -> condition, of the `after` of a task; empty where it cannot be read."""
    match body.get("after"):
        case str(parent):
            return {parent: True}
        case list(parents):
            return {parent: True for parent in parents if isinstance(parent, str)}
        case dict(parents):
            return dict(parents)
    return {}


def levels_of(document: Text) -> dict[str, int]:
    """Key -> level, of all tasks; parents that do not exist are left out.

    Raises: CycleFound.
    """
    tasks = tasks_of(document)
    known = {key: [parent for parent in parents_in(body) if parent in tasks] for key, body in tasks.items()}
    try:
        return dag.levels(known)
    except CycleError as error:
        raise CycleFound(error.args[1]) from None


def add_task(document: Text, key: str, body: Text) -> dict[str, Json]:
    """The document with one more task, the last one.

    Raises: NameTaken; CycleFound.
    """
    tasks = tasks_of(document)
    if key in tasks:
        raise NameTaken(f"there is a task {key!r} already; choose another key")
    return _checked(document, tasks | {key: dict(body)})


def set_task(document: Text, key: str, body: Text, *, name: str | None = None) -> dict[str, Json]:
    """The document with another body under a key. `name`: its new key; edges and expressions follow, those of `body` too.

    Raises: NotFound; NameTaken; CycleFound.
    """
    tasks = tasks_of(document)
    _need(document, key)
    made = {**document, "tasks": tasks | {key: dict(body)}}
    if name is not None and name != key:
        if name in tasks:
            raise NameTaken(f"there is a task {name!r} already; choose another key")
        made = _renamed(made, key, name)
    return _checked(made, tasks_of(made))


def remove_task(document: Text, key: str) -> dict[str, Json]:
    """The document without a task and its edges. Expressions that use its output stay, and are faults.

    Raises: NotFound.
    """
    _need(document, key)
    tasks = {other: _without_parent(body, key) for other, body in tasks_of(document).items() if other != key}
    return {**document, "tasks": tasks}


def put_edge(document: Text, edge: WrittenEdge) -> dict[str, Json]:
    """The document with an edge, or with this condition on one that is there.

    Raises: NotFound for a task that does not exist; CycleFound.
    """
    _need(document, edge.parent)
    _need(document, edge.child)
    tasks = tasks_of(document)
    parents = parents_in(tasks[edge.child]) | {edge.parent: edge.condition}
    return _checked(document, tasks | {edge.child: _with_parents(tasks[edge.child], parents)})


def remove_edge(document: Text, parent: str, child: str) -> dict[str, Json]:
    """The document without an edge.

    Raises: NotFound.
    """
    _need(document, child)
    tasks = tasks_of(document)
    if parent not in parents_in(tasks[child]):
        raise NotFound(
            f"there is no edge {parent}:{child}; task {child!r} waits for {_listed(parents_in(tasks[child]))}"
        )
    return {**document, "tasks": tasks | {child: _without_parent(tasks[child], parent)}}


def _checked(document: Text, tasks: Mapping[str, Any]) -> dict[str, Json]:
    """The document with these tasks. Raises: CycleFound."""
    made = {**document, "tasks": dict(tasks)}
    levels_of(made)
    return made


def _need(document: Text, key: str) -> None:
    tasks = tasks_of(document)
    if key not in tasks:
        raise NotFound(there_is_no("task", key, tasks, f"versions {document.get('workflow')}"))


def _renamed(document: Text, old: str, new: str) -> dict[str, Json]:
    """The document with a task under another key, in its place."""
    made = {new if key == old else key: _renamed_body(body, old, new) for key, body in tasks_of(document).items()}
    outputs = document.get("outputs")
    follows = {} if outputs is None else {"outputs": renamed_in_value(outputs, old, new)}
    return {**document, "tasks": made, **follows}


def _renamed_body(body: dict[str, Json], old: str, new: str) -> dict[str, Json]:
    made = {key: value if key == "after" else renamed_in_value(value, old, new) for key, value in body.items()}
    if isinstance(when := body.get("when"), str):
        made["when"] = renamed_in_condition(when, old, new)
    match body.get("after"):
        case str(parent):
            made["after"] = new if parent == old else parent
        case list(parents):
            made["after"] = [new if parent == old else parent for parent in parents]
        case dict(parents):
            made["after"] = {
                new if parent == old else parent: (
                    renamed_in_condition(condition, old, new) if isinstance(condition, str) else condition
                )
                for parent, condition in parents.items()
            }
    return made


def _without_parent(body: dict[str, Json], parent: str) -> dict[str, Json]:
    parents = parents_in(body)
    if parent not in parents:
        return body
    return _with_parents(body, {key: condition for key, condition in parents.items() if key != parent})


def _with_parents(body: dict[str, Json], parents: Mapping[str, Json]) -> dict[str, Json]:
    """A task with these edges, as short as a file can say them."""
    made = {key: value for key, value in body.items() if key != "after"}
    if parents:
        is_plain = all(condition is True for condition in parents.values())
        after: Json = list(parents) if is_plain else dict(parents)
        made = {key: after if key == "after" else value for key, value in body.items()} | {"after": after}
    return made


def _listed(parents: Mapping[str, Json]) -> str:
    return ", ".join(parents) or "none"

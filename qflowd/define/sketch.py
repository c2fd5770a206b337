"""What can be drawn of a document that has faults: its tasks, and the edges between those that exist."""

from collections.abc import Mapping
from typing import Any

from qflowd.define.edits import parents_in, tasks_of
from qflowd.define.finally_tasks import with_ends
from qflowd.define.item_by_item import BREAKER_OPEN, EACH
from qflowd.model import dag
from qflowd.model.errors import NotFound
from qflowd.model.near_names import there_is_no
from qflowd.model.numbers import whole_number
from qflowd.model.workflow import Edge, Json, Task, TriggerRule, Workflow


def sketch(document: Mapping[str, Json]) -> Workflow:
    """The workflow as far as it can be told: for eyes alone, nothing is ever run by it. The document has no cycle."""
    tasks = tasks_of(document)
    drawn = tuple(_task(key, body, tasks) for key, body in tasks.items())
    head: dict[str, Any] = {name: _text(document, name) for name in ("title", "description", "domain", "type")}
    tags = document.get("tags")
    texts = tuple(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else ()
    return Workflow(key=_text(document, "workflow"), tags=texts, tasks=with_ends(drawn), **head)


def keys_in_order(document: Mapping[str, Json]) -> list[str]:
    """The keys of all tasks by their positions: level by level, as in a stored version."""
    return [task.key for task in dag.order(sketch(document))]


def find_task(document: Mapping[str, Json], name: str, *, is_position_first: bool = False) -> str:
    """The key of the task that `name` means: its key, or its position from 0.

    Raises: NotFound.
    """
    tasks = tasks_of(document)
    position = len(tasks) if (number := whole_number(name, 9)) is None else number
    by_position = keys_in_order(document)[position] if position < len(tasks) else None
    by_key = name if name in tasks else None
    key = (by_position or by_key) if is_position_first else (by_key or by_position)
    if key is None:
        raise NotFound(there_is_no("task", name, tasks, f"versions {document.get('workflow')}"))
    return key


def _task(key: str, body: Mapping[str, Json], tasks: Mapping[str, Any]) -> Task:
    edges = [_edge(parent, condition) for parent, condition in parents_in(body).items() if parent in tasks]
    names: dict[str, Any] = {name: _text(body, name) for name in ("job", "title", "task", "workflow")}
    rule: TriggerRule = "always" if body.get("trigger_rule") == "always" else "all_success"
    return Task(key=key, after=tuple(edges), map=body.get("map"), trigger_rule=rule, **names)


def _edge(parent: str, condition: Json) -> Edge:
    if isinstance(condition, dict):
        return Edge(parent, on=BREAKER_OPEN if condition.get("on") == BREAKER_OPEN else None, each=EACH in condition)
    if condition == EACH:
        return Edge(parent, each=True)
    return Edge(parent, condition if isinstance(condition, str) else None)


def _text(data: Mapping[str, Json], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""

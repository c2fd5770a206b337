"""From a workflow back to a document, and from a document to text in YAML, TOML or JSON."""

import json
import re
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Final, NoReturn

from qflowd.define.documents import Format
from qflowd.model.durations import format_duration, format_size
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Edge, Json, Schedule, Settings, Task, Workflow

_DURATIONS: Final = frozenset({"timeout", "retry_delay", "retry_max_delay"})
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def dump(workflow: Workflow) -> dict[str, Json]:
    """The canonical document of `workflow`: only what differs from the defaults, in the order of the contract."""
    document: dict[str, Json] = {"workflow": workflow.key}
    for name in ("title", "description", "domain", "type"):
        if value := getattr(workflow, name):
            document[name] = value
    if workflow.tags:
        document["tags"] = list(workflow.tags)
    if not workflow.enabled:
        document["enabled"] = False
    if workflow.params is not None:
        document["params"] = dict(workflow.params)
    if defaults := dump_settings(workflow.defaults):
        document["defaults"] = defaults
    if workflow.schedule:
        document["schedule"] = _schedule(workflow.schedule)
    if workflow.timeout is not None:
        document["timeout"] = format_duration(workflow.timeout)
    document["tasks"] = {task.key: dump_task(task) for task in workflow.tasks}
    return document


def dump_task(task: Task) -> dict[str, Json]:
    """What stands under a task's key."""
    document: dict[str, Json] = {"job": task.job}
    if task.title:
        document["title"] = task.title
    if task.after:
        document["after"] = _after(task.after)
    if task.params is not None:
        document["params"] = dict(task.params)
    return document | dump_settings(task.settings)


def dump_settings(settings: Settings) -> dict[str, Json]:
    """The settings that are said, as people write them."""
    document: dict[str, Json] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            document[field.name] = _setting(field.name, value)
    return document


def render(workflow: Workflow, format: Format) -> str:
    """The text of a file that describes `workflow`.

    Raises: InvalidWorkflow if it holds null, which TOML cannot say.
    """
    document = dump(workflow)
    if format == "json":
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    if format == "yaml":
        from qflowd.define.yaml_writer import write

        return write(document)
    return _toml(document, workflow.key)


def _schedule(schedule: Schedule) -> dict[str, Json]:
    document: dict[str, Json] = {"cron": schedule.cron}
    if schedule.timezone != "UTC":
        document["timezone"] = schedule.timezone
    if schedule.catchup != "none":
        document["catchup"] = f"all({schedule.catchup_limit})" if schedule.catchup == "all" else schedule.catchup
    if not schedule.enabled:
        document["enabled"] = False
    return document


def _after(edges: tuple[Edge, ...]) -> Json:
    if any(edge.condition is not None for edge in edges):
        return {edge.parent: True if edge.condition is None else edge.condition for edge in edges}
    return edges[0].parent if len(edges) == 1 else [edge.parent for edge in edges]


def _setting(name: str, value: Any) -> Json:
    if name in _DURATIONS:
        return format_duration(value)
    return format_size(value) if name == "memory" else value


def _toml(document: Mapping[str, Json], workflow: str) -> str:
    """Plain keys first, then a table for each mapping; one table for each task and param."""
    lines = [f"{_key(key)} = {_value(item, workflow)}" for key, item in document.items() if not isinstance(item, dict)]
    for key, item in document.items():
        if isinstance(item, dict) and key in ("tasks", "params"):
            lines += ["", f"[{key}]"]
            for inner, table in item.items():
                lines += _table(f"{key}.{_key(inner)}", table, workflow)
        elif isinstance(item, dict):
            lines += _table(_key(key), item, workflow)
    return "\n".join(lines) + "\n"


def _table(name: str, table: Mapping[str, Json], workflow: str) -> list[str]:
    return ["", f"[{name}]", *(f"{_key(key)} = {_value(item, workflow)}" for key, item in table.items())]


def _value(value: Json, workflow: str) -> str:
    if value is None:
        _refuse_null(workflow)
    if isinstance(value, dict):
        inner = ", ".join(f"{_key(key)} = {_value(item, workflow)}" for key, item in value.items())
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(_value(item, workflow) for item in value)}]"
    if isinstance(value, str):
        return _text(value)
    return json.dumps(value)


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _text(key)


def _text(text: str) -> str:
    # The escapes of JSON are TOML's too; only DEL is allowed bare in JSON alone.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _refuse_null(workflow: str) -> NoReturn:
    raise InvalidWorkflow([Fault(workflow, 0, "", "holds null, which TOML cannot say; use YAML or JSON")])

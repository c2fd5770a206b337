"""From a workflow back to its canonical document."""

from dataclasses import fields
from typing import Any, Final

from qflowd.model.durations import format_duration, format_size
from qflowd.model.workflow import Edge, Json, Schedule, Settings, Task, Workflow

_DURATIONS: Final = frozenset({"timeout", "retry_delay", "retry_max_delay"})


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
    """The settings that are given, as people write them."""
    document: dict[str, Json] = {}
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value is not None:
            document[field.name] = _setting(field.name, value)
    return document


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

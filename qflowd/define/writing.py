"""From a workflow back to the document that a file would hold."""

import msgspec

from qflowd.define.item_by_item import EACH
from qflowd.model.durations import format_duration, format_size
from qflowd.model.workflow import Edge, Json, Schedule, Settings, Task, Workflow


def dump(workflow: Workflow) -> dict[str, Json]:
    """The document that describes `workflow`: only what differs from the defaults."""
    document: dict[str, Json] = {"workflow": workflow.key, **msgspec.to_builtins(workflow)}
    del document["key"]
    if workflow.tags:
        document["tags"] = list(workflow.tags)
    if defaults := dump_settings(workflow.defaults):
        document["defaults"] = defaults
    if workflow.schedule:
        document["schedule"] = dump_schedule(workflow.schedule)
    if workflow.schedules:
        document["schedules"] = {name: dump_schedule(each) for name, each in workflow.schedules.items()}
    document["tasks"] = {task.key: dump_task(task) for task in workflow.tasks}
    return document


def dump_schedule(schedule: Schedule) -> dict[str, Json]:
    """What stands under `schedule`, or under a name of `schedules`."""
    document: dict[str, Json] = msgspec.to_builtins(schedule)
    if schedule.catchup == "all":
        document["catchup"] = f"all({document.pop('catchup_limit')})"
    return document


def dump_task(task: Task) -> dict[str, Json]:
    """What stands under a task's key."""
    document: dict[str, Json] = msgspec.to_builtins(task)
    del document["key"]
    document.pop("settings", None)
    if not task.job:
        del document["job"]  # that of its definition
    if task.after:
        document["after"] = {edge.parent: _dump_edge(edge) for edge in task.after}
    return document | dump_settings(task.settings)


def _dump_edge(edge: Edge) -> Json:
    if edge.on is not None:
        return {"on": edge.on, EACH: True} if edge.each else {"on": edge.on}
    return EACH if edge.each else edge.condition or True


def dump_settings(settings: Settings) -> dict[str, Json]:
    """The settings that are given, as people write them."""
    document: dict[str, Json] = msgspec.to_builtins(settings)
    for name in document.keys() & {"timeout", "retry_delay", "retry_max_delay"}:
        document[name] = format_duration(document[name])
    if settings.memory is not None:
        document["memory"] = format_size(settings.memory)
    if settings.limits is not None:
        document["limits"] = dict(settings.limits)
    return document

"""What a workflow would do with its default params, without a database: params and tasks, rendered as far as that is known."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from qflowd.define.expressions import compile_value
from qflowd.model import dag
from qflowd.model.errors import ExpressionFailed
from qflowd.model.workflow import BUILT_IN, Job, Json, Settings, Task, Workflow

LATER: Final = {"item", "index", "instance", "fire_at"}  # facts that only an instance has


class PlannedTask(NamedTuple):
    """A task as it would run. What depends on an instance or on another task's output is as it is written."""

    task: Task
    level: int
    settings: Settings
    params: Mapping[str, Json]


def preview(
    workflow: Workflow, jobs: Mapping[str, Job], default_pool: str | None, business_date: str | None
) -> tuple[Mapping[str, Json], list[PlannedTask]]:
    """The params of an instance that is given none, and its tasks in topological order.

    Args:
        jobs: those that are known, by name.
        default_pool: of the workflow's domain.
    """
    scope: dict[str, Any] = {"business_date": business_date, "tasks": {}, "params": {}}
    given = workflow.params or {}
    params = {name: rendered(schema["default"], scope) for name, schema in given.items() if "default" in schema}
    scope["params"] = params
    level = dag.levels(dag.parents_of(workflow.tasks))
    outer = Settings(pool=default_pool).over(BUILT_IN)
    planned = []
    for task in dag.order(workflow):
        job = jobs.get(task.job)
        settings = task.settings.over(workflow.defaults).over(job.settings if job else Settings()).over(outer)
        written = _of_the_workflow(job, params) if task.params is None else task.params
        values = {name: rendered(value, scope) if task.params is not None else value for name, value in written.items()}
        planned.append(PlannedTask(task, level[task.key], settings, values))
    return params, planned


def rendered(value: Json, scope: Mapping[str, Any]) -> Json:
    """A value with its expressions, where all that they ask for is in `scope`; else as it is written, with what is missing."""
    template = compile_value(value)
    if template.tasks or not LATER.isdisjoint(template.facts):
        return value
    try:
        return template.render(dict(scope))
    except ExpressionFailed as error:
        return f"{value} ({error})"


def _of_the_workflow(job: Job | None, params: Mapping[str, Json]) -> Mapping[str, Json]:
    """The workflow's params that a job has params of the same names for; all where it takes any."""
    schema = job.params_schema if job else {}
    if not schema or schema.get("additionalProperties") is True:
        return params
    return {name: value for name, value in params.items() if name in schema.get("properties", {})}

"""What a workflow would do with its default params, without a database: params and tasks, rendered as far as that is known."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from qflowd.calendars.calendar_book import Calendars
from qflowd.define.expressions import compile_value
from qflowd.define.language import CALENDARS, OWN_CALENDAR
from qflowd.engine.plans.plan import by_name, compile_plan, effective
from qflowd.model import dag
from qflowd.model.errors import ExpressionFailed
from qflowd.model.workflow import Job, Json, Settings, Task, Workflow

OF_ITEMS: Final = frozenset({"item", "index"})  # facts that only an item of a map has
LATER: Final = OF_ITEMS | {"instance", "fire_at"}  # and only an instance


class PlannedTask(NamedTuple):
    """A task as it would run. What depends on an instance or on another task's output is as it is written."""

    task: Task
    level: int
    settings: Settings
    params: Mapping[str, Json]


def preview(
    workflow: Workflow,
    jobs: Mapping[str, Job],
    default_pool: str | None,
    business_date: str | None,
    calendars: Calendars,
) -> tuple[Mapping[str, Json], list[PlannedTask]]:
    """The params of an instance that is given none, and its tasks in topological order.

    Args:
        jobs: those that are known, by name.
        default_pool: of the workflow's domain.
        calendars: its tenant's.
    """
    scope: dict[str, Any] = {"business_date": business_date, "tasks": {}, "params": {}}
    scope |= {OWN_CALENDAR: workflow.calendar, CALENDARS: calendars}
    given = workflow.params or {}
    params = {name: rendered(schema["default"], scope) for name, schema in given.items() if "default" in schema}
    scope["params"] = params
    level = dag.levels(dag.parents_of(workflow.tasks))
    planned = []
    for node in compile_plan(0, workflow).nodes:
        job, written = jobs.get(node.job), node.task.params
        settings = effective(node, Settings(), job, Settings(pool=default_pool))
        values = by_name(job, params) if written is None else rendered_all(written, scope)
        planned.append(PlannedTask(node.task, level[node.key], settings, values))
    return params, planned


def rendered_all(
    values: Mapping[str, Json], scope: Mapping[str, Any], later: frozenset[str] = LATER
) -> dict[str, Json]:
    """As `rendered`, of each of them."""
    return {name: rendered(value, scope, later) for name, value in values.items()}


def rendered(value: Json, scope: Mapping[str, Any], later: frozenset[str] = LATER) -> Json:
    """A value with its expressions, where all that they ask for is in `scope`; else as it is written, with what is missing.

    `later`: facts that nobody knows yet; what asks for one, or for the output of a task, stays as it is written.
    """
    template = compile_value(value)
    if template.tasks or not later.isdisjoint(template.facts):
        return value
    try:
        return template.render(dict(scope))
    except ExpressionFailed as error:
        return f"{value} ({error})"

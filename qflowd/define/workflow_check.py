"""What can only be judged with a whole workflow at hand: parents, cycles, and what expressions may use."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from graphlib import CycleError
from typing import Final

from qflowd.define.datasets import check_datasets
from qflowd.define.expressions import Template, compile_condition, compile_value
from qflowd.define.fact_starts import FACT_PARAM, own_dataset
from qflowd.define.fields import Fields
from qflowd.define.item_by_item import above_item_by_item, check_each
from qflowd.define.key_paths import KeyPath
from qflowd.define.schema import schema_fault, schema_of_some, workflow_schema
from qflowd.define.session_functions import NAMES_NONE, fault_in_calendar
from qflowd.define.waits import wait_document
from qflowd.model import dag, jsontext
from qflowd.model.dag import Above
from qflowd.model.errors import CycleFault, InvalidExpression
from qflowd.model.names import fault_in_key
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Json, Schedule, Settings, Task, Workflow

# A default cannot use other params: there would be an order between them.
_DEFAULT_FACTS: Final = frozenset({"instance", "business_date", "fire_at"})
_TASK_FACTS: Final = _DEFAULT_FACTS | {"params"}
_NO_TASKS: Final = Above({}, {}, ())
_ITEM_FACTS: Final = frozenset({"item", "index"})


@dataclass(frozen=True, slots=True)
class _Known:
    """What expressions may use at one point. `params` None: any."""

    facts: frozenset[str]
    tasks: Above
    params: frozenset[str] | None
    running: AbstractSet[str] = frozenset()  # maps above whose items may not all have ended
    has_calendar: bool = True


def _known_in(workflow: Workflow, tasks: Above = _NO_TASKS) -> _Known:
    """What expressions of a workflow may use where they know the outputs of these tasks."""
    params = None if workflow.params is None else frozenset(workflow.params)
    return _Known(_TASK_FACTS, tasks, params, has_calendar=bool(workflow.calendar))


def check_calendar(top: Fields, workflow: Workflow) -> None:
    """There is a calendar of the name that it has."""
    if workflow.calendar and (fault := fault_in_calendar(workflow.calendar)):
        top.fault(fault, "calendar")


def check_params(top: Fields, params: Mapping[str, Json] | None, *, has_calendar: bool = True) -> None:
    """Each param is a JSON Schema, and its default a value or an expression over facts of the instance.

    `has_calendar`: its workflow has one, or it is not yet known which workflow that will be.
    """
    fields = top.section("params")
    known = _Known(_DEFAULT_FACTS, _NO_TASKS, None, has_calendar=has_calendar)
    for name, schema in (params or {}).items():
        if fault := fault_in_key(name, "param name"):
            fields.fault(fault, name)
        elif not isinstance(schema, dict):
            fields.fault('must be a JSON Schema, such as {type: string, default: "x"}', name)
        elif fault := schema_fault({key: value for key, value in schema.items() if key != "default"}):
            fields.fault(fault, name)
        else:
            _check_template(fields, schema.get("default"), (name, "default"), known)


def check_schedules(top: Fields, workflow: Workflow) -> None:
    """What a schedule fires has its params and the defaults: both together must do."""
    if workflow.schedule is not None:
        _check_schedule(top, workflow, workflow.schedule, ("schedule",))
    for name, schedule in workflow.schedules.items():
        _check_schedule(top, workflow, schedule, ("schedules", name))


def _check_schedule(top: Fields, workflow: Workflow, schedule: Schedule, path: KeyPath) -> None:
    given, schemas = schedule.params or {}, workflow.params or {}
    lacking = [name for name, each in schemas.items() if isinstance(each, dict) and "default" not in each]
    lacking = [name for name in lacking if name not in given and not (schedule.start_on and name == FACT_PARAM)]
    if lacking and (schedule.cron or schedule.at or schedule.start_on):
        names = ", ".join(lacking)
        top.fault(f"can never fire: param {names} has no default, and the schedule gives none", *path)
    for name, value in given.items():
        if "{{" in jsontext.dump(value):
            top.fault("is a value; an expression is for the default of the param", *path, "params", name)
    if given and not top.faults:
        schema = schema_of_some(workflow_schema(workflow.params))
        for message in schema.faults(schema.coerce(given)):
            top.fault(message, *path, "params")
    if schedule.start_on and (own := own_dataset(workflow, schedule.start_on)):
        top.fault(f"is what task {own} of this workflow produces, so it would start itself", *path, "start_on")


def check_concurrency(top: Fields, workflow: Workflow) -> None:
    """The key by which instances take turns is known before they have run: it uses params and facts alone."""
    if workflow.concurrency is not None and workflow.concurrency.keyed is not None:
        _check_uses(top, compile_value, workflow.concurrency.keyed, ("concurrency", "keyed"), _known_in(workflow))


def check_tasks(fields: Fields, workflow: Workflow) -> None:
    """Parents exist, nothing waits for itself, and expressions use only what is known at that point."""
    parents = _known_parents(fields, workflow)
    try:
        level = dag.levels(parents)
    except CycleError as error:
        cycle: list[str] = error.args[1]
        fields.fault(f"cycle: {' -> '.join(cycle)}", cycle[0], "after", kind=CycleFault)
        return
    check_datasets(fields, workflow.tasks)
    by_key = {task.key: task for task in workflow.tasks}
    for task in workflow.tasks:
        if task.workflow and task.workflow == workflow.key:
            fields.fault("is this workflow itself: it would start itself for ever", task.key, "workflow")
        if task.wait_for is not None and task.wait_for.workflow == workflow.key and not task.wait_for.business_date:
            fields.fault("is this workflow itself: name another `business_date`", task.key, "wait_for", "workflow")
        inner = Fields(fields.document, (*fields.path, task.key), {}, fields.faults)
        known = _known_in(workflow, Above(parents, level, parents[task.key]))
        running = above_item_by_item(task, by_key)
        of_item = known if task.map is None else replace(known, facts=_TASK_FACTS | _ITEM_FACTS)
        _check_template(inner, task.params, ("params",), of_item)
        if running:  # then its list is that of another map
            known = replace(known, running=running)
            check_each(inner, task, by_key)
        else:
            _check_template(inner, task.map, ("map",), known)
        # Outputs of tasks are read for the params of those items that run; labels and limits are made for every item.
        _check_template(inner, task.label, ("label",), replace(of_item, tasks=_NO_TASKS))
        if task.when is not None:
            _check_uses(inner, compile_condition, task.when, ("when",), known)
        _check_limits(inner, task.settings, replace(of_item, tasks=_NO_TASKS))
        _check_template(inner, wait_document(task.wait_for), ("wait_for",), known)
        _check_template(inner, task.produces, ("produces",), replace(known, tasks=_NO_TASKS))
        if task.map is not None and task.trigger_rule == "any_success":
            inner.fault("any_success is not supported with `map`: the list is evaluated once", "trigger_rule")
        if task.run_on is not None and (task.trigger_rule != "always" or task.map is not None):
            inner.fault("is for tasks with `trigger_rule: always` and without `map`", "run_on")
        if task.trigger_rule != "all_success" and not task.after:
            inner.fault(f"{task.trigger_rule} looks at the tasks before this one, and there is none", "trigger_rule")
        _check_conditions(inner, task, known, (parents, level))
        _check_fallbacks(inner, task, by_key)


def _check_conditions(
    inner: Fields, task: Task, known: _Known, graph: tuple[dict[str, list[str]], dict[str, int]]
) -> None:
    parents, level = graph
    for edge in task.after:
        if edge.condition is not None:
            above = Above(parents, level, [edge.parent] if edge.parent in parents else [])
            path = ("after", edge.parent)
            _check_uses(inner, compile_condition, edge.condition, path, replace(known, tasks=above))


def _check_fallbacks(inner: Fields, task: Task, by_key: Mapping[str, Task]) -> None:
    """What runs instead of a task while a breaker is open stands behind one that needs limits."""
    for parent in (by_key[edge.parent] for edge in task.after if edge.on is not None and edge.parent in by_key):
        if parent.workflow:
            inner.fault(f"{parent.key} starts a workflow and needs no limits, so no breaker", "after", parent.key)


def check_defaults(fields: Fields, workflow: Workflow) -> None:
    """Expressions in `defaults:` use only what is known when an instance is admitted."""
    _check_limits(fields, workflow.defaults, _known_in(workflow))


def check_outputs(top: Fields, workflow: Workflow) -> None:
    """What it returns is known when all of its tasks have ended: expressions may use the outputs of all."""
    fields = top.section("outputs")
    parents = dag.parents_of(workflow.tasks)
    try:
        level = dag.levels(parents)
    except (CycleError, KeyError):  # reported with the tasks
        return
    known = _known_in(workflow, Above(parents, level, parents))
    for name, value in (workflow.outputs or {}).items():
        if fault := fault_in_key(name, "output name"):
            fields.fault(fault, name)
        else:
            _check_template(fields, value, (name,), known)


def _check_limits(fields: Fields, settings: Settings, known: _Known) -> None:
    for name, _ in settings.limits or ():
        _check_template(fields, name, ("limits",), known)


def _known_parents(fields: Fields, workflow: Workflow) -> dict[str, list[str]]:
    keys = {task.key for task in workflow.tasks}
    parents: dict[str, list[str]] = {}
    for task in workflow.tasks:
        parents[task.key] = [edge.parent for edge in task.after if edge.parent in keys]
        for edge in task.after:
            if edge.parent not in keys and not fields.is_full:
                message = f"no task {edge.parent!r} in this workflow{did_you_mean(edge.parent, keys - {task.key})}"
                fields.fault(message, *_edge_path(task, edge.parent))
    return parents


def _edge_path(task: Task, parent: str) -> tuple[str, ...]:
    return (
        (task.key, "after", parent)
        if any(edge.condition or edge.each or edge.on for edge in task.after)
        else (task.key, "after")
    )


def _check_template(fields: Fields, value: Json, path: KeyPath, known: _Known) -> None:
    """Checks every text inside `value` by itself, so that a fault names its own line."""
    if isinstance(value, dict):
        for key, item in value.items():
            _check_template(fields, item, (*path, key), known)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _check_template(fields, item, (*path, index), known)
    elif isinstance(value, str) and "{{" in value:
        _check_uses(fields, compile_value, value, path, known)


def _check_uses(fields: Fields, read: Callable[[str], Template], text: str, path: KeyPath, known: _Known) -> None:
    try:
        template = read(text)
    except InvalidExpression as error:
        fields.fault(str(error), *path)
        return
    for fact in sorted(template.facts - known.facts):
        why = (
            "is known only to the params, label and limits of a task with `map`"
            if fact in _ITEM_FACTS
            else f"cannot be used here; known: {', '.join(sorted(known.facts))}"
        )
        fields.fault(f"{fact} {why}", *path)
    for task in sorted(task for task in template.tasks if task not in known.tasks):
        above = ", ".join(known.tasks.nearest(20)) or "none"
        fields.fault(f"the output of {task!r} is not known here; tasks above: {above}", *path)
    for task in sorted(template.tasks & known.running):
        fields.fault(
            f"items of {task!r} may still run here; `params` alone know its output, that of the same item", *path
        )
    if "" in template.calendars and not known.has_calendar:
        fields.fault(NAMES_NONE, *path)
    for name in sorted(template.calendars - {""}):
        if fault := fault_in_calendar(name):
            fields.fault(fault, *path)
    if known.params is not None:
        for name in sorted(template.params - known.params):
            fields.fault(f"params has no {name!r}{did_you_mean(name, known.params)}", *path)

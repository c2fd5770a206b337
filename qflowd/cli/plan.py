"""`qflowd plan`: what a workflow would do, without doing it."""

from datetime import UTC, datetime
from typing import Any, Final

import click
import msgspec

from qflowd.calendars import timetable
from qflowd.cli import exits, limit_check
from qflowd.cli.job_check import compensation_of
from qflowd.cli.known_jobs import KnownJobs, known_jobs
from qflowd.cli.plan_rules import after_text, rules_text
from qflowd.cli.printing import bold, compact, cut, echo, instant, near, print_json, print_list, zone
from qflowd.cli.session import configuration, json_option, merged, params_options
from qflowd.cli.workflow_source import WorkflowSource, find_workflow
from qflowd.define.explain import explain
from qflowd.define.waits import wait_document, wait_words
from qflowd.engine.admission.shortages import needed_of, refuse_shortage
from qflowd.engine.plans.expand import Admission, admit_request, instance_scope
from qflowd.engine.plans.node import Node
from qflowd.engine.plans.plan import by_name as params_by_name
from qflowd.engine.plans.plan import compile_plan, effective
from qflowd.engine.plans.preview import OF_ITEMS, rendered_all
from qflowd.engine.refusal import Refused
from qflowd.engine.request import read_request
from qflowd.model import dag, jsontext
from qflowd.model.durations import format_duration
from qflowd.model.errors import InvalidRequest
from qflowd.model.workflow import Job, Settings, Workflow

FIRES: Final = 5
COLUMNS: Final = "step> | task | after | rules | job | pool | retries> | timeout> | params"


@click.command()
@click.argument("workflow", metavar="WORKFLOW|FILE")
@params_options
@click.option("--business-date", metavar="DATE", help="The trading or data date it would be for.")
@click.option("--explain", "explained", is_flag=True, help="Show where each setting and param comes from instead.")
@json_option
def plan(
    *,
    workflow: str,
    given: dict[str, Any] | None,
    pairs: dict[str, Any],
    business_date: str | None,
    explained: bool,
    as_json: bool,
) -> None:
    """Show what WORKFLOW or a workflow FILE would do: order, rendered params, next fires.

    WORKFLOW is shown as stored, else as a file in the configured folders has it; it is said where the two differ. What
    depends on the output of another task is shown as it is written.
    """
    known = known_jobs(configuration())
    jobs = known.jobs
    source = find_workflow(workflow, jobs)
    if source.remark:
        exits.say(source.remark)
    if explained:
        _explain(source, known, as_json=as_json)
        return
    definition = source.workflow()
    admission = _admit(definition, known, merged(given, pairs) or {}, business_date)
    levels = dag.levels(dag.parents_of(definition.tasks))
    steps = [_step(node, admission, jobs) | {"level": levels[node.key]} for node in admission.plan.nodes]
    schedules = definition.named_schedules
    now = datetime.now(UTC)
    if as_json:
        coming = timetable.fires_of_all(schedules, now, FIRES, known.calendars)
        fires = [{"schedule": name, "fire_at": at, "business_date": day} for name, (at, day) in coming]
        print_json({"workflow": definition.key, "params": admission.params, "tasks": steps, "next_fires": fires})
        return
    echo(f"{bold(definition.key)}  {definition.title}".rstrip())
    if definition.calendar:
        echo(f"  calendar  {definition.calendar}")
    if definition.concurrency:
        echo(f"  concurrency  {compact(msgspec.to_builtins(definition.concurrency))}")
    if admission.params:
        echo(f"  params  {cut(compact(admission.params), 400)}")
    echo()
    shown = [step | _in_words(node, step) for node, step in zip(admission.plan.nodes, steps, strict=True)]
    print_list(shown, COLUMNS if any(row["rules"] for row in shown) else COLUMNS.replace(" | rules", ""))
    _say_what_is_not_known(definition, known)
    if definition.saga:
        undone = ", ".join(f"{step['task']} by {step['compensation']}" for step in steps if step["compensation"])
        echo(f"\nif it fails, these are undone ({definition.saga.order}): {undone or 'none'}")
    _show_fires(definition, now, known)


def _show_fires(definition: Workflow, now: datetime, known: KnownJobs) -> None:
    """When each schedule fires next, or on which fact it starts."""
    for name, schedule in definition.named_schedules.items():
        own = f"{name}: " if definition.schedules else ""
        off = "" if schedule.enabled and definition.enabled else " (disabled)"
        if schedule.start_on:
            echo(f"\n{own}starts {timetable.in_words(schedule)}{off}")
            continue
        echo(f"\nnext fires of {own}{timetable.in_words(schedule)}{off}, {zone().key}:")
        for fire in timetable.next_fires(schedule, now, FIRES, known.calendars):
            echo(f"  {instant(fire.at)}  for {fire.business_date}")


def _say_what_is_not_known(workflow: Workflow, known: KnownJobs) -> None:
    if unknown := sorted({task.job for task in workflow.tasks if task.job} - known.jobs.keys()):
        echo(f"\nnot known here: job {', '.join(unknown)}", err=True)
    for (_, task, key), doubt in limit_check.doubts(workflow, known.jobs, known.limits, is_submitted=True):
        echo(f"\nnot checked: {key} of {task}: {doubt}", err=True)


def _explain(source: WorkflowSource, known: KnownJobs, *, as_json: bool) -> None:
    """Print where the settings and params of a workflow's tasks come from."""
    data, definitions = source.as_written()
    rows = [row._asdict() for row in explain(data, definitions, known.jobs, known.domains)]
    if not as_json:
        rows = [
            row
            | {
                "value": _written(row["value"]),
                "file": row["file"] and near(row["file"]),
                "over": ", ".join(f"{source}: {_written(value)}" for source, value in row["over"].items()),
            }
            for row in rows
        ]
    empty = "nothing is set: all settings are built in, and params are those of the workflow"
    has_files = any(row["file"] for row in rows)
    columns = f"task | key | value | FROM:source{' | file' if has_files else ''} | OVER:over"
    print_list(rows, columns, empty, as_json=as_json)


def _written(value: Any) -> str:
    return value if isinstance(value, str) else compact(value)


def _admit(workflow: Workflow, known: KnownJobs, params: dict[str, Any], business_date: str | None) -> Admission:
    """As the engine would.

    Raises: InvalidRequest with what it would refuse.
    """
    row = {"id": 1, "workflow": workflow.key, "params": jsontext.dump(params), "business_date": business_date}
    try:
        request = read_request({**row, "trigger_type": "plan"}, datetime.now(UTC))
        # Any version id: a plan without one is taken for that of a single job.
        about: dict[str, Any] = {"default_pool": known.domains.get(workflow.domain), "calendars": known.calendars}
        admission = admit_request(request, compile_plan(0, workflow), known.jobs, **about)
        needed = needed_of(admission)
        refuse_shortage(needed, {name: size for name in needed if (size := known.limits.size(name)) is not None})
        return admission
    except Refused as error:
        raise InvalidRequest(str(error)) from None


def _in_words(node: Node, step: dict[str, Any]) -> dict[str, Any]:
    """What people read of a step in place of its values."""
    limits = tuple(step["limits"].items())
    return {
        "step": step["level"] + 1,
        "after": after_text(node.task),
        "rules": rules_text(node.task, limits, step["retry"]),
        "retries": step["retries"] or "",
    }


def _does(node: Node) -> str:
    """The job of a task, the workflow that it starts, or what it waits for and does no more."""
    if node.task.wait_for is not None and node.task.only_waits:
        return f"wait for {wait_words(node.task.wait_for)}"
    return node.job or f"workflow {node.task.workflow}"


def _step(node: Node, admission: Admission, jobs: dict[str, Job]) -> dict[str, Any]:
    """Settings and params of a task; params are rendered, except what needs the output of a task."""
    settings = effective(node, Settings(), jobs.get(node.job), Settings(pool=admission.default_pool))
    scope = instance_scope(admission.request, admission.plan.workflow, None, admission.calendars) | {
        "params": admission.params,
        "tasks": {},
    }
    written = node.task.params
    if written is None:
        params = params_by_name(jobs.get(node.job), admission.params)
    else:
        params = rendered_all(written, scope, OF_ITEMS)
    return {
        "task": node.key,
        "job": _does(node),
        "workflow": node.task.workflow or None,
        "wait_for": wait_document(node.task.wait_for) or None,
        "after": [admission.plan.nodes[parent].key for parent in node.parents],
        "trigger_rule": node.task.trigger_rule,
        "when": node.task.when,
        "on_failure": node.task.on_failure,
        "run_on": node.task.run_on,
        "pool": "" if node.task.only_waits else settings.pool,
        "retries": settings.retries,
        "retry": settings.retry,
        "timeout": None if settings.timeout is None else format_duration(settings.timeout),
        "priority": settings.priority,
        "limits": dict(settings.limits or ()),
        "map": node.task.map,
        "chunk": node.task.chunk,
        "max_parallel": node.task.max_parallel,
        "tolerate": node.task.tolerate,
        "compensation": compensation_of(node.task, jobs),
        "params": params,
    }

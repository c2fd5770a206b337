"""`qflowd plan`: what a workflow would do, without doing it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click

from qflowd.cli.known_jobs import known_jobs
from qflowd.cli.printing import bold, compact, cut, instant, print_json, print_list, zone
from qflowd.cli.session import configuration, json_option, merged, open_client, params_options
from qflowd.cli.validate import workflow_paths
from qflowd.define import workflow_file
from qflowd.define.expressions import compile_value
from qflowd.engine.expand import Admission, admit_request, instance_scope
from qflowd.engine.plan import Node, by_name, compile_plan, effective
from qflowd.engine.request import Refused, Request
from qflowd.model import dag
from qflowd.model.cron import next_fires
from qflowd.model.durations import format_duration
from qflowd.model.errors import (
    ExpressionFailed,
    InvalidRequest,
    InvalidWorkflow,
    NotFound,
    QflowdError,
    SchemaOutdated,
    StoreUnavailable,
)
from qflowd.model.instants import parse_date
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.workflow import Job, Settings, Task, Workflow

FIRES = 5
COLUMNS: Final = (
    "STEP>:step | TASK:task | AFTER:after | JOB:job | POOL:pool | RETRIES>:retries | TIMEOUT>:timeout | PARAMS:params"
)


@click.command()
@click.argument("workflow", metavar="WORKFLOW|FILE")
@params_options
@click.option("--business-date", metavar="DATE", help="The trading or data date it would be for.")
@json_option
def command(
    *, workflow: str, given: str | None, pairs: tuple[tuple[str, Any], ...], business_date: str | None, as_json: bool
) -> None:
    """Show what WORKFLOW (as stored) or a workflow FILE would do: order, rendered params, next fires.

    What depends on the output of another task is shown as it is written.
    """
    definition = _find(workflow)
    jobs = known_jobs(configuration()).jobs
    admission = _admit(definition, jobs, merged(given, pairs) or {}, business_date)
    levels, tasks = dag.levels(dag.parents_of(definition.tasks)), {task.key: task for task in definition.tasks}
    steps = [
        _step(node, admission, jobs) | {"level": levels[node.key], "params": _params(tasks[node.key], admission, jobs)}
        for node in admission.plan.nodes
    ]
    schedule = definition.schedule
    fires = next_fires(schedule.cron, schedule.timezone, datetime.now(UTC), FIRES) if schedule else []
    if as_json:
        print_json({"workflow": definition.key, "params": admission.params, "tasks": steps, "next_fires": fires})
        return
    click.echo(f"{bold(definition.key)}  {definition.title}".rstrip())
    if admission.params:
        click.echo(f"  params  {cut(compact(admission.params), 400)}")
    click.echo()
    rows = [step | {"step": step["level"] + 1, "retries": step["retries"] or ""} for step in steps]
    print_list(rows, COLUMNS)
    if unknown := sorted({step["job"] for step in steps} - jobs.keys()):
        click.echo(f"\nnot known here: job {', '.join(unknown)}", err=True)
    if schedule:
        off = "" if schedule.enabled and definition.enabled else " (disabled)"
        click.echo(f"\nnext fires of {schedule.cron} {schedule.timezone}{off}, {zone().key}:")
        for fire in fires:
            click.echo(f"  {instant(fire)}")


def _find(name: str) -> Workflow:
    """The workflow in the file of that name, else the stored one, else the one in the configured folders.

    Raises: NotFound, InvalidWorkflow; StoreUnavailable, SchemaOutdated if only a store could tell.
    """
    if Path(name).is_file():
        return workflow_file.parse_file(Path(name))
    try:
        with open_client() as client:
            document = client.active_document(name)
        problem: QflowdError = NotFound(f"there is no workflow {name!r} in the database, and no such file")
    except (StoreUnavailable, SchemaOutdated) as error:
        document, problem = None, error
    if document is not None:
        return workflow_file.parse(document, "json", name)
    for path in workflow_paths(configuration().workflows.dirs):
        try:
            workflow = workflow_file.parse_file(path)
        except InvalidWorkflow:
            continue
        if workflow.key == name:
            return workflow
    raise problem


def _admit(workflow: Workflow, jobs: dict[str, Job], params: dict[str, Any], business_date: str | None) -> Admission:
    """As the engine would.

    Raises: InvalidRequest with what it would refuse.
    """
    try:
        day = None if business_date is None else parse_date(business_date)
    except ValueError as problem:
        raise InvalidRequest(f"business_date {problem}") from None
    request = Request(
        id=0,
        tenant=DEFAULT_TENANT,
        workflow=workflow.key,
        params=params,
        business_date=day,
        trigger_type="plan",
        created_at=datetime.now(UTC),
    )
    try:
        # Any version id: a plan without one is taken for that of a single job.
        return admit_request(request, compile_plan(0, workflow), jobs)
    except Refused as problem:
        raise InvalidRequest(str(problem)) from None


def _step(node: Node, admission: Admission, jobs: dict[str, Job]) -> dict[str, Any]:
    plan = admission.plan
    settings = effective(node, Settings(), jobs.get(node.job), None)
    return {
        "task": node.key,
        "job": node.job,
        "after": [plan.nodes[parent].key for parent in node.parents],
        "pool": settings.pool,
        "retries": settings.retries,
        "timeout": None if settings.timeout is None else format_duration(settings.timeout),
        "priority": settings.priority,
    }


def _params(task: Task, admission: Admission, jobs: dict[str, Job]) -> dict[str, Any]:
    """Rendered, but for what needs the output of a task."""
    request = admission.request
    if task.params is None:
        return by_name(jobs.get(task.job), admission.params)
    scope = instance_scope(request, request.target, None)
    scope |= {"params": admission.params, "tasks": {}}
    rendered = {}
    for name, value in task.params.items():
        template = compile_value(value)
        try:
            rendered[name] = value if template.tasks else template.render(scope)
        except ExpressionFailed as problem:
            rendered[name] = f"{value} ({problem})"
    return rendered

"""What a workflow would do, without doing it: order, params, settings, next fires."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date
from typing import Any, Final

from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.drawing.versions import graph_of
from qflowd.api.named import version_of, workflow_of
from qflowd.api.reading import Query
from qflowd.api.resources.schedules import ComingFire, coming
from qflowd.api.routing import route
from qflowd.calendars import timetable
from qflowd.define import stored
from qflowd.define.waits import wait_document
from qflowd.engine.plans.preview import PlannedTask, preview
from qflowd.model.roles import Role
from qflowd.model.workflow import Job

FIRES: Final = 5


class PlanStep(Item):
    """A task as it would run. `step`: from 1; tasks of one step wait for none of each other.

    `params`: rendered; what depends on an instance or on the output of another task is as it is written, as is `wait_for`.
    Seconds, bytes.
    """

    step: int
    task: str
    job: str
    workflow: str | None
    wait_for: Mapping[str, Any] | None
    after: Sequence[str]
    trigger_rule: str
    when: str | None
    map: Any
    on_failure: str
    run_on: str | None
    pool: str | None
    priority: int | None
    retries: int | None
    timeout_s: float | None
    memory: int | None
    limits: Mapping[str, Any]
    params: Mapping[str, Any]
    is_known: bool


class WorkflowPlan(Item):
    """`params`: of an instance that is given none. `unknown_jobs`: that no daemon has ever registered."""

    workflow: str
    version: int
    params: Mapping[str, Any]
    tasks: Sequence[PlanStep]
    unknown_jobs: Sequence[str]
    next_fires: Sequence[ComingFire]


class PlanQuery(Query):
    """`version`: a number, `active` or `draft`."""

    business_date: date | None = None
    version: str = "active"


@route("GET", "/workflows/{id}/plan", Role.READ, errors=(42202,))
def show_plan(call: Call, id: str, query: PlanQuery) -> WorkflowPlan:
    """The tasks of a version in their order, with the params and settings that they would run with."""
    found = workflow_of(call, id)
    version = version_of(call, found, query.version)
    workflow = graph_of(call, version).workflow
    pool = call.one("show_workflow", workflow=found.workflow).default_pool
    jobs = {
        row.job: stored.registered_job(row.job, row.file, row.hash, row.params_schema, row.settings)
        for row in call.read("list_jobs_with_titles")
    }
    day = None if query.business_date is None else str(query.business_date)
    calendars = call.client.calendars()
    params, planned = preview(workflow, jobs, pool, day, calendars)
    now = call.store.clock.now().astimezone(UTC)
    fires = timetable.fires_of_all(workflow.named_schedules, now, FIRES, calendars)
    return WorkflowPlan(
        workflow=found.workflow,
        version=version.version,
        params=params,
        tasks=[_step(each, jobs) for each in planned],
        unknown_jobs=sorted({task.job for task in workflow.tasks if task.job} - jobs.keys()),
        next_fires=[coming(name, fire) for name, fire in fires],
    )


def _step(planned: PlannedTask, jobs: Mapping[str, Job]) -> PlanStep:
    task, settings = planned.task, planned.settings
    return PlanStep(
        step=planned.level + 1,
        task=task.key,
        job=task.job,
        workflow=task.workflow or None,
        wait_for=wait_document(task.wait_for) or None,
        after=[edge.parent for edge in task.after],
        trigger_rule=task.trigger_rule,
        when=task.when,
        map=task.map,
        on_failure=task.on_failure,
        run_on=task.run_on,
        pool=None if task.workflow or task.only_waits else settings.pool,
        priority=settings.priority,
        retries=settings.retries,
        timeout_s=settings.timeout,
        memory=settings.memory,
        limits=dict(settings.limits or ()),
        params=planned.params,
        is_known=not task.job or task.job in jobs,
    )

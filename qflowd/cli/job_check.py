"""Faults of a workflow file that only show when its jobs are known: names, and params that do not fit."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from qflowd.define.branches import unreachable
from qflowd.define.key_paths import KeyFault, KeyPath
from qflowd.define.param_faults import param_faults
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Job, Task, Workflow

DEFAULT_POOL: Final = "default"


def remarks(
    workflow: Workflow, jobs: Mapping[str, Job], pools: Collection[str] | None, domains: Mapping[str, str | None]
) -> Iterator[KeyFault]:
    """What can be stored and is hardly meant: tasks that no run reaches, windows on holidays, pools that nobody has."""
    for key, one, other in unreachable(workflow):
        yield ("tasks", key), f"can never run: {one} and {other} above it cannot both hold"
    if workflow.saga and not any(compensation_of(task, jobs) or task.workflow for task in workflow.tasks):
        yield ("saga",), "undoes nothing: no task has a compensation (`@job.compensation`, or `compensate: JOB`)"
    for name, schedule in workflow.named_schedules.items():
        if schedule.window and schedule.cron and workflow.calendar and not schedule.calendar:
            path = ("schedules", name) if name in workflow.schedules else ("schedule",)
            what = f"fires on holidays as well: `calendar: {workflow.calendar}` beside `window` keeps it to sessions"
            yield (*path, "window"), what
    for task in workflow.tasks:
        if task.workflow or task.only_waits:
            continue
        job = jobs.get(task.job)
        of_job = (job and job.settings.pool) or domains.get(workflow.domain) or DEFAULT_POOL
        pool = task.settings.pool or workflow.defaults.pool or of_job
        if pools is not None and pool not in pools:
            yield ("tasks", task.key), f"waits until some daemon has pool {pool}; known are {', '.join(sorted(pools))}"


def compensation_of(task: Task, jobs: Mapping[str, Job]) -> str:
    """The job that undoes a task; empty where there is none."""
    job = jobs.get(task.job)
    return task.compensate or (job.compensation if job else "")


def unknown_jobs(task: Any, path: KeyPath, jobs: Mapping[str, Job]) -> Iterator[KeyFault]:
    """The jobs that a task, or what tasks are made of, names and nobody knows. `path`: of the task in its document."""
    for key in ("job", "compensate"):
        if isinstance(name := _mapping(task).get(key), str) and name not in jobs:
            yield (*path, key), f"no job {name!r} is known{did_you_mean(name, jobs)}"


def faults(data: Mapping[str, Any], jobs: Mapping[str, Job]) -> Iterator[KeyFault]:
    """Every task whose job is unknown, or whose params the job cannot take. Other faults are left to the reader."""
    for key, task in _mapping(data.get("tasks")).items():
        yield from unknown_jobs(task, ("tasks", key), jobs)
        name = _mapping(task).get("job")
        if not isinstance(name, str) or name not in jobs:
            continue
        for path, fault in param_faults(
            f"job {name}", jobs[name].params_schema, task.get("params"), data.get("params")
        ):
            yield ("tasks", key, *path), fault


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}

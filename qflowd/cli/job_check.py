"""Faults of a workflow file that only show when its jobs are known: names, and params that do not fit."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from qflowd.define.branches import unreachable
from qflowd.define.documents import Document
from qflowd.define.expressions import compile_value
from qflowd.define.fields import did_you_mean
from qflowd.define.reading import KeyPath, dotted
from qflowd.define.schema import Schema
from qflowd.model.errors import Fault, InvalidExpression
from qflowd.model.workflow import Job, Workflow

DEFAULT_POOL: Final = "default"


def job_faults(document: Document, jobs: Mapping[str, Job]) -> list[Fault]:
    """Every task whose job is unknown, or whose params the job cannot take. Other faults are left to the reader."""
    tasks = document.data.get("tasks")
    faults: list[Fault] = []
    for key, task in (tasks if isinstance(tasks, dict) else {}).items():
        if not isinstance(task, dict) or not isinstance(task.get("job"), str):
            continue
        path: KeyPath = ("tasks", key)
        job = jobs.get(task["job"])
        if job is None:
            message = f"no job {task['job']!r} is known{did_you_mean(task['job'], jobs)}"
            faults.append(_fault(document, (*path, "job"), message))
        else:
            faults += [_fault(document, where, message) for where, message in _params(document, path, task, job)]
    return faults


def warnings(
    document: Document, workflow: Workflow, jobs: Mapping[str, Job], pools: Collection[str] | None
) -> list[Fault]:
    """What can be stored and will not run: tasks that no run reaches, and pools that neither a daemon nor this host has."""
    found = [
        _fault(document, ("tasks", key), f"can never run: {one} and {other} above it cannot both hold")
        for key, one, other in unreachable(workflow)
    ]
    for task in workflow.tasks:
        job = jobs.get(task.job)
        pool = task.settings.pool or workflow.defaults.pool or (job and job.settings.pool) or DEFAULT_POOL
        if pools is not None and pool not in pools:
            message = f"waits until some daemon has pool {pool}; known are {', '.join(sorted(pools))}"
            found.append(_fault(document, ("tasks", task.key), message))
    return found


def _params(document: Document, path: KeyPath, task: dict[str, Any], job: Job) -> Iterator[tuple[KeyPath, str]]:
    given, schema = task.get("params"), job.params_schema
    properties = schema.get("properties", {})
    required = set(schema.get("required", []))
    if given is None:
        # The job takes the workflow's params of the same names.
        declared = document.data.get("params")
        if isinstance(declared, dict) and (missing := sorted(required - declared.keys())):
            yield path, f"job {job.name} needs {', '.join(missing)}, and the workflow has no such param"
        return
    if not isinstance(given, dict):
        return
    if missing := sorted(required - given.keys()):
        yield (*path, "params"), f"job {job.name} also needs {', '.join(missing)}"
    for name, value in given.items():
        if name in properties:
            yield from (
                ((*path, "params", name), message) for message in _value_faults(properties[name], schema, value)
            )
        elif schema.get("additionalProperties") is False:
            yield (*path, "params", name), f"job {job.name} has no param {name!r}{did_you_mean(name, properties)}"


def _value_faults(schema: Any, whole: Mapping[str, Any], value: Any) -> list[str]:
    """Faults of a value without expressions."""
    try:
        if not compile_value(value).is_constant or not isinstance(schema, dict):
            return []
        definitions = {"$defs": whole["$defs"]} if "$defs" in whole else {}
        judge = Schema({**definitions, **schema})
    except (InvalidExpression, ValueError):
        return []
    return judge.faults(judge.coerce(value))


def _fault(document: Document, path: KeyPath, message: str) -> Fault:
    return Fault(document.file, document.line(path), dotted(path), message)

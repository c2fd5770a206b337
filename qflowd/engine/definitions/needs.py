"""What the tasks of a version name, and which of their params do not fit: of this the view `workflows` makes its warnings.

Params are judged when a version is stored or activated, and again when another schema of a job is registered.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from qflowd.define import stored
from qflowd.define.key_paths import dotted
from qflowd.define.param_faults import param_faults
from qflowd.define.waits import awaited_workflow
from qflowd.engine.refusal import why_no_such_job
from qflowd.model import jsontext
from qflowd.model.errors import InvalidWorkflow
from qflowd.model.workflow import Json, Workflow
from qflowd.store.tx import Tx

LONGEST_FAULT: Final = 300  # characters


def needs_of(tx: Tx, workflow: Workflow) -> list[tuple[str, str, str | None]]:
    """Rows of `insert_needs`: the jobs and workflows that tasks name, each once, and what a job cannot take."""
    jobs = {job for task in workflow.tasks for job in (task.job, task.compensate) if job}
    named = {name for task in workflow.tasks for name in (task.workflow, awaited_workflow(task.wait_for)) if name}
    rows: list[tuple[str, str, str | None]] = [
        ("job", job, _first_fault(workflow, job, _schema(tx, job))) for job in sorted(jobs)
    ]
    return rows + [("workflow", key, None) for key in sorted(named)]


def warnings_of(tx: Tx, workflow: Workflow, tenant: str) -> list[str]:
    """What the view `workflows` would warn of: jobs and workflows that nobody has, and params that a job cannot take."""
    warnings = []
    for kind, name, problem in needs_of(tx, workflow):
        if kind == "job" and _schema(tx, name) is None:
            warnings.append(why_no_such_job(tx, name, "`qflowd jobs` lists those there are"))
        elif kind == "workflow":
            found = tx.one("find_definition", tenant=tenant, workflow=name)
            if found is None:
                warnings.append(f"there is no workflow {name!r}")
            elif found.archived_at is not None:
                warnings.append(f"workflow {name!r} is archived")
        elif problem is not None:
            warnings.append(problem)
    return warnings


def judge_version(tx: Tx, version_id: int) -> None:
    """Judge the params of a stored version again."""
    rows = tx.run("list_needs", version_id=version_id)
    _judge(tx, version_id, {row.name: _schema(tx, row.name) for row in rows})


def judge_users(tx: Tx, schemas: Mapping[str, Mapping[str, Json]]) -> None:
    """Judge the active versions that name these jobs, whose params have another schema from now on."""
    if not schemas:
        return
    users: dict[int, dict[str, Mapping[str, Json]]] = {}
    for row in tx.run("list_users_of_jobs", rows=[(name,) for name in sorted(schemas)]):
        users.setdefault(row.version_id, {})[row.name] = schemas[row.name]
    for version_id, those in users.items():
        _judge(tx, version_id, those)


def _judge(tx: Tx, version_id: int, schemas: Mapping[str, Mapping[str, Json] | None]) -> None:
    row = tx.one("load_version", id=version_id)
    try:
        workflow = stored.read(row.document, row.workflow)
    except InvalidWorkflow:  # a newer release has stored it, and judges it
        return
    for job, schema in sorted(schemas.items()):
        tx.run("set_problem", version_id=version_id, job=job, problem=_first_fault(workflow, job, schema))


def _schema(tx: Tx, job: str) -> Mapping[str, Json] | None:
    """Of the params of a job, as a daemon registered it last."""
    row = tx.one("find_job", name=job)
    return None if row is None else json.loads(row.params_schema)


def _first_fault(workflow: Workflow, job: str, schema: Mapping[str, Any] | None) -> str | None:
    """What the first fault is, and how many more there are; None if there is none, or the job is unknown."""
    faults = [] if schema is None else list(_faults(workflow, job, schema))
    if not faults:
        return None
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return jsontext.clean_text(faults[0][:LONGEST_FAULT]) + more


def _faults(workflow: Workflow, job: str, schema: Mapping[str, Any]) -> Iterator[str]:
    for task in workflow.tasks:
        if task.job == job:
            for path, message in param_faults(f"job {job}", schema, task.params, workflow.params):
                yield f"{dotted(('tasks', task.key, *path))}: {message}"

"""What the database holds, read back: versions of workflows, and jobs.

What `writing.dump` made of a workflow passed every check then and is read without them: in a tenth of the time of a file,
for a version is read by every daemon that meets it for the first time.
"""

import json
from collections.abc import Mapping
from typing import Final

import msgspec

from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.settings import SETTINGS
from qflowd.define.workflow_file import read_catchup, read_edges, read_settings
from qflowd.define.writing import dump
from qflowd.model.durations import parse_duration
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Job, Json, Schedule, Settings, Task, Workflow

# Settings that are written as texts with a unit; the others are read as they are.
_READ: Final = {name: SETTINGS[name] for name in ("timeout", "retry_delay", "retry_max_delay", "memory")}
_NO_SETTINGS: Final = Settings()


def write(workflow: Workflow) -> str:
    """The JSON document of a workflow that has passed its checks; tasks stay in their order."""
    return json.dumps(dump(workflow), ensure_ascii=False, separators=(",", ":"))


def read(text: str, name: str) -> Workflow:
    """The workflow that `write` wrote; `name` names the version in the error.

    Raises: InvalidWorkflow if it holds what this release does not know: a newer one has stored it.
    """
    try:
        document = msgspec.json.decode(text)
        return Workflow(
            key=document.pop("workflow"),
            tasks=tuple([_task(key, task) for key, task in document.pop("tasks").items()]),
            tags=tuple(document.pop("tags", ())),
            defaults=_settings(document.pop("defaults", {})),
            schedule=_schedule(document.pop("schedule", None)),
            timeout=parse_duration(document.pop("timeout")) if "timeout" in document else None,
            **document,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        message = f"cannot be read by this release of qflowd, was it stored by a newer one? ({problem})"
        raise InvalidWorkflow([Fault(name, 0, "", message)]) from problem


def registered_job(
    name: str, file: str, code_hash: str, params_schema: Mapping[str, Json], settings: dict[str, Json]
) -> Job:
    """The job as a daemon has registered it. Settings that only a newer release knows are left out."""
    readable = read_settings(Fields.of(Document(settings)))
    return Job(name=name, module="", file=file, hash=code_hash, params_schema=params_schema, settings=readable)


def _task(key: str, document: dict[str, Json]) -> Task:
    job, title = document.pop("job"), document.pop("title", "")
    after, params = document.pop("after", ()), document.pop("params", None)
    return Task(key, job, title, tuple(read_edges(after)) if after else (), params, _settings(document))


def _settings(document: dict[str, Json]) -> Settings:
    if not document:
        return _NO_SETTINGS
    return Settings(**{name: _READ[name](value) if name in _READ else value for name, value in document.items()})


def _schedule(document: dict[str, Json] | None) -> Schedule | None:
    if document is None:
        return None
    catchup, limit = read_catchup(document.pop("catchup", "none"))
    return Schedule(catchup=catchup, catchup_limit=limit, **document)

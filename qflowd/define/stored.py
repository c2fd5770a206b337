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
from qflowd.define.workflow_file import read_settings
from qflowd.define.writing import dump
from qflowd.model.durations import parse_duration
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Edge, Job, Json, Schedule, Settings, Task, Workflow

# Settings that are written as texts with a unit; the others are read as they are.
_READ: Final = {name: SETTINGS[name] for name in ("timeout", "retry_delay", "retry_max_delay", "memory")}
_NOTHING_SAID: Final = Settings()


def write(workflow: Workflow) -> str:
    """The JSON document of a workflow that has passed its checks; tasks stay in their order."""
    return json.dumps(dump(workflow), ensure_ascii=False, separators=(",", ":"))


def read(text: str, name: str) -> Workflow:
    """The workflow that `write` wrote; `name` names the version in the error.

    Raises: InvalidWorkflow if it holds what this release does not know: a newer one has stored it.
    """
    try:
        said = msgspec.json.decode(text)
        return Workflow(
            key=said.pop("workflow"),
            tasks=tuple([_task(key, task) for key, task in said.pop("tasks").items()]),
            tags=tuple(said.pop("tags", ())),
            defaults=_settings(said.pop("defaults", {})),
            schedule=_schedule(said.pop("schedule", None)),
            timeout=parse_duration(said.pop("timeout")) if "timeout" in said else None,
            **said,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as problem:
        message = f"cannot be read by this release of qflowd, was it stored by a newer one? ({problem})"
        raise InvalidWorkflow([Fault(name, 0, "", message)]) from problem


def registered_job(
    name: str, file: str, code_hash: str, params_schema: Mapping[str, Json], settings: dict[str, Json]
) -> Job:
    """The job as a daemon has registered it. Settings that only a newer release knows are left out."""
    known = read_settings(Fields.of(Document(settings)))
    return Job(name=name, module="", file=file, hash=code_hash, params_schema=params_schema, settings=known)


def _task(key: str, said: dict[str, Json]) -> Task:
    job, title = said.pop("job"), said.pop("title", "")
    after, params = said.pop("after", ()), said.pop("params", None)
    return Task(key, job, title, _edges(after) if after else (), params, _settings(said))


def _edges(after: Json) -> tuple[Edge, ...]:
    if isinstance(after, str):
        return (Edge(after),)
    if isinstance(after, dict):
        return tuple([Edge(parent, None if condition is True else condition) for parent, condition in after.items()])
    return tuple([Edge(parent) for parent in after])


def _settings(said: dict[str, Json]) -> Settings:
    if not said:
        return _NOTHING_SAID
    return Settings(**{name: _READ[name](value) if name in _READ else value for name, value in said.items()})


def _schedule(said: dict[str, Json] | None) -> Schedule | None:
    if said is None:
        return None
    catchup = said.pop("catchup", "none")
    if catchup.startswith("all("):
        return Schedule(catchup="all", catchup_limit=int(catchup[4:-1]), **said)
    return Schedule(catchup=catchup, **said)

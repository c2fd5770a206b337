"""What the database holds, read back: versions of workflows, and jobs.

A version passed every check before it was stored and is read without them: in a fraction of the time of a file, for it is
read by every daemon that meets it for the first time.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from qflowd.define.documents import Document
from qflowd.define.fields import Fields
from qflowd.define.settings import read_settings
from qflowd.define.workflow_file import parse
from qflowd.model.errors import Fault, InvalidWorkflow
from qflowd.model.workflow import Job, Json, Workflow

LARGEST: Final = 10_000_000  # bytes of a version: ten times of a file


def write(workflow: Workflow) -> str:
    """The stored form of a workflow that has passed its checks; tasks stay in their order.

    Raises: InvalidWorkflow if it is too large, as one may be whose text used aliases.
    """
    text = msgspec.json.encode(workflow)
    if len(text) > LARGEST:
        message = f"is too large: {len(text):,} bytes once it is stored; at most {LARGEST:,} are allowed"
        raise InvalidWorkflow([Fault(workflow.key, 0, "", message)])
    return text.decode()


def read(text: str, name: str) -> Workflow:
    """The workflow that `write` wrote; `name` names the version in the error.

    Raises: InvalidWorkflow if it is a draft with faults, or holds what this release does not know: a newer one has stored it.
    """
    if not text:
        raise InvalidWorkflow([Fault(name, 0, "", "is a draft with faults: correct them first")])
    try:
        if text.startswith('{"workflow":'):
            return parse(text, "json", name)  # stored by an earlier release, which wrote it as a file
        return msgspec.json.decode(text, type=Workflow)
    except (msgspec.DecodeError, InvalidWorkflow) as error:
        message = f"cannot be read by this release of qflowd, was it stored by a newer one? ({error})"
        raise InvalidWorkflow([Fault(name, 0, "", message)]) from error


def registered_job(
    name: str, file: str, code_hash: str, params_schema: Mapping[str, Json], settings: dict[str, Json]
) -> Job:
    """The job as a daemon has registered it. Settings that only a newer release knows are left out."""
    readable = read_settings(Fields.of(Document(settings)))
    about = {"params_schema": params_schema, "settings": readable, "compensation": settings.get("compensation", "")}
    return Job(name=name, module="", file=file, hash=code_hash, **about)

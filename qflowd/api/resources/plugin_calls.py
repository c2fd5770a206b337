"""Plugins called over HTTP: a job is run by itself, and its output is the answer if it is there in time."""

from typing import Any

from qflowd.api.access.authorization import refuse_unlisted
from qflowd.api.answers import ApiAnswer, ApiFault, Awaited, AwaitedRow, Item, Wait
from qflowd.api.call import Call
from qflowd.api.inbox.inboxes import submission_row, submit
from qflowd.api.inbox.outcomes import (
    NEW,
    REJECTIONS,
    location,
    longest_s,
    read_submission,
    refuse_rejected,
    why_not_yet,
    written,
)
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.ids import task_id
from qflowd.model.roles import Role

UNKNOWN_JOB = 42204  # in a submission; here the path names it


class PluginCall(Body, kw_only=True):
    """`params` of the job by name; `data`, where there is any, is the one called data."""

    data: Any = None
    params: dict[str, Any] | None = None


class PluginAnswer(Item):
    """The run of a job: `state` is NEW or RUNNING while it lasts, then SUCCESS, FAILED or TERMINATED."""

    submission_id: int
    instance_id: int | None
    task_id: str | None
    state: str
    output: Any = None
    error: str | None = None


@route("POST", "/plugins/{name}", Role.OPERATE, errors=REJECTIONS, does="submission of a job")
def call_plugin(call: Call, name: str, body: PluginCall) -> Wait | PluginAnswer:
    """Run a job. Its output if it ends in time, else 202 and where to look."""
    refuse_unlisted(call, job=name)
    params = dict(body.params or {})
    if body.data is not None:
        if "data" in params:
            raise ApiFault(42202, "params.data: is there twice; give it as data, or among the params")
        params["data"] = body.data
    number = submit(call, submission_row(call, job=name, params=params))

    def read() -> PluginAnswer:
        return _read(call, number)

    def say() -> PluginAnswer | None:
        found = read()
        return None if found.state in (NEW, "READY", "RUNNING", "PAUSED") else found

    def otherwise() -> Any:
        found = read()
        where = f"submissions/{number}" if found.task_id is None else f"tasks/{found.task_id}"
        message = why_not_yet(call) if found.state == NEW else "it runs"
        return say() or ApiAnswer(found, 202, message, location(call, where))

    unread = written(call, f"submissions/{number}", PluginAnswer(number, None, None, NEW))
    return Wait(say, otherwise, longest_s(call), AwaitedRow(Awaited.RUN, number, call.tenant), unread)


def _read(call: Call, number: int) -> PluginAnswer:
    """Raises: ApiFault of the engine's reason if it was rejected; 40401 where there is no such job."""
    found = read_submission(call, number)
    code = 40401 if found.error_code == UNKNOWN_JOB else found.error_code
    refuse_rejected(found.state, found.error, code)
    if found.instance_id is None:
        return PluginAnswer(submission_id=number, instance_id=None, task_id=None, state=found.state)
    instance = call.one("show_state", id=found.instance_id)
    is_over = instance is not None and instance.state == "SUCCESS"
    return PluginAnswer(
        submission_id=number,
        instance_id=found.instance_id,
        task_id=str(task_id(found.instance_id, 0)),
        state=found.state if instance is None else instance.state,
        output=call.client.instance(found.instance_id).output() if is_over else None,
        error=None if instance is None else instance.error,
    )

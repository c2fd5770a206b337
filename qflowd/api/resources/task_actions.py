"""What people do to one task of an instance, and to failures."""

from typing import Annotated, Final, Literal

import msgspec

from qflowd.api.access.authorization import bounded_filter, check_tasks, refuse_filter
from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody, task_number
from qflowd.api.inbox.inboxes import ask_all, command_row
from qflowd.api.inbox.outcomes import REFUSALS, CommandList, CommandResult, all_asked, asked
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role

MOST_TASKS: Final = 500


class SkipBody(Body):
    """Why the task is not run."""

    reason: str


class HandleBody(Body):
    """What became of a failure; both are kept with it."""

    note: str
    resolution: Literal["fixed", "ignored"] = "fixed"


class FailureGroup(Body):
    """Failures that are alike. Patterns with * and ?."""

    workflow: str | None = None
    task: str | None = None
    error_class: str | None = None
    since: str | None = None


class HandleMany(HandleBody):
    """`tasks`: ids; or `group`: all failures that are alike."""

    tasks: Annotated[list[int | str], msgspec.Meta(min_length=1, max_length=MOST_TASKS)] | None = None
    group: FailureGroup | None = None


@route("POST", "/tasks/{id}/retry", Role.OPERATE, errors=REFUSALS, does="command retry")
def retry_task(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Run a task again that failed or was cancelled, and what waits for it."""
    return _do(call, id, "retry", body.reason)


@route("POST", "/tasks/{id}/terminate", Role.OPERATE, errors=REFUSALS, does="command terminate")
def terminate_task(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Stop a task that is being run: its worker is killed, and it ends CANCELLED."""
    return _do(call, id, "terminate", body.reason)


@route("POST", "/tasks/{id}/skip", Role.OPERATE, errors=REFUSALS, does="command skip")
def skip_task(call: Call, id: int, body: SkipBody) -> CommandResult:
    """Let the instance continue without a task."""
    return _do(call, id, "skip", body.reason)


@route("POST", "/failures/{task}/handle", Role.OPERATE, errors=REFUSALS, does="command handle")
def handle_failure(call: Call, task: int, body: HandleBody) -> CommandResult:
    """Say of a failure that it is taken care of."""
    return _do(call, task, "handle", _note(body))


@route("POST", "/failures/handle", Role.OPERATE, errors=(*REFUSALS, 40401), does="command handle")
def handle_failures(call: Call, body: HandleMany) -> CommandResult | CommandList:
    """Say of many failures that they are taken care of: by the ids of their tasks, or all that are alike."""
    if (body.tasks is None) == (body.group is None):
        raise ApiFault(42202, "name either tasks or a group")
    if body.group is not None:
        where = {name: value for name, value in msgspec.structs.asdict(body.group).items() if value is not None}
        if not where:
            raise ApiFault(42202, "group: is empty, which would be every failure")
        where = dict(bounded_filter(call, where))
        refuse_filter(call, where)
        return asked(call, "handle", path="batches", filter=where, reason=_note(body))
    numbers = sorted({task_number("tasks", task) for task in body.tasks or ()})
    check_tasks(call, numbers)
    rows = [command_row(call, "handle", task_id=number, reason=_note(body)) for number in numbers]
    return all_asked(call, ask_all(call, rows))


def _do(call: Call, number: int, action: str, reason: str | None) -> CommandResult:
    check_tasks(call, [number])
    return asked(call, action, task_id=number, reason=reason)


def _note(body: HandleBody) -> str:
    return f"{body.resolution}: {body.note}"

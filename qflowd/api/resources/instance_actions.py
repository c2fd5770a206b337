"""What people do to one instance. Each is a command of the same name, and is answered when the engine has done it."""

from typing import Annotated, Any, Final

import msgspec

from qflowd.api.access.authorization import check_instance
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role

MOST_TASKS: Final = 1000


class RetryBody(Body):
    """`tasks`: keys of those to be retried; none: all that failed."""

    tasks: Annotated[list[str], msgspec.Meta(min_length=1, max_length=MOST_TASKS)] | None = None
    reason: str | None = None


class PriorityBody(Body):
    """Greater is sooner."""

    priority: Annotated[int, msgspec.Meta(ge=-1000, le=1000)]
    reason: str | None = None


class RerunBody(Body):
    """`from`: the task that is run again, with all behind it; `set`: its params that change."""

    from_: str
    set: dict[str, Any] | None = None
    reason: str | None = None
    dry_run: bool = False


@route("POST", "/instances/{id}/start", Role.SUBMIT, errors=REFUSALS, does="command start")
def start_instance(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Start an instance that was made with hold."""
    return _do(call, id, "start", reason=body.reason)


@route("POST", "/instances/{id}/pause", Role.OPERATE, errors=REFUSALS, does="command pause")
def pause_instance(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Let nothing more of an instance begin; what runs ends."""
    return _do(call, id, "pause", reason=body.reason)


@route("POST", "/instances/{id}/resume", Role.OPERATE, errors=REFUSALS, does="command resume")
def resume_instance(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Let a paused instance continue."""
    return _do(call, id, "resume", reason=body.reason)


@route("POST", "/instances/{id}/terminate", Role.OPERATE, errors=REFUSALS, does="command terminate")
def terminate_instance(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Stop an instance: what runs is killed, what has not started is cancelled."""
    return _do(call, id, "terminate", reason=body.reason)


@route("POST", "/instances/{id}/compensate", Role.OPERATE, errors=REFUSALS, does="command compensate")
def compensate_instance(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Undo what the tasks of an ended instance did."""
    return _do(call, id, "compensate", reason=body.reason)


@route("POST", "/instances/{id}/retry", Role.OPERATE, errors=REFUSALS, does="command retry")
def retry_instance(call: Call, id: int, body: RetryBody) -> CommandResult:
    """Run the failed tasks of an instance again, or those that are named, and what waits for them."""
    return _do(call, id, "retry", args={"tasks": body.tasks} if body.tasks else None, reason=body.reason)


@route("POST", "/instances/{id}/priority", Role.OPERATE, errors=REFUSALS, does="command priority")
def set_instance_priority(call: Call, id: int, body: PriorityBody) -> CommandResult:
    """Let what has not begun of an instance be claimed sooner, or later."""
    return _do(call, id, "priority", args={"priority": body.priority}, reason=body.reason)


@route("POST", "/instances/{id}/rerun", Role.OPERATE, errors=REFUSALS, does="command rerun")
def rerun_instance(call: Call, id: int, body: RerunBody) -> CommandResult:
    """Run one task again and all behind it; a dry run tells what that would be."""
    args: dict[str, Any] = {"set": body.set} if body.set else {}
    if body.dry_run:
        args["dry_run"] = True
    return _do(call, id, "rerun", task=body.from_, args=args, reason=body.reason)


def _do(call: Call, number: int, action: str, **columns: Any) -> CommandResult:
    check_instance(call, number)
    return asked(call, action, instance_id=number, **columns)

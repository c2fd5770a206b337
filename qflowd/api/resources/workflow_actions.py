"""What people do to a workflow, or to one task of it."""

from typing import Any

from qflowd.api.access.authorization import check_instance, one_workflow, refuse_older
from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role


class PauseBody(Body):
    """Why. What runs ends: `finish` is the only way there is."""

    reason: str | None = None
    running: str = "finish"


class RetryWorkflow(Body):
    """`all`: every failed instance; `since`: those that were created since then; neither: the newest one that failed."""

    all: bool = False
    since: str | None = None
    reason: str | None = None


class OfNode(Body):
    """`instance_id`: in this instance alone; without: in the workflow."""

    instance_id: int | None = None
    reason: str | None = None


@route("POST", "/workflows/{id}/pause", Role.OPERATE, errors=REFUSALS, does="command pause")
def pause_workflow(call: Call, id: str, body: PauseBody) -> CommandResult:
    """Let the schedule and all open instances of a workflow stand still."""
    if body.running != "finish":
        raise ApiFault(42202, f"running: there is only 'finish', not {body.running!r}; stop terminates what runs")
    return _do(call, id, "pause", reason=body.reason)


@route("POST", "/workflows/{id}/resume", Role.OPERATE, errors=REFUSALS, does="command resume")
def resume_workflow(call: Call, id: str, body: ReasonBody) -> CommandResult:
    """Let a paused workflow continue, with the instances that were paused with it."""
    return _do(call, id, "resume", reason=body.reason)


@route("POST", "/workflows/{id}/stop", Role.OPERATE, errors=REFUSALS, does="command stop")
def stop_workflow(call: Call, id: str, body: ReasonBody) -> CommandResult:
    """Terminate all open instances of a workflow; a batch."""
    return _do(call, id, "stop", reason=body.reason)


@route("POST", "/workflows/{id}/retry", Role.OPERATE, errors=REFUSALS, does="command retry")
def retry_workflow(call: Call, id: str, body: RetryWorkflow) -> CommandResult:
    """Retry the newest failed instance of a workflow, or all, or those since a time; many are a batch."""
    workflow = one_workflow(call, id)
    if body.all and body.since is not None:
        raise ApiFault(42202, "since: say either all or since")
    if body.all or body.since is not None:
        refuse_older(call)
    if body.all:
        return asked(call, "retry", path="batches", workflow=workflow.workflow, reason=body.reason)
    if body.since is not None:
        where = {"workflow": workflow.workflow, "state": "FAILED", "since": body.since}
        return asked(call, "retry", path="batches", filter=where, reason=body.reason)
    newest = call.one("find_newest_failed", definition_id=workflow.id).id
    if newest is None:
        raise ApiFault(40901, f"workflow {workflow.workflow!r} has no failed instance to retry")
    check_instance(call, int(newest))
    return asked(call, "retry", instance_id=int(newest), reason=body.reason)


@route("POST", "/workflows/{id}/nodes/{node}/trigger", Role.OPERATE, errors=REFUSALS, does="command trigger")
def trigger_node(call: Call, id: str, node: str, body: OfNode) -> CommandResult:
    """Run one task of a workflow alone in a new instance; of an instance: now, whatever time it waits for."""
    return _do_node(call, id, node, "trigger", body)


@route("POST", "/workflows/{id}/nodes/{node}/retry", Role.OPERATE, errors=REFUSALS, does="command retry")
def retry_node(call: Call, id: str, node: str, body: OfNode) -> CommandResult:
    """Retry one task in all failed instances of a workflow, or in one."""
    return _do_node(call, id, node, "retry", body)


@route("POST", "/workflows/{id}/nodes/{node}/pause", Role.OPERATE, errors=REFUSALS, does="command pause")
def pause_node(call: Call, id: str, node: str, body: OfNode) -> CommandResult:
    """Let one task not begin, in all instances of a workflow or in one."""
    return _do_node(call, id, node, "pause", body)


@route("POST", "/workflows/{id}/nodes/{node}/resume", Role.OPERATE, errors=REFUSALS, does="command resume")
def resume_node(call: Call, id: str, node: str, body: OfNode) -> CommandResult:
    """Let one paused task continue, in all instances of a workflow or in one."""
    return _do_node(call, id, node, "resume", body)


def _do(call: Call, name: str, action: str, **columns: Any) -> CommandResult:
    return asked(call, action, path="batches", workflow=one_workflow(call, name).workflow, **columns)


def _do_node(call: Call, name: str, node: str, action: str, body: OfNode) -> CommandResult:
    workflow = one_workflow(call, name).workflow
    columns: dict[str, Any] = {"workflow": workflow, "task": node, "reason": body.reason}
    if body.instance_id is not None:
        check_instance(call, body.instance_id)
    elif action == "retry":
        refuse_older(call)
    return asked(call, action, instance_id=body.instance_id, **columns)

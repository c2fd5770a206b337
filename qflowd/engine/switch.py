"""Switch: enable and disable the schedules of a workflow. The override stays until the workflow's file changes them."""

from typing import Any

from qflowd.engine.control import CarriedOut, Command, Means, NotPossible, one_workflow, verb
from qflowd.engine.schedules import reset_next_fire
from qflowd.store.tx import Tx

NO_SCHEDULE = "workflow {workflow!r} has no schedule; give it one in its file"


@verb("enable", needs=one_workflow, not_possible=NO_SCHEDULE)
def enable(tx: Tx, command: Command, workflow: Any, _: Means) -> CarriedOut:
    """Let a workflow fire by itself again, from now on: instants that passed meanwhile are not caught up."""
    _override(tx, command, workflow, enabled=1)
    reset_next_fire(tx, workflow.id, tx.now)
    return CarriedOut({"workflow": command.workflow, "enabled": True}, ("schedule",))


@verb("disable", needs=one_workflow, not_possible=NO_SCHEDULE)
def disable(tx: Tx, command: Command, workflow: Any, _: Means) -> CarriedOut:
    """Let a workflow fire no more by itself; it can still be submitted."""
    _override(tx, command, workflow, enabled=0)
    return CarriedOut({"workflow": command.workflow, "enabled": False}, ("schedule",))


def _override(tx: Tx, command: Command, workflow: Any, *, enabled: int) -> None:
    if not tx.count("override_schedules", definition_id=workflow.id, enabled=enabled):
        raise NotPossible(workflow=command.workflow)

"""Switch: enable and disable the schedules of a workflow. The override stays until the workflow's file changes them."""

from qflowd.engine.control import Command, Done
from qflowd.engine.request import Refused
from qflowd.engine.schedule import reset_next_fire
from qflowd.store.tx import Tx


def enable(tx: Tx, command: Command) -> Done:
    """Let a workflow fire by itself again, from now on: instants that passed meanwhile are not caught up.

    Raises: Refused if there is no such workflow, or it has no schedule.
    """
    definition_id = _override(tx, command, enabled=1)
    reset_next_fire(tx, definition_id, tx.now)
    return Done({"workflow": command.workflow, "enabled": True}, ("schedule",))


def disable(tx: Tx, command: Command) -> Done:
    """Let a workflow fire no more by itself; it can still be submitted.

    Raises: Refused if there is no such workflow, or it has no schedule.
    """
    _override(tx, command, enabled=0)
    return Done({"workflow": command.workflow, "enabled": False}, ("schedule",))


def _override(tx: Tx, command: Command, *, enabled: int) -> int:
    if not command.workflow:
        raise Refused(f"{command.action} needs a workflow")
    found = tx.one("find_workflow", tenant=command.tenant, workflow=command.workflow)
    if found is None:
        raise Refused(f"there is no workflow {command.workflow!r}; `qflowd workflows` lists those there are")
    if not tx.count("override_schedules", definition_id=found.id, enabled=enabled):
        raise Refused(f"workflow {command.workflow!r} has no schedule; give it one in its file")
    return int(found.id)

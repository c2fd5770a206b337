"""Archiving a workflow: it takes no submissions, fires no more and is left out of lists; what it did, and what runs, stays."""

from typing import Any

from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, verb
from qflowd.engine.definitions.stored_schedules import reset_next_fire
from qflowd.engine.definitions.versions import lock_workflow
from qflowd.engine.definitions.workflow_quota import lock_room, refuse_full
from qflowd.store.tx import Tx


@verb("archive", needs=lock_workflow, not_possible="workflow {workflow!r} is already archived")
def archive(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Refuse new instances from now on, whatever its file says. Open ones run to their end: `open_instances` counts them.

    `workflows`: those with tasks that start it or wait for it, which will fail.

    Raises: NotPossible if that was done before.
    """
    if definition.archived_at is not None:
        raise NotPossible(workflow=command.workflow)
    tx.run("set_archived", id=definition.id, archived_at=tx.now, note=command.reason, now=tx.now)
    open_instances = tx.one("count_open_instances", definition_id=definition.id).instances
    users = tx.run("list_users_of_workflow", tenant=command.tenant, workflow=command.workflow)
    answer = {"open_instances": open_instances, "workflows": [row.workflow for row in users]}
    return Reply({"workflow": command.workflow, **answer}, ("schedule",))


def _lock(tx: Tx, command: Command) -> Any:
    """As `lock_workflow`, after its tenant, which must come first."""
    lock_room(tx, command.tenant)
    return lock_workflow(tx, command)


@verb("unarchive", needs=_lock, not_possible="workflow {workflow!r} is not archived")
def unarchive(tx: Tx, command: Command, definition: Any, _: Caches) -> Reply:
    """Take submissions again, and fire from now on: instants that passed meanwhile are not caught up.

    Raises: NotPossible if it is not archived; OverQuota.
    """
    if definition.archived_at is None:
        raise NotPossible(workflow=command.workflow)
    refuse_full(tx, command.tenant, str(command.workflow))
    tx.run("set_archived", id=definition.id, archived_at=None, note=None, now=tx.now)
    reset_next_fire(tx, definition.id, tx.now)
    return Reply({"workflow": command.workflow}, ("schedule",))


def why_archived(definition: Any, workflow: str) -> str | None:
    """Why a workflow (a row of `find_workflow`) takes no submissions; None if it is not archived."""
    if definition.archived_at is None:
        return None
    note = f" ({definition.archive_note})" if definition.archive_note else ""
    return (
        f"workflow {workflow!r} is archived since {definition.archived_at:%Y-%m-%d}{note}; "
        f"`qflowd workflows unarchive {workflow}` brings it back"
    )

"""Pause of a workflow: its schedule does not fire, its instances stand still, and those submitted meanwhile begin PAUSED.

`resume` lets the schedule fire from now on, without catching up, and resumes the instances that the pause of the workflow
has paused; one that a person paused separately stays paused.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from qflowd.engine.commands.bulk import WORKFLOW_VERBS, WorkflowVerb
from qflowd.engine.commands.control import Command, Reply
from qflowd.engine.definitions.stored_schedules import reset_next_fire
from qflowd.engine.plans.expand import Admission
from qflowd.engine.refusal import Refused
from qflowd.model.ids import key_range
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


def pause_workflow(tx: Tx, command: Command, workflow: Any) -> Reply:
    """Let a workflow stand still; `effect` says so. One that is already paused stays as it was paused first."""
    about: dict[str, Any] = {"paused_by": command.requested_by, "pause_reason": command.reason}
    if not tx.count("pause_definition", id=workflow.id, now=tx.now, **about):
        return Reply({"already": f"workflow {command.workflow!r} is already paused"})
    effect = f"workflow {command.workflow!r} {command.is_now} paused: its schedule does not fire, and new instances begin PAUSED"
    return Reply({"effect": effect}, ("schedule",))


def resume_workflow(tx: Tx, command: Command, workflow: Any) -> Reply:
    """Let a workflow continue.

    Raises: Refused if it is not paused.
    """
    if not tx.count("resume_definition", id=workflow.id):
        raise Refused(
            f"workflow {command.workflow!r} is not paused; `qflowd resume --where state=PAUSED --workflow "
            f"{command.workflow}` resumes instances of it that are"
        )
    reset_next_fire(tx, workflow.id, tx.now)
    effect = f"workflow {command.workflow!r} {command.is_now} resumed: its schedule fires from now on"
    return Reply({"effect": effect}, ("schedule", "turn"))


def begin_paused(tx: Tx, admissions: Sequence[Admission], paused: Mapping[int, Any]) -> None:
    """Instances that were just inserted, of workflows that are paused, begin PAUSED. `paused`: id -> its definition."""
    for admission in admissions:
        tx.run("hold_ready_tasks", **key_range(admission.request.id))
    for admission in admissions:
        number = admission.request.id
        definition = paused[number]
        about: dict[str, Any] = {"paused_by": definition.paused_by, "pause_reason": definition.pause_reason}
        tx.run("flag_pause", id=number, pause_scope=1, now=tx.now, **about)


WORKFLOW_VERBS["pause"] = WorkflowVerb("pause", frozenset({InstanceState.RUNNING}), pause_workflow)
WORKFLOW_VERBS["resume"] = WorkflowVerb("resume", frozenset({InstanceState.PAUSED}), resume_workflow)

"""Pause and resume: an instance stands still, and continues where it stood with the same version and params.

What runs continues to its end. What is ready becomes HELD: by the sweep, or by a claim that meets it later, when a task
before it has ended or its time has come. What a worker has been sent and has not begun comes back. While an instance is
paused its timeout does not run; that of its tasks does.
"""

from typing import Any

from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    one_instance,
    refuse_terminating,
    verb,
)
from qflowd.engine.commands.start import start_held
from qflowd.engine.finishing.timers import DEADLINE
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


@verb(
    "pause",
    needs=one_instance,
    takes_workflow=True,
    states=(InstanceState.RUNNING,),
    batch=100,
    not_possible="instance {id} is {state}; only one that is RUNNING can be paused",
)
def pause(tx: Tx, command: Command, target: Any, _: Caches) -> Reply:
    """Let nothing of an instance begin: flag it; the sweep follows. One that is paused stays as it was paused first.

    Raises: NotPossible if it has not begun or has ended; Refused if it is being terminated.
    """
    number = target.id
    about: dict[str, Any] = {"paused_by": command.requested_by, "pause_reason": command.reason}
    about["pause_scope"] = int(command.is_by_workflow)
    if not tx.count("flag_pause", id=number, now=tx.now, **about):
        instance = tx.one("lock_instance", id=number)
        refuse_terminating(instance)
        if instance.state != InstanceState.PAUSED:
            raise NotPossible(instance)
        return Reply({"instance_id": number, "already": f"instance {number} is already PAUSED"})
    return Reply({"instance_id": number, "state": InstanceState.PAUSED.name}, ("intent",))


@verb(
    "resume",
    needs=one_instance,
    takes_workflow=True,
    states=(InstanceState.READY, InstanceState.PAUSED),
    batch=100,
    not_possible="instance {id} is {state}; only one that is PAUSED, or was submitted with `hold` and has not begun, "
    "can be resumed",
)
def resume(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let a paused instance continue: flag it; the sweep follows. One that was submitted with `hold` starts.

    Raises: NotPossible if it is in another state; Refused if it is being terminated; LanesMissing.
    """
    number = target.id
    if target.state == InstanceState.READY:
        return start_held(tx, number, caches, command.begun)
    instance = tx.one("lock_instance", id=number)
    refuse_terminating(instance)
    if instance.state != InstanceState.PAUSED:
        raise NotPossible(instance)
    deadline_at = instance.deadline_at
    if deadline_at is not None:
        deadline_at += tx.now - instance.updated_at  # since when it is paused
        tx.run("insert_timers", rows=[(number * ORDINALS, DEADLINE, 0, deadline_at)])
    tx.run("flag_resume", id=number, deadline_at=deadline_at, now=tx.now)
    return Reply({"instance_id": number, "state": InstanceState.RUNNING.name}, ("intent", "timer"))


def hold_rows(tx: Tx, first: int, last: int) -> None:
    """Make the ready rows of a range of task ids HELD."""
    tx.run("hold_ready_tasks", first=first, last=last)


def end_pausing(tx: Tx, instance: Any) -> int:
    """The sweep is over if nothing is ready, or reserved: that may come back without having begun."""
    return _settle(tx, instance, tx.one("count_unheld", **key_range(instance.id)).tasks)


def free_rows(tx: Tx, first: int, last: int) -> None:
    """Make the HELD rows of a range of task ids ready again, but for those of tasks that are paused by themselves."""
    tx.run("free_held_tasks", instance_id=instance_of(first), first=first, last=last)


def end_resuming(tx: Tx, instance: Any) -> int:
    """The sweep is over if nothing is HELD."""
    left = tx.one("count_still_held", instance_id=instance.id, **key_range(instance.id)).tasks
    return _settle(tx, instance, left)


def _settle(tx: Tx, instance: Any, left: int) -> int:
    """Take the flag off if no rows are left. Returns how many are."""
    if not left:
        tx.run("clear_intent", id=instance.id)
    return left

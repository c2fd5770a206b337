"""Compensate: the command that undoes an instance which has ended, and `retry` where undoing it has failed."""

from typing import Any

from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    one_instance,
    remedy,
    standing,
    verb,
)
from qflowd.engine.concurrency.overlap import check_place, line_of
from qflowd.engine.finishing import close
from qflowd.engine.refusal import Refused
from qflowd.engine.sagas import compensations
from qflowd.engine.sagas.saga import undo_of
from qflowd.model.ids import key_range
from qflowd.model.states import InstanceState, SagaState, TaskState
from qflowd.store.tx import Tx

PART = 10_000  # rows written by one statement


@verb(
    "compensate",
    needs=one_instance,
    states=(InstanceState.SUCCESS, InstanceState.FAILED, InstanceState.TERMINATED),
    batch=1,
    not_possible="instance {id} is {state}; only one that has ended can be compensated, so terminate it first",
)
def compensate(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Have the tasks of an instance undone that has ended, however it ended.

    Raises: NotPossible if it has not ended; Refused if it has been compensated, or there is nothing to undo and no saga.
    """
    number, line = target.id, line_of(tx, target, command.begun)
    locked = tx.one("lock_instance", id=number)
    refuse_compensated(locked)
    if locked.saga_state == SagaState.COMPENSATION_FAILED:
        raise Refused(f"instance {number} is {standing(locked)}{remedy(locked)}")
    if not InstanceState(locked.state).is_final:
        raise NotPossible(locked)
    [instance] = tx.run("load_instances", rows=[(number,)])
    plan = caches.plans.of_instance(tx, instance)
    check_place(locked, plan, line)
    steps = undo_of(tx, plan, number, caches.jobs).steps
    if not steps and plan.workflow.saga is None:  # a saga that failed before it did anything is COMPENSATED as well
        why = "has nothing to undo, as no task of it that started has a compensation"
        raise Refused(f"instance {number} is {standing(locked)} and {why}{remedy(locked, 'compensate')}")
    tx.run("reopen_to_compensate", id=number, now=tx.now)
    return Reply({"instance_id": number, "compensations": sum(not step.is_link for step in steps)}, ("compensate",))


def refuse_compensated(instance: Any) -> None:
    """Raises: Refused if an instance is being compensated, or has been."""
    if instance.saga_state in (SagaState.COMPENSATING, SagaState.COMPENSATED):
        raise Refused(f"instance {instance.id} is {standing(instance)}{remedy(instance)}")


def retry_compensations(tx: Tx, instance_id: int, new_round: int) -> Reply:
    """Restart the compensations of an instance that did not succeed. Its rows and the instance itself are locked."""
    rows = {row.id: row for row in tx.run("list_compensating", **key_range(instance_id))}
    again = {number for number, row in rows.items() if row.state not in compensations.FAVOURABLE}
    parents: dict[int, list[int]] = {}
    for edge in tx.run("list_edges", **key_range(instance_id)):
        parents.setdefault(edge.child, []).append(edge.parent)
    restarted = []
    for number in sorted(again):  # ids are in an order in which parents come first
        waits = sum(parent in again for parent in parents.get(number, ()))
        is_link = rows[number].is_link
        state = TaskState.PENDING if waits else TaskState.SKIPPED if is_link else TaskState.READY
        if state is TaskState.SKIPPED:
            again.discard(number)
        ready_at, finished_at = (tx.now if state is each else None for each in (TaskState.READY, TaskState.SKIPPED))
        restarted.append((number, int(state), waits, waits + is_link, 0, ready_at, finished_at))
    for start in range(0, len(restarted), PART):
        part = restarted[start : start + PART]
        ids = [(number,) for number, *_ in part]
        tx.run("copy_attempts", rows=ids)
        tx.run("restart_tasks", rows=part, round=new_round)
        tx.run("delete_large_values", rows=ids)
        tx.run("delete_progress", rows=ids)
    tx.run("reopen_to_compensate", id=instance_id, now=tx.now)
    if rows:  # else it was terminated before they were added: the flag stays
        tx.run("begin_compensating", id=instance_id, open_closers=len(again), added=0, now=tx.now)
        if not again:
            close.end_instances(tx, tx.run("find_closing", rows=[(instance_id,)]))
    result = {"instance_id": instance_id, "compensations": sum(not rows[number].is_link for number in again)}
    return Reply(result, ("ready", "compensate", "child"))

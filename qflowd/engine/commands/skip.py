"""Skip: a person lets an instance continue without one of its tasks.

The task ends SKIPPED with the reason `manual`, and counts as done: what comes after it runs, as after a success without
output. A branch that its output would have chosen is not taken. Who and why is written as an attempt.

A task that waits for others is skipped when its turn comes, so that the order of the tasks stays: an override of the
instance says so to the daemon that claims it. All others are skipped at once, whether a daemon could run them or not.
"""

from typing import Any, Final

from qflowd.engine.commands import restart
from qflowd.engine.commands.control import Caches, CarriedOut, Command, NotPossible, one_instance, verb
from qflowd.engine.commands.task_overrides import TaskOverrides
from qflowd.engine.finishing.counters import NOBODY
from qflowd.engine.finishing.outcome import AttemptRow
from qflowd.engine.request import LONGEST_ERROR, Refused
from qflowd.model import jsontext
from qflowd.model.states import Reason, TaskState
from qflowd.store.tx import Tx

UNRUN: Final = (TaskState.UPSTREAM_FAILED, TaskState.SKIPPED)
NOT_SKIPPABLE: Final = (TaskState.RESERVED, TaskState.RUNNING, TaskState.SUCCESS, TaskState.SKIPPED)


@verb(
    "skip",
    needs=one_instance,
    not_possible="task {task} of instance {id} is {task_state}; only a task that waits or did not succeed is skipped{instead}",
)
def skip(tx: Tx, command: Command, target: Any, caches: Caches) -> CarriedOut:
    """Let a task that waits or did not succeed count as done; what waits for it continues.

    Raises: Refused without a task or a reason; NotPossible if it is being run, or has ended well.
    """
    if not command.reason:
        raise Refused("skip needs a reason; it is kept with the task")
    locked = restart.lock(tx, command, target, caches.instances)
    ordinal = restart.named(command, locked)
    if ordinal is None:
        raise Refused("skip needs a task")
    if (state := locked.states[ordinal]) in NOT_SKIPPABLE:
        instead = ": wait for its end, or terminate the instance first" if state.is_held else ""
        raise NotPossible(task=locked.names([ordinal]), id=locked.id, task_state=state.name, instead=instead)
    if open_items := [part for part in locked.rows.parts(ordinal) if not locked.states[part].is_final]:
        raise Refused(
            f"task {locked.names([ordinal])} of instance {locked.id} waits for {len(open_items):,} items that have not "
            "ended; skip those, or terminate the instance"
        )
    why = f"skipped by {command.requested_by or 'somebody'}: {command.reason}"
    why = jsontext.clean_text(why)[:LONGEST_ERROR]
    if ordinal == locked.row[ordinal].node:  # an override is of a node, not of its parts
        overrides = TaskOverrides(tx, caches, locked.instance)
        overrides.skip(locked.task(ordinal), why)
        overrides.save()
    is_deferred = ordinal == locked.row[ordinal].node and waits_for_tasks(locked, ordinal)
    if is_deferred:
        restart.restart(tx, locked, NOBODY, {ordinal})
    else:
        _end(tx, locked, ordinal, why)
        again = _not_run_yet(locked, ordinal)
        kept = {child for row in {ordinal} | again for child in locked.rows.children(row)} - again
        ended = {ordinal: TaskState.SKIPPED}
        restart.restart(tx, locked, NOBODY, again, kept=kept, ended=ended)
    result = {"instance_id": locked.id, "skipped": [locked.names([ordinal])], "waits_for_its_turn": is_deferred}
    return CarriedOut(result, ("ready", "timer", "turn"))


def waits_for_tasks(locked: restart.Locked, ordinal: int) -> bool:
    """Does it wait for tasks before it, rather than for a time or a worker?"""
    return locked.states[ordinal] is TaskState.PENDING and locked.row[ordinal].need > 0


def _end(tx: Tx, locked: restart.Locked, ordinal: int, why: str) -> None:
    row = locked.row[ordinal]
    skipped, manual = int(TaskState.SKIPPED), int(Reason.MANUAL)
    tx.run("copy_attempts", rows=[(row.id,)])
    attempt = AttemptRow(row.id, row.fence, row.attempt, skipped, manual, None, tx.now, error=why)
    tx.run("insert_attempts", rows=[attempt], daemon_id=None)
    tx.run("skip_task", id=row.id, now=tx.now)
    tx.run("delete_large_values", rows=[(row.id,)])
    tx.run("delete_progress", rows=[(row.id,)])
    tx.run("delete_timers", rows=[restart.timer_of(locked, ordinal)])


def _not_run_yet(locked: restart.Locked, ordinal: int) -> set[int]:
    """The rows behind one that may come to another end than before: they wait for tasks, or ended for want of them."""
    rows: set[int] = set()
    open_rows = [ordinal]
    while open_rows:
        for child in locked.rows.children(open_rows.pop()):
            is_unrun = locked.states[child] in UNRUN and locked.row[child].reason == Reason.NONE
            has_failed_by_items = child in locked.rows.items and locked.states[child] is TaskState.FAILED
            if child not in rows and (is_unrun or has_failed_by_items or waits_for_tasks(locked, child)):
                rows.add(child)
                open_rows.append(child)
    return rows

"""Skip: a person lets an instance continue without one of its tasks.

The task ends SKIPPED with the reason `manual`, and counts as done: what comes after it runs, as after a success without
output. A branch that its output would have chosen is not taken. Who and why is written as an attempt.

A task that waits for others is skipped when its turn comes, so that the order of the tasks stays: an override of the
instance says so to the daemon that claims it. All others are skipped at once, whether a daemon could run them or not.
"""

from collections.abc import Set as AbstractSet
from typing import Any, Final

from qflowd.engine.commands import restart
from qflowd.engine.commands.control import Caches, Command, Later, NotPossible, Reply, one_instance, verb
from qflowd.engine.commands.locked_instance import LockedInstance, lock, named_all
from qflowd.engine.commands.row_graph import NO_ORDINALS
from qflowd.engine.commands.task_overrides import TaskOverrides
from qflowd.engine.finishing.outcome import AttemptRow
from qflowd.engine.refusal import LONGEST_ERROR, NAMED, Refused
from qflowd.model import jsontext
from qflowd.model.states import InstanceState, Reason, TaskState
from qflowd.store.tx import Tx

UNRUN: Final = (TaskState.UPSTREAM_FAILED, TaskState.SKIPPED)
NOT_SKIPPABLE: Final = (TaskState.RESERVED, TaskState.RUNNING, TaskState.SUCCESS, TaskState.SKIPPED)


@verb(
    "skip",
    needs=one_instance,
    states=(InstanceState.RUNNING, InstanceState.PAUSED, InstanceState.FAILED, InstanceState.TERMINATED),
    batch=1,
    takes_task=True,
    needs_task=True,
    reason_is="; it is kept with the task",
    not_possible="task {task} of instance {id} is {task_state}; only a task that waits or did not succeed is skipped{instead}",
)
def skip(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let a task that waits or did not succeed count as done; what waits for it continues.

    Raises: Refused without a task; NotPossible if it is being run, or has ended well; Later if a daemon counts the items
        of its map just now.
    """
    locked = lock(tx, command, target, caches.instances)
    ordinals = named_all(command, locked)
    if not ordinals:
        raise Refused("skip needs a task")
    for ordinal in sorted(ordinals):
        _refuse(locked, ordinal)
    why = f"skipped by {command.requested_by or 'somebody'}: {command.reason}"
    why = jsontext.clean_text(why)[:LONGEST_ERROR]
    own = {ordinal for ordinal in ordinals if ordinal == locked.rows[ordinal].node}
    overrides = TaskOverrides(tx, caches, locked.instance)
    for ordinal in own:  # an override is of a node, not of its parts
        overrides.skip(locked.task(ordinal), why)
    overrides.save()
    is_deferred = any(waits_for_tasks(locked, ordinal) for ordinal in own)
    if is_deferred:
        restart.restart(tx, locked, NO_ORDINALS, ordinals)
    else:
        _end(tx, locked, ordinals, why)
        again = _not_run_yet(locked, ordinals)
        kept = {child for row in ordinals | again for child in locked.graph.children(row)} - again - ordinals
        kept = {ordinal for ordinal in kept if not _waits_for_parts(locked, ordinal)}
        if counting := [head for head in kept & locked.graph.items.keys() if locked.states[head].is_held]:
            raise Later(f"{locked.names(counting)} of instance {locked.id} is about to end or to continue")
        ended = dict.fromkeys(ordinals, TaskState.SKIPPED)
        restart.restart(tx, locked, NO_ORDINALS, again, kept=kept, ended=ended)
    names = [locked.names([ordinal]) for ordinal in sorted(ordinals)[:NAMED]]
    result = {"instance_id": locked.id, "skipped": names, "tasks": len(ordinals), "waits_for_its_turn": is_deferred}
    return Reply(result, ("ready", "timer", "turn"))


def _refuse(locked: LockedInstance, ordinal: int) -> None:
    """Raises: NotPossible if a row is being run or has ended well; Refused if it waits for its items."""
    if (state := locked.states[ordinal]) in NOT_SKIPPABLE:
        instead = ": wait for its end, or terminate the instance first" if state.is_held else ""
        raise NotPossible(task=locked.names([ordinal]), id=locked.id, task_state=state.name, instead=instead)
    if open_items := [part for part in locked.graph.parts(ordinal) if not locked.states[part].is_final]:
        raise Refused(
            f"task {locked.names([ordinal])} of instance {locked.id} is {state.name} and waits for {len(open_items):,} "
            "items that have not ended; skip those, or terminate the instance"
        )
    if open_tasks := [task for task in locked.graph.tree.below([ordinal]) if not locked.states[task].is_final]:
        raise Refused(
            f"task {locked.names([ordinal])} of instance {locked.id} waits for {len(open_tasks):,} tasks that it spawned and "
            "that have not ended; skip those, or terminate the instance"
        )


def waits_for_tasks(locked: LockedInstance, ordinal: int) -> bool:
    """Does it wait for tasks before it, rather than for a time or a worker?"""
    is_open = locked.states[ordinal] is TaskState.PENDING and locked.rows[ordinal].need > 0
    return is_open or _waits_for_parts(locked, ordinal)


def _waits_for_parts(locked: LockedInstance, ordinal: int) -> bool:
    """Has it begun, and waits for its items or for what it has spawned?"""
    has_parts = ordinal in locked.graph.items or ordinal in locked.graph.tree.spawned
    return locked.states[ordinal] is TaskState.PENDING and has_parts


def _end(tx: Tx, locked: LockedInstance, ordinals: AbstractSet[int], why: str) -> None:
    skipped, manual = int(TaskState.SKIPPED), int(Reason.MANUAL)
    in_order = sorted(ordinals)
    for start in range(0, len(in_order), restart.PART):
        part = in_order[start : start + restart.PART]
        rows = [locked.rows[ordinal] for ordinal in part]
        ids = [(row.id,) for row in rows]
        tx.run("copy_attempts", rows=ids)
        ends = [AttemptRow(row.id, row.fence, row.attempt, skipped, manual, None, tx.now, error=why) for row in rows]
        tx.run("insert_attempts", rows=ends, daemon_id=None)
        tx.run("skip_tasks", rows=ids, now=tx.now)
        tx.run("delete_large_values", rows=ids)
        tx.run("delete_progress", rows=ids)
        tx.run("delete_timers", rows=[locked.timer_of(ordinal) for ordinal in part])


def _not_run_yet(locked: LockedInstance, ordinals: AbstractSet[int]) -> set[int]:
    """The rows behind some that may come to another end than before: they wait for tasks, or ended for want of them.

    What had ended after one that now runs after all, such as a task with `all_done`, runs again after it.
    """
    graph = locked.graph
    rows: set[int] = set()
    reopened: set[int] = set()
    changed_parents: dict[int, list[int]] = {}  # row -> those before it that are skipped or among `rows`

    def note_changed(row: int) -> None:
        for child in graph.children(row):
            changed_parents.setdefault(child, []).append(row)

    for ordinal in ordinals:
        note_changed(ordinal)
    for child in graph.in_order(graph.behind(ordinals)):
        above = changed_parents.get(child, [])
        is_after_reopened = not reopened.isdisjoint(above)
        if not is_after_reopened and not any(_may_end_otherwise(locked, child, row) for row in above):
            continue
        rows.add(child)
        note_changed(child)
        if locked.states[child].is_final and (
            is_after_reopened or not _has_bad_parent(locked, child, ordinals | reopened)
        ):
            reopened.add(child)
    return rows


def _may_end_otherwise(locked: LockedInstance, child: int, row: int) -> bool:
    """Did `child` not run, or does it wait, so that what becomes of `row` before it still counts?"""
    if _waits_for_parts(locked, child):  # it has begun, whatever came before it
        return locked.graph.nodes[child] == locked.graph.nodes[row]
    is_unrun = locked.states[child] in UNRUN and locked.rows[child].reason == Reason.NONE
    has_parts = child in locked.graph.items or child in locked.graph.tree.spawned
    has_failed_by_others = has_parts and locked.states[child] is TaskState.FAILED
    return is_unrun or has_failed_by_others or waits_for_tasks(locked, child)


def _has_bad_parent(locked: LockedInstance, child: int, others: AbstractSet[int]) -> bool:
    """Does it still not run, for a task before it that is none of these others?"""
    return any(
        locked.states[parent].is_final
        and locked.graph.arrival(parent, locked.states[parent], child, lambda *_: True).bad
        for parent in set(locked.graph.parents(child)) - others
    )

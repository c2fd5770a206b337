"""Retry and rerun: tasks of an instance start anew, those that failed or those that a person names, and all behind them."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from qflowd.define.readers import mapping, strings
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    one_instance,
    verb,
)
from qflowd.engine.commands.locked_instance import LockedInstance, lock, named, named_all
from qflowd.engine.commands.recount import RecountedRow
from qflowd.engine.commands.restart import restart
from qflowd.engine.commands.task_overrides import TaskOverrides
from qflowd.engine.refusal import NAMED, Refused
from qflowd.engine.sagas.compensate import retry_compensations
from qflowd.model.ids import ORDINALS
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState, Reason, SagaState, TaskState
from qflowd.store.tx import Tx

RETRIED = (TaskState.FAILED, TaskState.CANCELLED)


@verb(
    "retry",
    needs=one_instance,
    takes_workflow=True,
    states=(InstanceState.FAILED, InstanceState.TERMINATED),
    batch=1,
    takes_task=True,
    args={"tasks": strings},
    not_possible="instance {id} is {state} and has no failed task to retry",
)
def retry(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Restart the FAILED and CANCELLED tasks of an instance (or the one named), and what waits for them.

    Those that have failed and wait for a person are among them; so is what did not run because of a task that was
    cancelled, and that has run after the termination. What a person has skipped is skipped again when its turn comes.

    Raises: Refused or NotPossible if there are none, or what is behind them is being run.
    """
    locked = lock(tx, command, target, caches.instances)
    if locked.instance.saga_state == SagaState.COMPENSATION_FAILED:
        return retry_compensations(tx, locked.id, locked.new_round)
    names = strings(command.args["tasks"]) if "tasks" in command.args else ()
    if names and command.names_task:
        raise Refused("args.tasks names several tasks in place of one; leave out the task", Refusal.FAULTY)
    each = [command._replace(task=name) for name in names] or [command]
    targets = set[int]().union(*(_targets(one, locked) for one in each))
    behind = locked.graph.behind(targets)
    recounted = restart(tx, locked, targets, behind)
    if command.names_task or names:
        _check_named(command, locked, targets, recounted)
    return _restarted("retried", locked, targets, behind)


@verb(
    "rerun",
    needs=one_instance,
    states=(InstanceState.SUCCESS, InstanceState.FAILED, InstanceState.TERMINATED),
    batch=1,
    takes_task=True,
    needs_task=True,
    args={"set": mapping},
    not_possible="task {task} of instance {id} is {task_state}; only a task that has ended is run again: {instead}",
)
def rerun(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Restart a task and all that waits for it, whatever they came to; `set` in args changes params of the one.

    What a person has skipped of them runs after all.

    Raises: Refused or NotPossible if it has not ended, or what is behind it is being run.
    """
    given = command.args.get("set") or {}
    locked = lock(tx, command, target, caches.instances)
    targets = named_all(command, locked)
    if not targets:
        raise Refused("rerun needs a task; `retry` runs all tasks again that failed", Refusal.FAULTY)
    for ordinal in sorted(targets - locked.waiting):
        if not (state := locked.states[ordinal]).is_final:
            instead = "wait for its end, or terminate the instance first"
            if not state.is_held:
                waits = ordinal in locked.graph.tree.spawned
                instead = "it waits for the tasks that it spawned" if waits else "it is still to run anyway"
            raise NotPossible(task=locked.names([ordinal]), id=locked.id, task_state=state.name, instead=instead)
    behind = locked.graph.behind(targets)
    overrides = TaskOverrides(tx, caches, locked.instance)
    overrides.unskip(map(locked.task, behind | targets))
    if given:
        _refuse_parts(locked, targets)
    for task in {locked.graph.nodes[ordinal]: locked.task(ordinal) for ordinal in targets}.values() if given else ():
        overrides.set_params(task, given)
    overrides.save()
    recounted = restart(tx, locked, targets, behind, has_other_params=bool(given), has_new_items=True)
    _check_named(command, locked, targets, recounted)
    return _restarted("rerun", locked, targets, behind)


def _refuse_parts(locked: LockedInstance, targets: AbstractSet[int]) -> None:
    """Raises: Refused if one of these has no params of its own that could be set: an item of a map, a spawned task."""
    if spawned := sorted(targets & locked.graph.tree.spawner.keys()):
        raise Refused(f"params of {locked.names(spawned)} cannot be set: they were given by the task that spawned it")
    if items := [ordinal for ordinal in sorted(targets) if ordinal != locked.graph.nodes[ordinal]]:
        key = locked.task(items[0]).key
        raise Refused(
            f"params of {locked.names(items)} cannot be set: all items of {key} have the same; rerun {key} with them, or "
            "that item without"
        )


def _restarted(what: str, locked: LockedInstance, targets: AbstractSet[int], behind: AbstractSet[int]) -> Reply:
    names = [locked.graph.plan.name_of(locked.rows[ordinal]) for ordinal in sorted(targets)[:NAMED]]
    counts = {"tasks": len(targets), "restarted": len(targets | behind)}
    return Reply({"instance_id": locked.id, what: names, **counts}, ("ready", "timer", "turn"))


def _targets(command: Command, locked: LockedInstance) -> set[int]:
    """The FAILED and CANCELLED tasks that a retry names, and those that have failed and wait for a person.

    Raises: Refused, NotPossible.
    """
    state = InstanceState(locked.instance.state)
    is_over = locked.instance.reason != Reason.TOLERATED and locked.instance.saga_state == SagaState.NONE
    if state is InstanceState.SUCCESS and is_over:
        raise NotPossible(locked.instance)
    ordinal, states = named(command, locked), locked.states
    if ordinal is None:
        targets = {ordinal for ordinal in states if _is_retried(locked, ordinal)}
        if command.task_ids:
            targets &= {number % ORDINALS for number in command.task_ids}
        tree = locked.graph.tree
        targets -= tree.below(task for task in tree.spawned if states[task] is TaskState.SKIPPED)  # it counts no more
        if not (targets := _without_waiting(locked, targets)):
            raise NotPossible(locked.instance)
        return targets
    tree = locked.graph.tree
    parts = {part for part in locked.graph.parts(ordinal) if ordinal in locked.graph.items}
    parts |= tree.below(parts | {ordinal})
    if failed := {part for part in parts if _is_retried(locked, part)}:
        return _without_waiting(locked, failed)  # of a map, of a spawner: those that failed, and it waits for them
    if not _is_retried(locked, ordinal):
        task_state = states[ordinal]
        why = "only FAILED and CANCELLED tasks are retried"
        if task_state is TaskState.UPSTREAM_FAILED:
            bad = [other for other in sorted(states) if _is_retried(locked, other)]
            before = [other for other in bad if ordinal in locked.graph.behind([other])]
            why = f"retry {locked.names(before)}, which it waits for"
        raise Refused(f"task {locked.names([ordinal])} of instance {locked.id} is {task_state.name}; {why}")
    return {ordinal}


def _is_retried(locked: LockedInstance, ordinal: int) -> bool:
    """It has failed, was cancelled, or waits for a person; or a task before it was cancelled, and has run since.

    The last happens to what waits for a task that runs after a termination (`run_on: terminate`).
    """
    state = locked.states[ordinal]
    if state in RETRIED or ordinal in locked.waiting:
        return True
    if state is not TaskState.UPSTREAM_FAILED:
        return False
    runs_last = any(locked.task(parent).run_on == "terminate" for parent in locked.graph.parents(ordinal))
    return runs_last and not _bad_parents(locked, ordinal)


def _bad_parents(locked: LockedInstance, ordinal: int) -> list[int]:
    """Those before a row that keep it from running."""
    graph, states = locked.graph, locked.states
    return [
        parent
        for parent in graph.parents(ordinal)
        if graph.arrival(parent, states[parent], ordinal, lambda *_: True).bad
    ]


def _without_waiting(locked: LockedInstance, targets: set[int]) -> set[int]:
    """A map whose items are retried, and a task that spawned others which are, waits for them again and is not retried."""
    waiting = targets & (locked.graph.items.keys() | locked.graph.tree.spawned.keys())
    return targets - (waiting & locked.graph.behind(targets - waiting))


def _check_named(
    command: Command, locked: LockedInstance, targets: set[int], recounted: Sequence[RecountedRow]
) -> None:
    """A single task that could not run after all is refused, with what has to be started in its place."""
    for row in recounted:
        if row.ordinal not in targets:
            continue
        name = locked.names([row.ordinal])
        if row.state is TaskState.UPSTREAM_FAILED:
            bad = _bad_parents(locked, row.ordinal)
            all_of_it = "that, or all" if command.action == "retry" else "that"
            state = locked.states[row.ordinal].name
            raise Refused(
                f"task {name} is {state} and cannot run: {locked.names(bad)} before it did not succeed; {command.action} "
                f"{all_of_it}"
            )
        if row.state is TaskState.SKIPPED and command.action == "rerun":
            raise Refused(
                f"task {name} is {locked.states[row.ordinal].name} and would be skipped again: a condition does not hold, or a task before it was skipped"
            )

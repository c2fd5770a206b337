"""Restart: rows of an instance start anew, and the counters of all that waits for them are worked out again.

All rows of the instance are locked first, in their order, so a finish of one of them is over or waits. Counters follow
from the present states of parents, by the same rules by which they were counted down.

A restarted row begins with a new budget: `attempt` counts from 1 again, `crashes` from 0. The fence keeps rising, so
the attempts stay apart, and the round is one that no row of the instance has had. A checkpoint is kept where the same
work continues: of a task that did not succeed, with the params that it had.
"""

from collections.abc import Container, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from typing import Any

from qflowd.engine import kinds
from qflowd.engine.commands.locked_instance import LockedInstance
from qflowd.engine.commands.recount import RecountedRow, recount
from qflowd.engine.commands.row_graph import NO_ORDINALS, RowGraph
from qflowd.engine.finishing import close
from qflowd.engine.finishing.conditions import EdgeConditions
from qflowd.engine.finishing.forget import forget_rows
from qflowd.engine.finishing.levels import advance_levels
from qflowd.engine.finishing.timers import DEADLINE
from qflowd.engine.maps.places import take_places
from qflowd.engine.refusal import Refused
from qflowd.engine.spawning.spawn_tree import forget_spawned
from qflowd.model.ids import ORDINALS, key_range
from qflowd.model.states import InstanceState, Reason, TaskState
from qflowd.store.tx import Tx

PART = 10_000  # rows written by one statement


def restart(
    tx: Tx,
    locked: LockedInstance,
    targets: AbstractSet[int],
    behind: AbstractSet[int],
    *,
    kept: AbstractSet[int] = NO_ORDINALS,
    ended: Mapping[int, TaskState] | None = None,
    has_other_params: bool = False,
    has_new_items: bool = False,
) -> list[RecountedRow]:
    """Restart these rows, and open or close the instance as it then must be.

    `targets` keep their checkpoints, unless they succeeded or have other params. `kept`: see `recount`. `ended`: rows
    that this transaction has ended, with their states: skipped by a person. `has_new_items`: a target that is a map
    makes all its items anew, as maps behind do, and one that has spawned others spawns anew.

    Raises: Refused if one of the rows is being run.
    """
    rows, again = locked.graph, targets | behind
    anew = _maps_anew(rows, again, targets if has_new_items else NO_ORDINALS)
    items = {part for head in anew for part in rows.parts(head)}
    waiting = _waiting(locked, targets if has_new_items else _uncancelled(locked, targets), again - items)
    spawners = ((again | items) & rows.tree.spawned.keys()) - waiting
    spawned = rows.tree.below(spawners)
    gone = items | spawned
    waiting -= gone
    _refuse_open(locked, again | gone)
    rows.forget_items(anew)
    rows.forget_spawned(spawned)
    again = again - gone
    states = {**locked.states, **(ended or {})}
    passed = (locked.passed - again).union(ended or ())
    conditions = EdgeConditions(tx, locked.instances)

    def edge_holds(parent: int, child: int) -> bool:
        return parent not in again and conditions.holds(locked.id, locked.rows[parent], child)

    recounted = recount(rows, states, again, edge_holds, kept=kept, passed=passed, waiting=waiting)
    needs = {ordinal: row.need for ordinal, row in locked.rows.items()}
    open_again = dict.fromkeys(waiting, TaskState.PENDING)
    recounted, gates = take_places(rows, states | open_again, needs, recounted, kept | waiting)
    continued = NO_ORDINALS if has_other_params else {i for i in targets if locked.states[i] is not TaskState.SUCCESS}
    _write(tx, locked, [row for row in recounted if row.ordinal not in waiting], kept, again - continued)
    _wait_again(tx, locked, [row for row in recounted if row.ordinal in waiting])
    if gates:
        tx.run("set_places", rows=[(locked.id * ORDINALS + head, *gate) for head, *gate in gates])
    _begin_anew(tx, locked, again if has_new_items else again - continued, gone)
    if items:
        # Their list may be another one: whatever they were, they are made anew.
        forget_rows(tx, [(locked.id * ORDINALS + part,) for part in sorted(items)])
        tx.run("delete_fan_outs", rows=[(locked.id * ORDINALS + head,) for head in sorted(anew)])
    forget_spawned(tx, locked.id, rows.tree, spawners)
    for part in gone:
        del states[part]
    now = states | {row.ordinal: row.state for row in recounted}
    _reopen(tx, locked, now | _tell_waiting(tx, locked, now, waiting, ended or {}))
    return recounted


def _begin_anew(tx: Tx, locked: LockedInstance, ordinals: AbstractSet[int], gone: AbstractSet[int]) -> None:
    """What starts from the beginning starts another instance, and waits anew for its fact before it may be claimed."""
    tasks, nodes = locked.graph.plan.tasks, locked.graph.nodes
    if locked.graph.plan.starts:
        tx.run("forget_children", rows=[(locked.id * ORDINALS + ordinal,) for ordinal in sorted(ordinals | gone)])
    rows = [(locked.id * ORDINALS + i,) for i in sorted(ordinals) if i == nodes[i] and tasks[i].wait_for is not None]
    if rows and (waited := tx.run("load_waiters", rows=rows)):
        tx.run("return_to_waits", rows=sorted((row.task_id, row.lane) for row in waited))


def _refuse_open(locked: LockedInstance, restarted: AbstractSet[int]) -> None:
    """Raises: Refused if one of these rows is being run, or waits for an instance."""
    if held := [ordinal for ordinal in sorted(restarted) if locked.states[ordinal].is_held]:
        raise Refused(
            f"{locked.names(held)} of instance {locked.id} is {locked.states[held[0]].name}; wait for its end, or terminate first"
        )
    if parents := sorted(locked.children.keys() & restarted):
        raise Refused(
            f"{locked.names(parents[:1])} of instance {locked.id} waits for instance {locked.children[parents[0]]}; wait "
            "for its end, or terminate it first"
        )


def _uncancelled(locked: LockedInstance, targets: AbstractSet[int]) -> set[int]:
    return {ordinal for ordinal in targets if locked.states[ordinal] is not TaskState.CANCELLED}


def _waiting(locked: LockedInstance, targets: AbstractSet[int], again: AbstractSet[int]) -> set[int]:
    """Of these rows, those that do not run again, but wait once more for what they have spawned.

    Raises: Refused if a person has skipped one.
    """
    rows, waiting = locked.graph, set()
    for ordinal in rows.tree.spawned.keys() & again:
        if ordinal in targets or not again.isdisjoint(rows.parents(ordinal)):
            continue
        if locked.states[ordinal] is TaskState.SKIPPED:
            name = locked.names([ordinal])
            raise Refused(
                f"task {name} of instance {locked.id} was skipped, and what it spawned no longer counts; rerun {name}"
            )
        waiting.add(ordinal)
    return waiting


def _maps_anew(rows: RowGraph, again: AbstractSet[int], rerun: AbstractSet[int]) -> set[int]:
    """The maps that make their items anew: those rerun, and those behind what may bring another list."""
    anew: set[int] = set()
    for head in sorted(rows.items.keys() & again):  # parents first
        each = rows.plan.each.get(head, ())
        has_other_list = any(parent in anew or (parent in again and parent not in rows.items) for parent in each)
        if head in rerun or has_other_list or not again.isdisjoint(set(rows.plan.parents[head]).difference(each)):
            anew.add(head)
    return anew


def _wait_again(tx: Tx, locked: LockedInstance, spawners: Sequence[RecountedRow]) -> None:
    """Write those that wait once more for what they have spawned. What they had of its outputs goes away."""
    first, returned = locked.id * ORDINALS, locked.graph.tree.returned
    if spawners:
        rows = [(first + row.ordinal, int(row.ordinal in returned)) for row in spawners]
        tx.run("await_again", rows=rows, round=locked.new_round)
        counters = [(first + row.ordinal, row.open_parents, row.bad_parents) for row in spawners]
        tx.run("recount_spawners", rows=counters)
    if lost := [(first + row.ordinal,) for row in spawners if row.ordinal not in returned]:
        tx.run("delete_large_values", rows=lost)


def _tell_waiting(
    tx: Tx, locked: LockedInstance, now: Mapping[int, TaskState], waiting: AbstractSet[int], skipped: Container[int]
) -> dict[int, TaskState]:
    """Those that wait although all that they have spawned has ended are told of the last one, as at its end.

    Returns: the states of rows that have ended with it.
    """
    spawned = locked.graph.tree.spawned
    last = [spawned[spawner][-1] for spawner in waiting if all(now[task].is_final for task in spawned[spawner])]
    rows = [
        locked.rows[ordinal]._replace(
            state=int(now[ordinal]),
            reason=int(Reason.MANUAL) if ordinal in skipped else locked.rows[ordinal].reason,
        )
        for ordinal in sorted(last)
    ]
    levels = advance_levels(tx, locked.instances, locked.instances.by_instance(rows))
    return {row.id % ORDINALS: TaskState(row.state) for row in levels.unrun}


def _reopen(tx: Tx, locked: LockedInstance, now: Mapping[int, TaskState]) -> None:
    """`now`: the states of all rows."""
    tx.run("forget_task_stops", **key_range(locked.id))
    instance, workflow = locked.instance, locked.graph.plan.workflow
    still_open = [locked.rows[ordinal] for ordinal in sorted(now) if not now[ordinal].is_final]
    open_closers = kinds.closers(locked.instances.by_instance(still_open)).get(instance.id, 0)
    deadline_at = instance.deadline_at
    if InstanceState(instance.state).is_final and workflow.timeout is not None:
        deadline_at = tx.now + timedelta(seconds=workflow.timeout)
        tx.run("insert_timers", rows=[(instance.id * ORDINALS, DEADLINE, 0, deadline_at)])
    tx.run("reopen_instance", id=instance.id, open_closers=open_closers, deadline_at=deadline_at, now=tx.now)
    if not open_closers:
        # All that was restarted ended at once: nothing of it may run.
        close.end_instances(tx, tx.run("find_closing", rows=[(instance.id,)]))


def _write(
    tx: Tx,
    locked: LockedInstance,
    recounted: Sequence[RecountedRow],
    kept: AbstractSet[int],
    forgotten: AbstractSet[int],
) -> None:
    """Write the rows anew; what they left behind goes to `attempt`, or away. `forgotten`: those without a checkpoint now."""
    first = locked.id * ORDINALS
    if counters := [(first + row.ordinal, *row[2:]) for row in recounted if row.ordinal in kept]:
        tx.run("recount_tasks", rows=counters)
    anew = [row for row in recounted if row.ordinal not in kept]
    for start in range(0, len(anew), PART):
        part = anew[start : start + PART]
        ids = [(first + row.ordinal,) for row in part]
        tx.run("copy_attempts", rows=ids)
        tx.run("restart_tasks", rows=[_row(first, row, tx.now) for row in part], round=locked.new_round)
        tx.run("delete_large_values", rows=ids)
        tx.run("delete_progress", rows=ids)
        if lost := [(first + row.ordinal,) for row in part if row.ordinal in forgotten]:
            tx.run("delete_checkpoints", rows=lost)
        if timers := [locked.timer_of(row.ordinal) for row in part if locked.states[row.ordinal] is TaskState.PENDING]:
            tx.run("delete_timers", rows=timers)


def _row(first: int, row: RecountedRow, now: datetime) -> tuple[Any, ...]:
    """A row of `restart_tasks`."""
    ready_at = now if row.state is TaskState.READY else None
    finished_at = now if row.state.is_final else None
    return (first + row.ordinal, int(row.state), row.open_parents, row.need, row.bad_parents, ready_at, finished_at)

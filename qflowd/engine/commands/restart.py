"""Restart: rows of an instance start anew, and the counters of all that waits for them are worked out again.

All rows of the instance are locked first, in their order, so a finish of one of them is over or waits. Counters follow
from the present states of parents, by the same rules by which they were counted down.

A restarted row begins with a new budget: `attempt` counts from 1 again, `crashes` from 0. The fence keeps rising, so
the attempts stay apart, and the round is one that no row of the instance has had. A checkpoint is kept where the same
work continues: of a task that did not succeed, with the params that it had.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from qflowd.engine import kinds
from qflowd.engine.commands.control import (
    Command,
    refuse_terminating,
    remedy,
    standing,
    state_name,
)
from qflowd.engine.concurrency.overlap import check_place, line_of
from qflowd.engine.finishing import close
from qflowd.engine.finishing.conditions import EdgeConditions
from qflowd.engine.finishing.counters import NOBODY, Recounted, Rows, recount
from qflowd.engine.finishing.levels import advance_levels
from qflowd.engine.finishing.timers import DEADLINE, RUN
from qflowd.engine.maps.places import take_places
from qflowd.engine.plans.instances import Instances
from qflowd.engine.refusal import Refused
from qflowd.engine.sagas.compensate import refuse_compensated
from qflowd.engine.spawning.spawn_tree import forget_spawned, load_tree
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.states import InstanceState, Reason, SagaState, TaskState
from qflowd.model.workflow import Task
from qflowd.store.tx import Tx

PART = 10_000  # rows written by one statement
NAMED = 20  # tasks named in an answer


class Locked(NamedTuple):
    """An instance, a row of `lock_instance`, all of whose rows are locked: rows of `lock_tasks` by ordinal."""

    id: int
    instance: Any
    instances: Instances
    row: Mapping[int, Any]
    states: Mapping[int, TaskState]
    rows: Rows
    children: Mapping[int, int] = MappingProxyType({})  # ordinals of tasks that wait for an instance -> that
    waiting: AbstractSet[int] = NOBODY  # ordinals of tasks that have failed and wait for a person

    @property
    def new_round(self) -> int:
        """A round that no row has had."""
        return 1 + max(int(row.round) for row in self.row.values())

    @property
    def passed(self) -> set[int]:
        """The rows that a person has skipped."""
        return {ordinal for ordinal, row in self.row.items() if row.reason == Reason.MANUAL}

    def task(self, ordinal: int) -> Task:
        return self.rows.plan.tasks[self.rows.nodes[ordinal]]

    def names(self, ordinals: Iterable[int]) -> str:
        names = [self.rows.plan.name_of(self.row[ordinal]) for ordinal in ordinals]
        return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


def lock(tx: Tx, command: Command, target: Any, instances: Instances) -> Locked:
    """Lock all rows of an instance (a row of `find_instance`), then itself.

    Raises: Refused if it is being terminated, has no rows, or has ended and must not run beside others of its workflow.
    """
    instance_id = target.id
    rows = tx.run("lock_tasks", **key_range(instance_id))
    line = line_of(tx, target)
    instance = tx.one("lock_instance", id=instance_id)
    refuse_compensated(instance)
    refuse_terminating(instance)
    has_failed = instance.saga_state == SagaState.COMPENSATION_FAILED and command.action != "retry"
    if has_failed or instance.state == InstanceState.READY:
        unbegun = "" if has_failed else " and has not begun"
        raise Refused(f"instance {instance_id} is {standing(instance)}{unbegun}{remedy(instance)}")
    if not rows:
        raise Refused(f"instance {instance_id} is {state_name(instance.state)} and had not begun; submit it anew")
    instances.load(tx, [instance_id * ORDINALS])
    plan = instances[instance_id].plan
    check_place(instance, plan, line)
    row = {row.id % ORDINALS: row for row in rows}
    nodes = {ordinal: row.node for ordinal, row in row.items()}
    states = {ordinal: TaskState(row.state) for ordinal, row in row.items()}
    fan_outs = tx.run("list_fan_outs", **key_range(instance_id)) if plan.maps else []
    items = {fan_out.task_id % ORDINALS: fan_out.items for fan_out in fan_outs}
    firsts = {fan_out.task_id % ORDINALS: fan_out.first_ordinal for fan_out in fan_outs}
    waiting = tx.run("list_open_children", **key_range(instance_id)) if plan.starts else []
    children = {child.task_id % ORDINALS: child.instance_id for child in waiting}
    manual = {row.id % ORDINALS for row in tx.run("list_manual_retries", **key_range(instance_id))}
    every = Rows(plan, nodes, items, firsts, load_tree(tx, instance_id))
    return Locked(instance_id, instance, instances, row, states, every, children, manual)


def restart(
    tx: Tx,
    locked: Locked,
    targets: AbstractSet[int],
    behind: AbstractSet[int],
    *,
    kept: AbstractSet[int] = NOBODY,
    ended: Mapping[int, TaskState] | None = None,
    has_other_params: bool = False,
    has_new_items: bool = False,
) -> list[Recounted]:
    """Restart these rows, and open or close the instance as it then must be.

    `targets` keep their checkpoints, unless they succeeded or have other params. `kept`: see `recount`. `ended`: rows
    that this transaction has ended, with their states: skipped by a person. `has_new_items`: if a target is a map, it
    makes all its items anew, as maps behind do.

    Raises: Refused if one of the rows is being run.
    """
    rows, again = locked.rows, targets | behind
    anew = _maps_anew(rows, again, targets if has_new_items else NOBODY)
    items = {part for head in anew for part in rows.parts(head)}
    waiting = _waiting(locked, targets, again - items)
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
        return parent not in again and conditions.holds(locked.id, locked.row[parent], child)

    recounted = recount(rows, states, again, edge_holds, kept=kept, passed=passed, waiting=waiting)
    needs = {ordinal: row.need for ordinal, row in locked.row.items()}
    open_again = dict.fromkeys(waiting, TaskState.PENDING)
    recounted, gates = take_places(rows, states | open_again, needs, recounted, kept | waiting)
    continued = NOBODY if has_other_params else {i for i in targets if locked.states[i] is not TaskState.SUCCESS}
    _write(tx, locked, [row for row in recounted if row.ordinal not in waiting], kept, again - continued)
    _wait_again(tx, locked, [row for row in recounted if row.ordinal in waiting])
    if gates:
        tx.run("set_places", rows=[(locked.id * ORDINALS + head, *gate) for head, *gate in gates])
    if rows.plan.starts:  # what starts from the beginning starts another instance
        others = again if has_new_items else again - continued
        tx.run("forget_children", rows=[(locked.id * ORDINALS + ordinal,) for ordinal in sorted(others | gone)])
    if items:
        # Their list may be another one: whatever they were, they are made anew.
        tx.run("delete_items", rows=[(locked.id * ORDINALS + part,) for part in sorted(items)])
        tx.run("delete_fan_outs", rows=[(locked.id * ORDINALS + head,) for head in sorted(anew)])
    forget_spawned(tx, locked.id, rows.tree, spawners)
    for part in gone:
        del states[part]
    now = states | {row.ordinal: row.state for row in recounted}
    _reopen(tx, locked, now | _tell_waiting(tx, locked, now, waiting, ended or {}))
    return recounted


def _refuse_open(locked: Locked, restarted: AbstractSet[int]) -> None:
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


def _waiting(locked: Locked, targets: AbstractSet[int], again: AbstractSet[int]) -> set[int]:
    """Of these rows, those that do not run again: some of what they have spawned does, and they wait for it once more.

    Raises: Refused if a person has skipped one.
    """
    rows, waiting = locked.rows, set()
    for ordinal in rows.tree.spawned.keys() & again:
        if ordinal in targets or not again.isdisjoint(rows.parents(ordinal)):
            continue
        if locked.states[ordinal] is TaskState.SKIPPED:
            name = locked.names([ordinal])
            raise Refused(
                f"task {name} of instance {locked.id} was skipped, and what it spawned counts no more; rerun {name}"
            )
        waiting.add(ordinal)
    return waiting


def _maps_anew(rows: Rows, again: AbstractSet[int], rerun: AbstractSet[int]) -> set[int]:
    """The maps that make their items anew: those rerun, and those behind what may bring another list."""
    anew: set[int] = set()
    for head in sorted(rows.items.keys() & again):  # parents first
        each = rows.plan.each.get(head, ())
        has_other_list = any(parent in anew or (parent in again and parent not in rows.items) for parent in each)
        if head in rerun or has_other_list or not again.isdisjoint(set(rows.plan.parents[head]).difference(each)):
            anew.add(head)
    return anew


def _wait_again(tx: Tx, locked: Locked, spawners: Sequence[Recounted]) -> None:
    """Write those that wait once more for what they have spawned. What they had of its outputs goes away."""
    first, returned = locked.id * ORDINALS, locked.rows.tree.returned
    if spawners:
        rows = [(first + row.ordinal, int(row.ordinal in returned)) for row in spawners]
        tx.run("await_again", rows=rows, round=locked.new_round)
        counters = [(first + row.ordinal, row.open_parents, row.bad_parents) for row in spawners]
        tx.run("recount_spawners", rows=counters)
    if lost := [(first + row.ordinal,) for row in spawners if row.ordinal not in returned]:
        tx.run("delete_large_values", rows=lost)


def _tell_waiting(
    tx: Tx, locked: Locked, now: Mapping[int, TaskState], waiting: AbstractSet[int], skipped: Container[int]
) -> dict[int, TaskState]:
    """Those that wait although all that they have spawned has ended are told of the last one, as at its end.

    Returns: the states of rows that have ended with it.
    """
    spawned = locked.rows.tree.spawned
    last = [spawned[spawner][-1] for spawner in waiting if all(now[task].is_final for task in spawned[spawner])]
    rows = [
        locked.row[ordinal]._replace(
            state=int(now[ordinal]),
            reason=int(Reason.MANUAL) if ordinal in skipped else locked.row[ordinal].reason,
        )
        for ordinal in sorted(last)
    ]
    levels = advance_levels(tx, locked.instances, locked.instances.by_instance(rows))
    return {row.id % ORDINALS: TaskState(row.state) for row in levels.unrun}


def _reopen(tx: Tx, locked: Locked, now: Mapping[int, TaskState]) -> None:
    """`now`: the states of all rows."""
    instance, workflow = locked.instance, locked.rows.plan.workflow
    still_open = [locked.row[ordinal] for ordinal in sorted(now) if not now[ordinal].is_final]
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
    tx: Tx, locked: Locked, recounted: Sequence[Recounted], kept: AbstractSet[int], forgotten: AbstractSet[int]
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
        if timers := [timer_of(locked, row.ordinal) for row in part if locked.states[row.ordinal] is TaskState.PENDING]:
            tx.run("delete_timers", rows=timers)


def timer_of(locked: Locked, ordinal: int) -> tuple[int, int, int]:
    """The key of the timer that a row may wait for: a row of `delete_timers`."""
    return locked.id * ORDINALS + ordinal, RUN, locked.row[ordinal].fence


def _row(first: int, row: Recounted, now: datetime) -> tuple[Any, ...]:
    """A row of `restart_tasks`."""
    ready_at = now if row.state is TaskState.READY else None
    finished_at = now if row.state.is_final else None
    return (first + row.ordinal, int(row.state), row.open_parents, row.need, row.bad_parents, ready_at, finished_at)


def named(command: Command, locked: Locked) -> int | None:
    """The ordinal that a command names by `task` or `task_id`; None if it names none.

    Raises: Refused if there is none such.
    """
    ordinal = None
    if command.task_id is not None:
        ordinal = command.task_id % ORDINALS
        if instance_of(command.task_id) != locked.id or ordinal not in locked.row:
            raise Refused(f"task_id {command.task_id} is not a task of instance {locked.id}")
    if command.task is not None:
        node = locked.rows.plan.by_key.get(command.task)
        if node is None and ordinal is None and (item := _item(command.task, locked)) is not None:
            return item
        if node is None or (ordinal is not None and locked.row[ordinal].node != node.ordinal):
            names = locked.names(range(len(locked.rows.plan.tasks)))
            raise Refused(f"instance {locked.id} has no task {command.task!r}; there are {names}")
        ordinal = node.ordinal if ordinal is None else ordinal
    return ordinal


def named_all(command: Command, locked: Locked) -> set[int]:
    """The ordinals that a command names: one task, or the failures that its filter has chosen; none if it names nothing.

    Raises: Refused if there is no such task.
    """
    ordinal = named(command, locked)
    return {number % ORDINALS for number in command.task_ids} if ordinal is None else {ordinal}


def _item(name: str, locked: Locked) -> int | None:
    """The ordinal of an item by its label or index (`bars[AAPL]`, `bars[17]`), or of a spawned task by its name; else None.

    Raises: Refused if there is none such, or several.
    """
    key, bracket, label = name.removesuffix("]").partition("[")
    node = locked.rows.plan.by_key.get(key)
    if not (bracket and name.endswith("]")) or node is None:
        return None
    parts = locked.rows.parts(node.ordinal)
    spawned = [task for task in locked.rows.tree.spawner if locked.row[task].node == node.ordinal]
    of_label = [part for part in [*parts, *spawned] if locked.row[part].label == label]
    items = of_label or [part for part in parts if str(locked.row[part].map_index) == label]
    if not items:
        what = "item" if parts or not spawned else "spawned task"
        names = locked.names(sorted([*parts, *spawned]))
        raise Refused(f"task {key} of instance {locked.id} has no {what} {label!r}; there are {names}")
    if len(items) > 1:
        indexes = ", ".join(f"{key}[{locked.row[part].map_index}]" for part in items[:NAMED])
        raise Refused(f"{len(items)} items are called {name}; name one by its index: {indexes}")
    return items[0]

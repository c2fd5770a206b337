"""Restart: rows of an instance start anew, and the counters of all that waits for them are worked out again.

All rows of the instance are locked first, in their order, so a finish of one of them is over or waits. Counters follow
from the present states of parents, by the same rules by which they were counted down.

A restarted row begins with a new budget: `attempt` counts from 1 again, `crashes` from 0. The fence keeps rising, so
the attempts stay apart, and the round is one that no row of the instance has had. A checkpoint is kept where the same
work continues: of a task that did not succeed, with the params that it had.
"""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from qflowd.engine import kinds
from qflowd.engine.commands.control import (
    Command,
    refuse_terminating,
    state_name,
)
from qflowd.engine.concurrency.overlap import check_place, line_of
from qflowd.engine.finishing import close
from qflowd.engine.finishing.conditions import EdgeConditions
from qflowd.engine.finishing.counters import NOBODY, Recounted, Rows, recount
from qflowd.engine.finishing.timers import DEADLINE, RUN
from qflowd.engine.maps.places import take_places
from qflowd.engine.plans.instances import Instances
from qflowd.engine.request import Refused
from qflowd.engine.sagas.compensate import refuse_compensated
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.states import InstanceState, Reason, SagaState, TaskKind, TaskState
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
    if instance.saga_state == SagaState.COMPENSATION_FAILED and command.action != "retry":
        raise Refused(f"the compensation of instance {instance_id} has failed; `retry` continues it")
    refuse_terminating(instance, command.action)
    if instance.state == InstanceState.READY:
        why = "is held and has not begun; `resume` starts it"
        if instance.concurrency_key is not None:
            why = "waits for another one of its workflow and has not begun"
        raise Refused(f"instance {instance_id} {why}")
    if not rows:
        raise Refused(f"instance {instance_id} is {state_name(instance.state)} and had not begun; submit it anew")
    instances.load(tx, [instance_id * ORDINALS])
    plan = instances[instance_id].plan
    check_place(instance, plan, line)
    if any(row.kind == TaskKind.SPAWNED for row in rows):
        raise Refused(
            f"instance {instance_id} has spawned tasks; {command.action} of such an instance is not supported yet"
        )
    row = {row.id % ORDINALS: row for row in rows}
    nodes = {ordinal: row.node for ordinal, row in row.items()}
    states = {ordinal: TaskState(row.state) for ordinal, row in row.items()}
    fan_outs = tx.run("list_fan_outs", **key_range(instance_id)) if plan.maps else []
    items = {fan_out.task_id % ORDINALS: fan_out.items for fan_out in fan_outs}
    firsts = {fan_out.task_id % ORDINALS: fan_out.first_ordinal for fan_out in fan_outs}
    waiting = tx.run("list_open_children", **key_range(instance_id)) if plan.starts else []
    children = {child.task_id % ORDINALS: child.instance_id for child in waiting}
    manual = {row.id % ORDINALS for row in tx.run("list_manual_retries", **key_range(instance_id))}
    return Locked(instance_id, instance, instances, row, states, Rows(plan, nodes, items, firsts), children, manual)


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
    gone = {part for head in anew for part in rows.parts(head)}
    if held := [ordinal for ordinal in sorted(again | gone) if locked.states[ordinal].is_held]:
        raise Refused(
            f"{locked.names(held)} of instance {locked.id} is being run; wait for its end, or terminate first"
        )
    if waiting := sorted(locked.children.keys() & (again | gone)):
        raise Refused(
            f"{locked.names(waiting[:1])} of instance {locked.id} waits for instance {locked.children[waiting[0]]}; wait "
            "for its end, or terminate it first"
        )
    rows.forget_items(anew)
    again = again - gone
    states = {**locked.states, **(ended or {})}
    passed = (locked.passed - again).union(ended or ())
    conditions = EdgeConditions(tx, locked.instances)

    def edge_holds(parent: int, child: int) -> bool:
        return conditions.holds(locked.id, locked.row[parent], child)

    recounted = recount(locked.rows, states, again, edge_holds, kept=kept, passed=passed)
    needs = {ordinal: row.need for ordinal, row in locked.row.items()}
    recounted, gates = take_places(rows, states, needs, recounted, kept)
    continued = NOBODY if has_other_params else {i for i in targets if locked.states[i] is not TaskState.SUCCESS}
    _write(tx, locked, recounted, kept, again - continued)
    if gates:
        tx.run("set_places", rows=[(locked.id * ORDINALS + head, *gate) for head, *gate in gates])
    if rows.plan.starts:  # what starts from the beginning starts another instance
        others = again if has_new_items else again - continued
        tx.run("forget_children", rows=[(locked.id * ORDINALS + ordinal,) for ordinal in sorted(others | gone)])
    if gone:
        # Their list may be another one: whatever they were, they are made anew.
        tx.run("delete_items", rows=[(locked.id * ORDINALS + part,) for part in sorted(gone)])
        tx.run("delete_fan_outs", rows=[(locked.id * ORDINALS + head,) for head in sorted(anew)])
        for part in gone:
            del states[part]
    _reopen(tx, locked, states | {row.ordinal: row.state for row in recounted})
    return recounted


def _maps_anew(rows: Rows, again: AbstractSet[int], rerun: AbstractSet[int]) -> set[int]:
    """The maps that make their items anew: those rerun, and those behind what may bring another list."""
    anew: set[int] = set()
    for head in sorted(rows.items.keys() & again):  # parents first
        each = rows.plan.each.get(head, ())
        has_other_list = any(parent in anew or (parent in again and parent not in rows.items) for parent in each)
        if head in rerun or has_other_list or not again.isdisjoint(set(rows.plan.parents[head]).difference(each)):
            anew.add(head)
    return anew


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
    """The ordinal of an item of a map by its label or its index, as in `bars[AAPL]` or `bars[17]`; None for other names.

    Raises: Refused if there is no such item, or several.
    """
    key, bracket, label = name.removesuffix("]").partition("[")
    node = locked.rows.plan.by_key.get(key)
    if not (bracket and name.endswith("]")) or node is None:
        return None
    parts = locked.rows.parts(node.ordinal)
    of_label = [part for part in parts if locked.row[part].label == label]
    items = of_label or [part for part in parts if str(locked.row[part].map_index) == label]
    if not items:
        raise Refused(
            f"task {key} of instance {locked.id} has no item {label!r}; there are {locked.names(sorted(parts))}"
        )
    if len(items) > 1:
        indexes = ", ".join(f"{key}[{locked.row[part].map_index}]" for part in items[:NAMED])
        raise Refused(f"{len(items)} items are called {name}; name one by its index: {indexes}")
    return items[0]

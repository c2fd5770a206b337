"""An instance that a command changes, with all its rows locked, and which of them the command names."""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from types import MappingProxyType
from typing import Any, NamedTuple

from qflowd.engine.admission.walls import refuse_suspended
from qflowd.engine.commands.control import Command, refuse_terminating, remedy, standing, state_name
from qflowd.engine.commands.row_graph import NO_ORDINALS, RowGraph
from qflowd.engine.concurrency.overlap import check_place, line_of
from qflowd.engine.finishing.timers import RUN
from qflowd.engine.plans.instances import Instances
from qflowd.engine.refusal import NAMED, Refused, listed, no_such_task
from qflowd.engine.sagas.compensate import refuse_compensated
from qflowd.engine.spawning.spawn_tree import load_tree
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.near_names import did_you_mean
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState, Reason, SagaState, TaskState
from qflowd.model.workflow import Task
from qflowd.store.tx import Tx


class LockedInstance(NamedTuple):
    """An instance (a row of `lock_instance`), and all its `rows` by ordinal (of `lock_tasks`)."""

    id: int
    instance: Any
    instances: Instances
    rows: Mapping[int, Any]
    states: Mapping[int, TaskState]
    graph: RowGraph
    children: Mapping[int, int] = MappingProxyType({})  # ordinals of tasks that wait for an instance -> that
    waiting: AbstractSet[int] = NO_ORDINALS  # ordinals of tasks that have failed and wait for a person

    @property
    def new_round(self) -> int:
        """A round that no row has had."""
        return 1 + max(int(row.round) for row in self.rows.values())

    @property
    def passed(self) -> set[int]:
        """The rows that a person has skipped."""
        return {ordinal for ordinal, row in self.rows.items() if row.reason == Reason.MANUAL}

    def task(self, ordinal: int) -> Task:
        return self.graph.plan.tasks[self.graph.nodes[ordinal]]

    def names(self, ordinals: Iterable[int]) -> str:
        names = [self.graph.plan.name_of(self.rows[ordinal]) for ordinal in ordinals]
        return listed(names)

    def timer_of(self, ordinal: int) -> tuple[int, int, int]:
        """The key of the timer that a row may wait for: a row of `delete_timers`."""
        return self.id * ORDINALS + ordinal, RUN, self.rows[ordinal].fence


def lock(tx: Tx, command: Command, target: Any, instances: Instances) -> LockedInstance:
    """Lock all rows of an instance (a row of `find_instance`), then itself.

    Raises: Refused if it is being terminated, has no rows, or has ended and must not run beside others of its workflow.
    """
    instance_id = target.id
    locked = tx.run("lock_tasks", **key_range(instance_id))
    line = line_of(tx, target, command.begun)
    instance = tx.one("lock_instance", id=instance_id)
    refuse_compensated(instance)
    refuse_terminating(instance)
    has_failed = instance.saga_state == SagaState.COMPENSATION_FAILED and command.action != "retry"
    if has_failed or instance.state == InstanceState.READY:
        unbegun = "" if has_failed else " and has not begun"
        raise Refused(f"instance {instance_id} is {standing(instance)}{unbegun}{remedy(instance)}")
    if InstanceState(instance.state).is_final:
        refuse_suspended(tx, command.tenant)
    if not locked:
        raise Refused(f"instance {instance_id} is {state_name(instance.state)} and had not begun; submit it again")
    instances.load(tx, [instance_id * ORDINALS])
    plan = instances[instance_id].plan
    check_place(instance, plan, line)
    rows = {row.id % ORDINALS: row for row in locked}
    nodes = {ordinal: row.node for ordinal, row in rows.items()}
    states = {ordinal: TaskState(row.state) for ordinal, row in rows.items()}
    fan_outs = tx.run("list_fan_outs", **key_range(instance_id)) if plan.maps else []
    items = {fan_out.task_id % ORDINALS: fan_out.items for fan_out in fan_outs}
    firsts = {fan_out.task_id % ORDINALS: fan_out.first_ordinal for fan_out in fan_outs}
    waiting = tx.run("list_open_children", **key_range(instance_id)) if plan.starts else []
    children = {child.task_id % ORDINALS: child.instance_id for child in waiting}
    manual = {row.id % ORDINALS for row in tx.run("list_manual_retries", **key_range(instance_id))}
    graph = RowGraph(plan, nodes, items, firsts, load_tree(tx, instance_id))
    return LockedInstance(instance_id, instance, instances, rows, states, graph, children, manual)


def named(command: Command, locked: LockedInstance) -> int | None:
    """The ordinal that a command names by `task` or `task_id`; None if it names none.

    Raises: Refused if there is none such.
    """
    ordinal = None
    if command.task_id is not None:
        ordinal = command.task_id % ORDINALS
        if instance_of(command.task_id) != locked.id or ordinal not in locked.rows:
            raise Refused(f"task_id {command.task_id} is not a task of instance {locked.id}", Refusal.NOT_FOUND)
    if command.task is not None:
        node = locked.graph.plan.by_key.get(command.task)
        if node is None and ordinal is None and (item := _item(command.task, locked)) is not None:
            return item
        if node is None or (ordinal is not None and locked.rows[ordinal].node != node.ordinal):
            raise no_such_task(f"instance {locked.id}", command.task, [task.key for task in locked.graph.plan.tasks])
        ordinal = node.ordinal if ordinal is None else ordinal
    return ordinal


def named_all(command: Command, locked: LockedInstance) -> set[int]:
    """The ordinals that a command names: one task, or the failures that its filter has chosen; none if it names nothing.

    Raises: Refused if there is no such task.
    """
    ordinal = named(command, locked)
    return {number % ORDINALS for number in command.task_ids} if ordinal is None else {ordinal}


def _item(name: str, locked: LockedInstance) -> int | None:
    """The ordinal of an item by its label or index (`bars[AAPL]`, `bars[17]`), or of a spawned task by its name; else None.

    Raises: Refused if there is none such, or several.
    """
    key, bracket, label = name.removesuffix("]").partition("[")
    node = locked.graph.plan.by_key.get(key)
    if not (bracket and name.endswith("]")) or node is None:
        return None
    parts = locked.graph.parts(node.ordinal)
    spawned = [task for task in locked.graph.tree.spawner if locked.rows[task].node == node.ordinal]
    of_label = [part for part in [*parts, *spawned] if locked.rows[part].label == label]
    items = of_label or [part for part in parts if str(locked.rows[part].map_index) == label]
    if not items:
        what = "item" if parts or not spawned else "spawned task"
        known = sorted([*parts, *spawned])
        labels = {str(locked.rows[part].label) for part in known}
        hint = did_you_mean(label, labels, f"there are {locked.names(known)}")
        raise Refused(f"task {key} of instance {locked.id} has no {what} {label!r}{hint}", Refusal.NOT_FOUND)
    if len(items) > 1:
        indexes = ", ".join(f"{key}[{locked.rows[part].map_index}]" for part in items[:NAMED])
        raise Refused(f"{len(items)} items are called {name}; name one by its index: {indexes}")
    return items[0]

"""Retry: failed tasks of an instance start anew, and everything behind them waits for them again.

All rows of the instance are locked first, in their order, so a finish of one of them is over or waits. Then the
counters are worked out again from the present states of parents, by the same rules by which they were counted down.

A restarted row begins with a new budget: `attempt` counts from 1 again, `crashes` from 0. The fence keeps rising, so
the rounds stay apart in `attempts`. Checkpoints are kept: a long job continues where it was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from qflowd.engine import advance, close, kinds
from qflowd.engine.compensate import refuse_compensated, retry_compensations
from qflowd.engine.conditions import EdgeConditions
from qflowd.engine.control import (
    Caches,
    CarriedOut,
    Command,
    NotPossible,
    one_instance,
    refuse_terminating,
    state_name,
    verb,
)
from qflowd.engine.instances import Instances
from qflowd.engine.overlap import check_place, line_of
from qflowd.engine.plan import Plan
from qflowd.engine.request import Refused
from qflowd.engine.timers import DEADLINE
from qflowd.model import rules
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.states import InstanceState, Reason, SagaState, TaskState
from qflowd.store.tx import Tx

PART = 10_000  # rows written by one statement
NAMED = 20  # tasks named in an answer
RETRIED = (TaskState.FAILED, TaskState.CANCELLED)


class Recounted(NamedTuple):
    """A row that starts anew, with its counters."""

    ordinal: int
    state: TaskState
    open_parents: int
    need: int
    bad_parents: int


# Does the condition of the edge from a parent to a child hold? Asked only for edges that have one, of parents in SUCCESS.
EdgeHolds = Callable[[int, int], bool]


class Rows:
    """All rows of an instance by ordinal, and how they hang together."""

    def __init__(self, plan: Plan, nodes: dict[int, int], items: dict[int, int]) -> None:
        """`nodes`: ordinal -> node. `items`: head of a map -> how many items it waits for."""
        self.plan, self.nodes, self.items = plan, nodes, items
        self._parts: dict[int, list[int]] = {}  # node -> ordinals of the rows that are parts of it
        for ordinal, node in nodes.items():
            if ordinal != node:
                self._parts.setdefault(node, []).append(ordinal)

    def parents(self, ordinal: int) -> Sequence[int]:
        node = self.nodes[ordinal]
        return [*self.plan.parents[node], *self.parts(node)] if ordinal == node else ()

    def parts(self, node: int) -> Sequence[int]:
        """The rows beyond the plan's nodes that are parts of a node."""
        return self._parts.get(node, ())

    def forget_items(self, heads: Iterable[int]) -> None:
        """These maps will have other items."""
        for head in heads:
            self.items.pop(head)
            for part in self._parts.pop(head, ()):
                self.nodes.pop(part)

    def start(self, ordinal: int) -> rules.Counters:
        """The counters of a row before anything has arrived."""
        node = self.nodes[ordinal]
        parents = self.plan.parents[node] if ordinal == node else ()
        open_parents, need = rules.start(len(parents), self.plan.tasks[node].trigger_rule)
        parts = len(self.parents(ordinal)) - len(parents)
        return rules.Counters(open_parents + parts, need + parts)

    def arrival(self, parent: int, state: TaskState, child: int, edge_holds: EdgeHolds) -> rules.Worth:
        """What a row that ended brings to one that waits for it."""
        return advance.arrival(
            self.plan, self.nodes[parent], state, self.nodes[child], lambda: edge_holds(parent, child)
        )

    def behind(self, ordinals: Iterable[int]) -> set[int]:
        """All rows that wait, directly or not, for these."""
        waiting: set[int] = set()
        open_rows = list(ordinals)
        while open_rows:
            ordinal = open_rows.pop()
            new = set(self.plan.children_of(ordinal, self.nodes[ordinal])) - waiting
            waiting |= new
            open_rows += new
        return waiting

    def in_order(self, ordinals: Iterable[int]) -> list[int]:
        """Parents first: nodes are in topological order, and parts come before their node's own row."""
        return sorted(ordinals, key=lambda ordinal: (self.nodes[ordinal], -ordinal))


def recount(rows: Rows, states: Mapping[int, TaskState], again: set[int], edge_holds: EdgeHolds) -> list[Recounted]:
    """State and counters of the rows `again`, as if they had never been looked at; the others stay as they are.

    A row may end at once: its parents have all ended, and not in its favour.
    """
    now = dict(states)
    recounted = []
    for ordinal in rows.in_order(again):
        if ordinal in rows.items:
            recounted.append(head := _recount_head(rows, ordinal, now))
            now[ordinal] = head.state
            continue
        parents = rows.parents(ordinal)
        arrivals = gain = bad = 0
        for parent in parents:
            if not now[parent].is_final:
                continue
            worth = rows.arrival(parent, now[parent], ordinal, edge_holds)
            arrivals, gain, bad = arrivals + 1, gain + worth.gain, bad + worth.bad
        open_parents, need = rows.start(ordinal)
        state = TaskState.READY
        if parents:
            state = rules.settle(TaskState.PENDING, (open_parents, need, 0), arrivals, gain, bad)
        now[ordinal] = state
        recounted.append(Recounted(ordinal, state, open_parents - arrivals, need - gain, bad))
    return sorted(recounted)


def _recount_head(rows: Rows, ordinal: int, states: Mapping[int, TaskState]) -> Recounted:
    """A head that waited for items before; where none is open, it is claimed once more and makes rows for the next ones."""
    items, parts = rows.items[ordinal], [states[part] for part in rows.parts(ordinal)]
    worths = [rules.item_worth(state) for state in parts if state.is_final]
    state = TaskState.PENDING if len(worths) < len(parts) else TaskState.READY
    gain, bad = sum(worth.gain for worth in worths), sum(worth.bad for worth in worths)
    need = rules.needed(items, rows.plan.tasks[ordinal].tolerate) - gain
    return Recounted(ordinal, state, items - len(worths), need, bad)


class Locked(NamedTuple):
    """An instance all of whose rows are locked: rows of `lock_tasks` by ordinal."""

    id: int
    row: Mapping[int, Any]
    states: Mapping[int, TaskState]
    rows: Rows

    def names(self, ordinals: Iterable[int]) -> str:
        names = [self.rows.plan.name_of(self.row[ordinal]) for ordinal in ordinals]
        return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")


@verb(
    "retry",
    needs=one_instance,
    states=(InstanceState.FAILED, InstanceState.TERMINATED),
    batch=1,
    not_possible="instance {id} is {state} and has no failed task to retry",
)
def retry(tx: Tx, command: Command, target: Any, caches: Caches) -> CarriedOut:
    """Restart the FAILED and CANCELLED tasks of an instance (or the one named), and what waits for them.

    Raises: Refused or NotPossible if there are none, or what is behind them is being run.
    """
    number, instances = target.id, caches.instances
    rows = tx.run("lock_tasks", **key_range(number))
    line = line_of(tx, target)
    instance = tx.one("lock_instance", id=number)
    _check_instance(instance, rows)
    instances.load(tx, [number * ORDINALS])
    plan = instances[number].plan
    check_place(instance, plan, line)
    if instance.saga_state == SagaState.COMPENSATION_FAILED:
        return retry_compensations(tx, number)
    row = {row.id % ORDINALS: row for row in rows}
    states = {ordinal: TaskState(row.state) for ordinal, row in row.items()}
    nodes = {ordinal: row.node for ordinal, row in row.items()}
    fan_outs = tx.run("list_fan_outs", **key_range(number)) if plan.maps else []
    items = {fan_out.task_id % ORDINALS: fan_out.items for fan_out in fan_outs}
    locked = Locked(number, row, states, Rows(plan, nodes, items))
    targets = _targets(command, instance, locked)
    again = targets | locked.rows.behind(targets)
    anew = {ordinal for ordinal in locked.rows.items if not again.isdisjoint(plan.parents[ordinal])}
    gone = {part for ordinal in anew for part in locked.rows.parts(ordinal)}
    if held := [ordinal for ordinal in sorted(again | gone) if states[ordinal].is_held]:
        raise Refused(f"{locked.names(held)} of instance {number} is being run; wait for its end, or terminate first")
    locked.rows.forget_items(anew)
    again -= gone
    conditions = EdgeConditions(tx, instances)
    recounted = recount(locked.rows, states, again, lambda parent, child: conditions.holds(number, row[parent], child))
    if command.task or command.task_id:
        _check_named(locked, targets, recounted)
    _restart(tx, number, recounted)
    if gone:
        # Their list may be another one: whatever they were, they are made anew.
        tx.run("delete_items", rows=[(number * ORDINALS + part,) for part in sorted(gone)])
        tx.run("delete_fan_outs", rows=[(number * ORDINALS + ordinal,) for ordinal in sorted(anew)])
    _reopen(tx, instances, instance, locked, recounted)
    result = {"instance_id": number, "retried": [plan.name_of(row[ordinal]) for ordinal in sorted(targets)][:NAMED]}
    return CarriedOut(result | {"tasks": len(targets), "restarted": len(again)}, ("ready", "timer", "turn"))


def _check_instance(instance: Any, rows: Sequence[Any]) -> None:
    refuse_compensated(instance)
    state = InstanceState(instance.state)
    refuse_terminating(instance)
    if state is InstanceState.READY:
        why = "is held and has not begun; `resume` starts it"
        if instance.concurrency_key is not None:
            why = "waits for another one of its workflow and has not begun"
        raise Refused(f"instance {instance.id} {why}")
    is_over = instance.reason != Reason.TOLERATED and instance.saga_state == SagaState.NONE
    if state is InstanceState.SUCCESS and is_over:
        raise NotPossible(id=instance.id, state=state.name)
    if not rows:
        raise Refused(f"instance {instance.id} is {state.name} and had not begun; submit it anew")


def _targets(command: Command, instance: Any, locked: Locked) -> set[int]:
    ordinal, states = _named(command, locked), locked.states
    if ordinal is None:
        targets = {ordinal for ordinal, state in states.items() if state in RETRIED}
        # A map whose items are retried waits for them again.
        targets -= {head for head in locked.rows.items if not targets.isdisjoint(locked.rows.parts(head))}
        if not targets:
            raise NotPossible(id=instance.id, state=state_name(instance.state))
        return targets
    items = {part for part in locked.rows.parts(ordinal) if states[part] in RETRIED}
    if items and ordinal in locked.rows.items:
        return items  # of a map: those that failed, and it waits for them
    if (state := states[ordinal]) not in RETRIED:
        why = "only FAILED and CANCELLED tasks are retried"
        if state is TaskState.UPSTREAM_FAILED:
            bad = [other for other in sorted(states) if states[other] in RETRIED]
            before = [other for other in bad if ordinal in locked.rows.behind([other])]
            why = f"retry {locked.names(before)}, which it waits for"
        raise Refused(f"task {locked.names([ordinal])} of instance {instance.id} is {state.name}; {why}")
    return {ordinal}


def _reopen(tx: Tx, instances: Instances, instance: Any, locked: Locked, recounted: Sequence[Recounted]) -> None:
    plan = locked.rows.plan
    now = dict(locked.states) | {row.ordinal: row.state for row in recounted}
    still_open = [locked.row[ordinal] for ordinal in sorted(now) if not now[ordinal].is_final]
    open_closers = kinds.closers(instances.by_instance(still_open)).get(instance.id, 0)
    deadline_at = instance.deadline_at
    if InstanceState(instance.state).is_final and plan.workflow.timeout is not None:
        deadline_at = tx.now + timedelta(seconds=plan.workflow.timeout)
        tx.run("insert_timers", rows=[(instance.id * ORDINALS, DEADLINE, 0, deadline_at)])
    tx.run("reopen_instance", id=instance.id, open_closers=open_closers, deadline_at=deadline_at, now=tx.now)
    if not open_closers:
        # All that was retried ended at once: nothing of it may run.
        close.end_instances(tx, tx.run("find_closing", rows=[(instance.id,)]))


def _restart(tx: Tx, instance_id: int, recounted: Sequence[Recounted]) -> None:
    """Write the rows anew; what they left behind goes to `attempt`, or away."""
    first = instance_id * ORDINALS
    for start in range(0, len(recounted), PART):
        part = recounted[start : start + PART]
        ids = [(first + row.ordinal,) for row in part]
        tx.run("copy_attempts", rows=ids)
        tx.run("restart_tasks", rows=[_row(first, row, tx.now) for row in part])
        tx.run("delete_large_values", rows=ids)
        tx.run("delete_progress", rows=ids)


def _row(first: int, row: Recounted, now: datetime) -> tuple[Any, ...]:
    """A row of `restart_tasks`."""
    ready_at = now if row.state is TaskState.READY else None
    finished_at = now if row.state.is_final else None
    return (first + row.ordinal, int(row.state), row.open_parents, row.need, row.bad_parents, ready_at, finished_at)


def _named(command: Command, locked: Locked) -> int | None:
    """The ordinal that a command names by `task` or `task_id`; None if it names none."""
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


def _check_named(locked: Locked, targets: set[int], recounted: Sequence[Recounted]) -> None:
    """A single task that could not run after all is refused, with what has to be retried in its place."""
    for row in recounted:
        if row.ordinal in targets and row.state is TaskState.UPSTREAM_FAILED:
            bad = [
                parent
                for parent in locked.rows.parents(row.ordinal)
                if locked.rows.arrival(parent, locked.states[parent], row.ordinal, lambda *_: True).bad
            ]
            raise Refused(
                f"task {locked.names([row.ordinal])} cannot run: {locked.names(bad)} before it did not succeed; "
                "retry that, or all"
            )

"""Retry: failed tasks of an instance start anew, and everything behind them waits for them again.

All rows of the instance are locked first, in their order, so whoever finishes one of them is over or waits. Then the
counters are worked out again from the present states of parents, by the same rules by which they were counted down.

A restarted row begins with a new budget: `attempt` counts from 1 again, `crashes` from 0. The fence goes on rising, so
the rounds stay apart in `attempts`. Checkpoints are kept: a long job goes on where it was.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from qflowd.engine import close
from qflowd.engine.conditions import EdgeConditions
from qflowd.engine.control import Command, Done, target_of, word
from qflowd.engine.instances import Instances
from qflowd.engine.known import Plans
from qflowd.engine.plan import Plan
from qflowd.engine.request import Refused
from qflowd.engine.timers import DEADLINE
from qflowd.model import rules
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.states import InstanceState, Intent, TaskState
from qflowd.store.tx import Tx

PART = 10_000  # rows written by one statement
NAMED = 20  # tasks named in an answer
RETRIED = (TaskState.FAILED, TaskState.CANCELLED)


class Recounted(NamedTuple):
    """A node that starts anew, with its counters."""

    node: int
    state: TaskState
    open_parents: int
    need: int
    bad_parents: int


# Does the condition of the edge from a parent to a child hold? Asked only for edges that have one, of parents in SUCCESS.
EdgeHolds = Callable[[int, int], bool]


def behind(plan: Plan, nodes: Iterable[int]) -> set[int]:
    """All nodes that wait, directly or not, for these."""
    found: set[int] = set()
    open_nodes = list(nodes)
    while open_nodes:
        new = set(plan.children[open_nodes.pop()]) - found
        found |= new
        open_nodes += new
    return found


def recount(plan: Plan, states: Mapping[int, TaskState], again: set[int], edge_holds: EdgeHolds) -> list[Recounted]:
    """State and counters of the nodes `again`, as if they had never been looked at; the others stay as they are.

    A node may end at once: its parents have all ended, and not in its favour.
    """
    now = dict(states)
    found = []
    for node in sorted(again):  # ordinals are topological: parents come first
        parents = plan.nodes[node].parents
        conditions = plan.nodes[node].conditions
        arrivals = gain = bad = 0
        for parent in parents:
            state = now[parent]
            if not state.is_final:
                continue
            condition = edge_holds(parent, node) if parent in conditions and state is TaskState.SUCCESS else True
            worth = rules.worth(state, condition=condition)
            arrivals, gain, bad = arrivals + 1, gain + worth.gain, bad + worth.bad
        open_parents, need = rules.start(len(parents))
        state = TaskState.READY
        if parents:
            state = rules.settle(TaskState.PENDING, (open_parents, need, 0), arrivals, gain, bad)
        now[node] = state
        found.append(Recounted(node, state, open_parents - arrivals, need - gain, bad))
    return found


class Retry:
    """The verb, with what it needs to know."""

    def __init__(self, plans: Plans) -> None:
        self._instances = Instances(plans)  # its own: the executor forgets instances as they end

    def __call__(self, tx: Tx, command: Command) -> Done:
        """Restart the FAILED and CANCELLED tasks of an instance (or the one named), and what waits for them.

        Raises: Refused if there are none, or what is behind them is being run.
        """
        number = target_of(tx, command).id
        rows = tx.run("lock_tasks", **key_range(number))
        instance = tx.one("lock_instance", id=number)
        self._check_instance(instance, rows)
        self._instances.load(tx, [number * ORDINALS])
        plan = self._instances[number].plan
        states = {row.id % ORDINALS: TaskState(row.state) for row in rows}
        targets = self._targets(command, instance, plan, states)
        again = targets | behind(plan, targets)
        if held := [node for node in sorted(again) if states[node].is_held]:
            raise Refused(
                f"{_names(plan, held)} of instance {number} is being run; wait for its end, or terminate first"
            )
        conditions = EdgeConditions(tx, self._instances)
        recounted = recount(plan, states, again, lambda parent, child: conditions.holds(number, parent, child))
        if command.task or command.task_id:
            _check_named(plan, states, targets, recounted)
        _restart(tx, number, recounted)
        self._reopen(tx, instance, plan, states, recounted)
        result = {"instance_id": number, "retried": [plan.nodes[node].key for node in sorted(targets)][:NAMED]}
        return Done(result | {"tasks": len(targets), "restarted": len(again)}, ("ready", "timer", "closed"))

    def _check_instance(self, instance: Any, rows: Sequence[Any]) -> None:
        state = InstanceState(instance.state)
        if instance.intent == Intent.TERMINATE:
            raise Refused(f"instance {instance.id} is being terminated; retry it when it is TERMINATED")
        if state is InstanceState.READY:
            raise Refused(f"instance {instance.id} is held and has not begun; `resume` starts it")
        if state is InstanceState.SUCCESS:
            raise Refused(f"instance {instance.id} is SUCCESS: it has no failed task to retry")
        if not rows:
            raise Refused(f"instance {instance.id} is {state.name} and had not begun; submit it anew")

    def _targets(self, command: Command, instance: Any, plan: Plan, states: Mapping[int, TaskState]) -> set[int]:
        node = _named(command, instance, plan)
        if node is None:
            found = {node for node, state in states.items() if state in RETRIED}
            if not found:
                raise Refused(f"instance {instance.id} is {word(instance.state)} and has no failed task to retry")
            return found
        if (state := states[node]) not in RETRIED:
            why = "only FAILED and CANCELLED tasks are retried"
            if state is TaskState.UPSTREAM_FAILED:
                before = [other for other in range(node) if states[other] in RETRIED and node in behind(plan, [other])]
                why = f"retry {_names(plan, before)}, which it waits for"
            raise Refused(f"task {plan.nodes[node].key} of instance {instance.id} is {state.name}; {why}")
        return {node}

    def _reopen(
        self, tx: Tx, instance: Any, plan: Plan, states: Mapping[int, TaskState], recounted: Sequence[Recounted]
    ) -> None:
        now = dict(states) | {row.node: row.state for row in recounted}
        open_closers = sum(not plan.children[node] and not state.is_final for node, state in now.items())
        deadline_at = instance.deadline_at
        if InstanceState(instance.state).is_final and plan.workflow.timeout is not None:
            deadline_at = tx.now + timedelta(seconds=plan.workflow.timeout)
            tx.run("insert_timers", rows=[(instance.id * ORDINALS, DEADLINE, 0, deadline_at)])
        tx.run("reopen_instance", id=instance.id, open_closers=open_closers, deadline_at=deadline_at, now=tx.now)
        if not open_closers:
            # All that was retried ended at once: nothing of it may run.
            close.end_instances(tx, self._instances, tx.run("find_closing", rows=[(instance.id,)]))


def _restart(tx: Tx, instance_id: int, recounted: Sequence[Recounted]) -> None:
    """Write the rows anew; what they left behind goes to `attempt`, or away."""
    first = instance_id * ORDINALS
    for start in range(0, len(recounted), PART):
        part = recounted[start : start + PART]
        ids = [(first + row.node,) for row in part]
        tx.run("copy_attempts", rows=ids)
        tx.run("restart_tasks", rows=[_row(first, row, tx.now) for row in part])
        tx.run("delete_large_values", rows=ids)
        tx.run("delete_progress", rows=ids)


def _row(first: int, row: Recounted, now: datetime) -> tuple[Any, ...]:
    """A row of `restart_tasks`."""
    ready_at = now if row.state is TaskState.READY else None
    finished_at = now if row.state.is_final else None
    return (first + row.node, int(row.state), row.open_parents, row.need, row.bad_parents, ready_at, finished_at)


def _named(command: Command, instance: Any, plan: Plan) -> int | None:
    """The node that a command names by `task` or `task_id`; None if it names none."""
    node = None
    if command.task_id is not None:
        node = command.task_id % ORDINALS
        if instance_of(command.task_id) != instance.id or node >= len(plan.nodes):
            raise Refused(f"task_id {command.task_id} is no task of instance {instance.id}")
    if command.task is not None:
        found = plan.by_key.get(command.task)
        if found is None or node not in (None, found.ordinal):
            raise Refused(
                f"instance {instance.id} has no task {command.task!r}; there are {_names(plan, range(len(plan.nodes)))}"
            )
        node = found.ordinal
    return node


def _check_named(
    plan: Plan, states: Mapping[int, TaskState], targets: set[int], recounted: Sequence[Recounted]
) -> None:
    """A single task that could not run after all is refused, with what has to be retried in its place."""
    for row in recounted:
        if row.node in targets and row.state is TaskState.UPSTREAM_FAILED:
            bad = [parent for parent in plan.nodes[row.node].parents if rules.worth(states[parent]).bad]
            key = plan.nodes[row.node].key
            raise Refused(f"task {key} cannot run: {_names(plan, bad)} before it did not succeed; retry that, or all")


def _names(plan: Plan, nodes: Iterable[int]) -> str:
    keys = [plan.nodes[node].key for node in nodes]
    return ", ".join(keys[:NAMED]) + (", …" if len(keys) > NAMED else "")

"""What must hold in a store at any moment, and what must hold when nothing is left to do.

check(store)                 raises AssertionError that lists everything that is wrong
check(store, drained=True)   moreover: all that was accepted has ended, nothing is held, nothing stands in a lane
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from qflowd.engine.caches import Plans
from qflowd.engine.plans.plan import Plan
from qflowd.model.ids import ORDINALS
from qflowd.model.rules import GATE, start, worth
from qflowd.model.states import InstanceState, Intent, Reason, SagaState, TaskKind, TaskState
from qflowd.store.tx import Store
from tests.support.silence import silent

HELD = (TaskState.RESERVED, TaskState.RUNNING)
PAIRS = {"instance_edge": "parent, child", "paused_node": "instance_id, node", "task_sweep": "instance_id, node"}
OF_TASKS = (
    "timer",
    "deferral",
    "large_value",
    "checkpoint",
    "task_progress",
    "task_input",
    "waiter",
    "file_wait",
    "spawned",
    "spawner",
    "fan_out",
)
ROWS_OF_TASKS = (
    "SELECT 'attempt', a.task_id, a.fence, t.fence FROM qflow.attempt a JOIN qflow.task_instance t ON t.id = a.task_id "
    "WHERE a.fence >= t.fence"
) + "".join(
    f" UNION ALL SELECT '{table}', x.task_id, 0, 0 FROM qflow.{table} x WHERE NOT EXISTS "
    "(SELECT 1 FROM qflow.task_instance t WHERE t.id = x.task_id)"
    for table in OF_TASKS
)


class Task(NamedTuple):
    id: int
    node: int
    state: TaskState
    fence: int
    done_fence: int | None
    owner: int | None
    open_parents: int
    need: int
    bad_parents: int
    crashes: int
    finished: bool
    timer_fence: int | None
    items: int | None  # of the head of a map that waits for its items
    opened: int | None
    kind: TaskKind
    reason: int
    first: int | None  # ordinal of the first item
    gated: int | None
    gate: int | None
    open_spawned: int | None
    is_paused: bool  # its node is, or was a moment ago

    @property
    def awaits_spawned(self) -> bool:
        """Its attempt has succeeded; it waits for the tasks that it spawned."""
        return self.state is TaskState.PENDING and self.done_fence is not None

    @property
    def outcome(self) -> TaskState:
        """What it is to the tasks behind it: a person's skip counts as done."""
        return TaskState.SUCCESS if self.reason == Reason.MANUAL else self.state


class Instance(NamedTuple):
    id: int
    version_id: int | None
    state: InstanceState
    intent: int
    open_closers: int
    finished: bool
    counts: tuple[int, ...]
    saga_state: SagaState
    meter: int | None


def check(store: Store, *, drained: bool = False) -> None:
    """Raise AssertionError unless all invariants hold. Call it while no transaction is under way."""
    found = list(violations(store, drained=drained))
    assert not found, "\n" + "\n".join(found[:20])


def violations(store: Store, *, drained: bool = False) -> Iterator[str]:
    """Everything that is wrong, a sentence each."""
    plans = Plans()
    tasks: dict[int, dict[int, Task]] = {}
    found, edges = _tasks(store)
    for task in found:
        tasks.setdefault(task.id // ORDINALS, {})[task.id % ORDINALS] = task
    instances = {instance.id: instance for instance in _instances(store)}
    yield from _submissions(store, instances)
    yield from _rows_of_tasks(store)
    yield from _meters(instances.values())
    yield from silent(store)
    yield from (f"rows of instance {number}, which does not exist" for number in tasks.keys() - instances.keys())
    parents: dict[int, list[int]] = {}
    for parent, child in edges:
        parents.setdefault(child, []).append(parent)
    for instance in instances.values():
        plan = None if instance.version_id is None else _plan(store, plans, instance.version_id)
        rows = tasks.get(instance.id, {})
        for task in rows.values():
            yield from _row(task, instance)
        yield from _instance(instance, rows, plan, drained=drained)
        undoing = {ordinal: rows.pop(ordinal) for ordinal in list(rows) if rows[ordinal].kind is TaskKind.COMPENSATION}
        if Intent(instance.intent).is_end or instance.intent == Intent.COMPENSATE:
            continue
        if instance.saga_state is SagaState.COMPENSATING:
            yield from _compensations(instance, undoing, parents)
        elif plan is not None:
            yield from _counters(instance, rows, plan)
            yield from _spawned(rows, parents)


def _submissions(store: Store, instances: dict[int, Instance]) -> Iterator[str]:
    """I1: what was accepted is there."""
    sql = "SELECT id, state, instance_id, is_open, answered_at FROM qflow.submissions"
    for number, state, instance_id, is_open, answered_at in store.connection().script(sql):
        if state == "ACCEPTED" and instance_id not in instances:
            yield f"I1: submission {number} was accepted as instance {instance_id}, which does not exist"
        if bool(is_open) == (answered_at is not None):
            yield f"I1: submission {number}: is_open {is_open}, answered_at {answered_at}"


def _rows_of_tasks(store: Store) -> Iterator[str]:
    """I6: an attempt is of a fence that is over. What belongs to a task goes with its row."""
    for table, task, fence, now in store.connection().script(ROWS_OF_TASKS):
        if table == "attempt":
            yield f"I6: task {task} has an attempt of fence {fence}, its own is {now}"
        else:
            yield f"{table} has a row of task {task}, which does not exist"


def _meters(instances: Iterable[Instance]) -> Iterator[str]:
    """What is counted as open is open, and what is to be added to the usage has ended."""
    for one in instances:
        if one.meter is not None and one.meter != (2 if one.state.is_final else 1):
            yield f"instance {one.id} ({one.state.name}) has meter {one.meter}"


def _row(task: Task, instance: Instance) -> Iterator[str]:
    if task.state is TaskState.SUCCESS and task.done_fence != task.fence - 1:
        yield f"I5: task {task.id} was accepted with fence {task.done_fence}, its own is {task.fence}"
    if task.state in HELD and task.owner is None:
        yield f"I2: task {task.id} is {task.state.name} and nobody's"
    if task.state in (TaskState.PENDING, TaskState.READY, TaskState.HELD) and task.owner is not None:
        yield f"I2: task {task.id} is {task.state.name} and owned by {task.owner}"
    if (
        task.state is TaskState.PENDING
        and task.need <= 0
        and task.items is None
        and not task.awaits_spawned
        and task.timer_fence != task.fence
        and (not Intent(instance.intent).is_end)
    ):
        yield f"I2: task {task.id} waits for a timer that is not there (fence {task.fence}, timer {task.timer_fence})"
    if task.state.is_final != task.finished:
        yield f"task {task.id} is {task.state.name}, finished_at set: {task.finished}"
    if task.crashes > 3:
        yield f"I8: task {task.id} has taken {task.crashes} workers down"


def _instance(instance: Instance, rows: dict[int, Task], plan: Plan | None, *, drained: bool) -> Iterator[str]:
    open_rows = [task for task in rows.values() if not task.state.is_final]
    name = f"instance {instance.id} ({instance.state.name})"
    if instance.state is InstanceState.READY and rows:
        yield f"{name} is held and has rows"
    if instance.state.is_final != instance.finished:
        yield f"{name}: finished_at set: {instance.finished}"
    if instance.state.is_final:
        yield from _ended(instance, name, list(rows.values()))
        return
    if instance.state is InstanceState.RUNNING and not instance.intent:
        yield from (
            f"{name} is not paused, nor is task {task.id}, which is HELD"
            for task in open_rows
            if task.state is TaskState.HELD and not task.is_paused
        )
    is_swept = Intent(instance.intent).is_end or instance.intent == Intent.COMPENSATE
    if instance.state is InstanceState.RUNNING and not open_rows and not is_swept:
        yield f"G4: {name} has no open row left"
    if plan is not None and rows and len(rows) < len(plan.nodes):
        yield f"{name} has {len(rows)} of {len(plan.nodes)} rows"
    if drained and instance.state is not InstanceState.READY:
        yield f"I1: {name} has not ended"
    if drained:
        yield from (f"I2: task {task.id} is {task.state.name}" for task in open_rows)


def _ended(instance: Instance, name: str, rows: list[Task]) -> Iterator[str]:
    states, undoing = [task.state for task in rows], [task.state for task in rows if task.kind is TaskKind.COMPENSATION]
    if still := [state.name for state in states if not state.is_final]:
        yield f"{name} has open rows: {still[:5]}"
    if instance.open_closers or instance.intent:
        yield f"{name}: open_closers {instance.open_closers}, intent {instance.intent}"
    if instance.saga_state is SagaState.COMPENSATING:
        yield f"{name} is still being compensated"
    is_undone = all(state in (TaskState.SUCCESS, TaskState.SKIPPED) for state in undoing)
    if undoing and is_undone != (instance.saga_state is SagaState.COMPENSATED):
        yield f"{name} is {instance.saga_state.name}; its compensations are {[state.name for state in undoing][:20]}"
    states = [task.state for task in rows if task.kind is not TaskKind.COMPENSATION]
    bad = states.count(TaskState.FAILED) + states.count(TaskState.UPSTREAM_FAILED)
    if instance.counts != (states.count(TaskState.SUCCESS), bad, states.count(TaskState.SKIPPED)):
        yield f"{name} counted {instance.counts}"


def _compensations(instance: Instance, rows: dict[int, Task], parents: dict[int, list[int]]) -> Iterator[str]:
    """I4 of the compensations of an instance: each waits for its stored parents, a link in vain."""
    of_id = {task.id: task for task in rows.values()}
    if (still := sum(not task.state.is_final for task in rows.values())) != instance.open_closers:
        yield f"I4: instance {instance.id}: open_closers {instance.open_closers}, open compensations {still}"
    for task in rows.values():
        still = sum(not of_id[parent].state.is_final for parent in parents.get(task.id, ()))
        if not task.state.is_final and task.open_parents != still:
            yield f"I4: compensation {task.id} ({task.state.name}) has open {task.open_parents}, in truth {still}"
        if task.state is TaskState.PENDING and task.need > 0 and not still:
            yield f"I3: compensation {task.id} waits, and all before it have ended"


def _counters(instance: Instance, rows: dict[int, Task], plan: Plan) -> Iterator[str]:
    """I3, I4: counters say what parents have come to; conditions are known only to lie between two bounds."""
    if instance.state is InstanceState.RUNNING:
        closers = sum(
            ordinal == task.node and plan.is_closer[task.node] and not task.state.is_final
            for ordinal, task in rows.items()
        )
        if closers != instance.open_closers:
            yield f"I4: instance {instance.id}: open_closers {instance.open_closers}, in truth {closers}"
    parts: dict[int, list[TaskState]] = {}
    for ordinal, task in rows.items():
        if ordinal != task.node and task.kind is not TaskKind.SPAWNED:
            parts.setdefault(task.node, []).append(task.outcome)
    # Nothing comes before the parts of a node.
    nodes = {node: task for node, task in rows.items() if node == task.node}
    heads = {node for node, task in nodes.items() if task.items is not None and not task.state.is_final}
    yield from (fault for node in heads for fault in _head(rows[node], parts.get(node, [])))
    yield from (fault for node in plan.maps for fault in _items(node, rows, plan))
    for node, task in nodes.items():
        if node in heads or task.awaits_spawned:
            continue
        # A map that waits for another one item by item waits only for its list.
        begun = [parent for parent in plan.each.get(node, ()) if rows[parent].items is not None]
        parents = [
            TaskState.SUCCESS if parent in begun else rows[parent].outcome
            for parent in plan.nodes[node].parents
            if parent in rows
        ]
        states = parents + parts.get(node, [])
        if task.state.is_final or not states:
            continue
        open_parents = sum(not state.is_final for state in states)
        rule = plan.tasks[node].trigger_rule
        worths = [
            worth(
                TaskState.SUCCESS if parent in begun else rows[parent].state,
                rule,
                condition=parent in begun
                or rows[parent].state is TaskState.SUCCESS
                or parent not in plan.nodes[node].conditions,
                tolerated=plan.tasks[parent].on_failure == "continue",
            )
            for parent in plan.nodes[node].parents
            if parent in rows and (rows[parent].state.is_final or parent in begun)
        ]
        worths += [worth(state) for state in parts.get(node, []) if state.is_final]
        bad = sum(one.bad for one in worths)
        least = start(len(parents), rule).need + len(states) - len(parents) - sum(one.gain for one in worths)
        most = least + (len(plan.nodes[node].conditions) if TaskState.SUCCESS in parents else 0)
        is_possible = min(least, 0) <= task.need <= max(most, 0)
        if (task.open_parents, task.bad_parents) != (open_parents, bad) or not is_possible:
            yield (
                f"I4: task {task.id} ({task.state.name}) has open {task.open_parents}, need {task.need}, bad "
                f"{task.bad_parents}; its parents are {[state.name for state in states]}"
            )
        if task.state is TaskState.PENDING and task.need > 0 and not open_parents:
            yield f"I3: task {task.id} waits, and all its parents have ended"


def _items(node: int, rows: dict[int, Task], plan: Plan) -> Iterator[str]:
    """I4 of the items of a map: they count the same items of the maps before it, and wait for a place if they are gated."""
    head = rows[node]
    parts = [(ordinal, task) for ordinal, task in rows.items() if task.node == node != ordinal]
    items = [(ordinal - (head.first or 0), task) for ordinal, task in parts if task.kind is not TaskKind.SPAWNED]
    gated = [index for index, task in items if task.need >= GATE and not task.state.is_final]
    if not head.state.is_final and head.items is not None and len(gated) != head.gated:
        yield f"I4: head {head.id} says that {head.gated} items wait for a place, in truth {len(gated)}"
    if gated and min(gated) < (head.gate or 0):
        yield f"I3: item {min(gated)} of head {head.id} waits for a place, and is not looked for before {head.gate}"
    if gated and not any(not task.state.is_final and task.need < GATE for _, task in items):
        yield f"I3: items of head {head.id} wait for a place, and none is open"
    for index, task in items:
        if task.state.is_final or task.awaits_spawned:
            continue
        open_parents, need, bad = _expected(node, index, rows, plan)
        is_gated = index in gated
        truth = open_parents + is_gated, need + is_gated * GATE, bad
        if (task.open_parents, task.need, task.bad_parents) != truth:
            yield f"I4: item {task.id} ({task.state.name}) has {task[6:9]}, in truth {truth}"
        if task.state is TaskState.PENDING and task.need > 0 and not open_parents and not is_gated:
            yield f"I3: item {task.id} waits, and all before it have ended"


def _expected(node: int, index: int, rows: dict[int, Task], plan: Plan) -> tuple[int, int, int]:
    """The counters that an item should have for what the same items before it have come to."""
    above, rule = plan.each.get(node, ()), plan.tasks[node].trigger_rule
    open_parents, need, bad = len(above), start(len(above), rule).need, 0
    for parent in above:
        first = rows[parent].first
        before = None if first is None else rows.get(first + index)
        if before is None and rows[parent].state.is_final:
            before = rows[parent]
        if before is not None and before.state.is_final:
            one = worth(before.outcome, rule, tolerated=plan.tasks[parent].on_failure == "continue")
            open_parents, need, bad = open_parents - 1, need - one.gain, bad + one.bad
    return open_parents, need, bad


def _spawned(rows: dict[int, Task], parents: dict[int, list[int]]) -> Iterator[str]:
    """I4 for spawned tasks: they count those that they come after, and their spawner counts them."""
    of_id = {task.id: task for task in rows.values()}
    for task in rows.values():
        if task.kind is not TaskKind.SPAWNED and not task.awaits_spawned:
            continue
        before = [of_id[parent] for parent in parents.get(task.id, ()) if (parent > task.id) == task.awaits_spawned]
        still = sum(not one.state.is_final for one in before)
        counted = task.open_spawned if task.awaits_spawned else task.open_parents
        if not task.state.is_final and counted != still:
            yield f"I4: task {task.id} ({task.state.name}) has open {counted}, in truth {still}"
        if task.state is TaskState.PENDING and (task.need > 0 or task.awaits_spawned) and not still:
            yield f"I3: task {task.id} waits, and all that it waits for has ended"
    spawners: dict[int, list[int]] = {}
    for child, above in parents.items():
        for parent in above:
            if child < parent:
                spawners.setdefault(parent, []).append(child)
    for task in rows.values():
        if task.kind is TaskKind.SPAWNED and len(spawners.get(task.id, ())) != 1:
            yield f"task {task.id} was spawned by {spawners.get(task.id)}"


def _head(task: Task, items: list[TaskState]) -> Iterator[str]:
    """I4 for maps: a head counts its items, and has made a row for each up to where it says."""
    ended = [state for state in items if state.is_final]
    if len(items) != task.opened or task.open_parents != (task.items or 0) - len(ended):
        yield f"I4: head {task.id} has {task.open_parents} of {task.items} open, {task.opened} rows; rows: {len(items)}, ended {len(ended)}"
    if task.state is TaskState.PENDING and len(ended) == len(items):
        yield f"I3: head {task.id} waits, and none of its items is open"


def _pairs(store: Store) -> dict[str, list[tuple[int, int]]]:
    """Rows of each table of pairs."""
    query = " UNION ALL ".join(f"SELECT '{table}', {columns} FROM qflow.{table}" for table, columns in PAIRS.items())
    found: dict[str, list[tuple[int, int]]] = {table: [] for table in PAIRS}
    for table, one, other in store.connection().script(query):
        found[table].append((one, other))
    return found


def _tasks(store: Store) -> tuple[list[Task], list[tuple[int, int]]]:
    """All tasks, and the edges among those that are not of a plan."""
    sql = (
        "SELECT t.id, t.node, t.state, t.fence, t.done_fence, t.owner, t.open_parents, t.need, t.bad_parents, t.crashes, "
        "CASE WHEN t.finished_at IS NULL THEN 0 ELSE 1 END, COALESCE(c.fence, y.fence, m.fence), f.items, f.opened, t.kind, t.reason, "
        "f.first_ordinal, f.gated, f.gate, s.open_tasks "
        "FROM qflow.task_instance t "
        "LEFT JOIN qflow.timer m ON m.task_id = t.id AND m.purpose = 0 "
        # A task that has started an instance of another workflow waits for that as for a timer.
        "LEFT JOIN qflow.child c ON c.task_id = t.id AND c.is_open = 1 AND c.fence = t.fence "
        # So does one for a fact.
        "LEFT JOIN qflow.waiter y ON y.task_id = t.id AND y.state < 4 AND y.fence = t.fence "
        "LEFT JOIN qflow.fan_out f ON f.task_id = t.id LEFT JOIN qflow.spawner s ON s.task_id = t.id ORDER BY t.id"
    )
    rows = store.connection().script(sql)
    pairs = _pairs(store)
    paused = {*pairs["paused_node"], *pairs["task_sweep"]}
    tasks = []
    for row in rows:
        is_paused = (row[0] // ORDINALS, row[1]) in paused
        kind = TaskKind(row[14])
        tasks.append(
            Task(*row[:2], TaskState(row[2]), *row[3:10], bool(row[10]), *row[11:14], kind, *row[15:], is_paused)
        )
    return tasks, pairs["instance_edge"]


def _instances(store: Store) -> list[Instance]:
    sql = (
        "SELECT id, version_id, state, intent, open_closers, CASE WHEN finished_at IS NULL THEN 0 ELSE 1 END, "
        "succeeded, failed, skipped, saga_state, meter FROM qflow.workflow_instance ORDER BY id"
    )
    return [
        Instance(*row[:2], InstanceState(row[2]), *row[3:5], bool(row[5]), row[6:9], SagaState(row[9]), row[10])
        for row in store.connection().script(sql)
    ]


def _plan(store: Store, plans: Plans, version_id: int) -> Plan:
    return store.read(lambda tx: plans.of_version(tx, version_id))

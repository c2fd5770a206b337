"""Starting instances of other workflows: a task with `workflow: NAME` submits one, and waits for its end.

One transaction: the task's row is parked (fenced: PENDING, without a timer, owned by nobody) → the submission, or the
`retry` of the instance that it started before → the link in `child` → its own instance, which must still let tasks start.
So there is never a second instance, whoever is killed when; from there on, intake does everything.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from qflowd.engine.caches import LaneKey, Plans
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.claiming.paused_rows import without_paused
from qflowd.engine.claiming.unclaimed import claimed_of
from qflowd.engine.plans.gather import Unrenderable, gather
from qflowd.engine.plans.instances import CHILD_TRIGGER, Instances, LoadedInstance
from qflowd.engine.plans.render import Group, render
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed, LeaseLost, StoreUnavailable
from qflowd.model.ids import instance_of
from qflowd.model.states import InstanceState
from qflowd.model.workflow import NO_POOL, Job
from qflowd.store.inbox import COMMAND, SUBMISSION
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
DEEPEST: Final = 10  # levels of instances below the one that nobody's task has started
LARGEST_PRIORITY: Final = 1000  # of a submission, either way
TRIED_AGAIN: Final = (InstanceState.FAILED, InstanceState.TERMINATED)


class Started(NamedTuple):
    """What became of tasks: rows that cannot start a workflow, and how many have."""

    failed: list[Unrenderable]
    started: int


class Start(NamedTuple):
    """A task's row, its instance, and the params that it gives."""

    row: Claimed
    instance: LoadedInstance
    params: str


def lane_of(row: Any) -> Lane:
    """The lane of a row of `list_unclaimed`: its job is the workflow."""
    job = Job(name=row.job, module="", file="", hash="")
    return Lane(row.lane, LaneKey(row.tenant, NO_POOL, row.job), job, None)


def start_children(
    store: Store, instances: Instances, plans: Plans, lane: Lane, rows: Sequence[Any], daemon_topics: set[str]
) -> Started:
    """Start what these rows of one lane (of `list_unclaimed`) ask for, in one transaction.

    `daemon_topics`: gets the topics of those who have something to do now. Rows that changed hands are left alone.

    Raises: StoreUnavailable; it may have been applied all the same.
    """
    try:
        return store.transact(lambda tx: _start(tx, instances, plans, lane, rows, daemon_topics), name="start_children")
    except StoreUnavailable:
        raise
    except LeaseLost:
        if len(rows) == 1:
            return Started([], 0)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others start
        if len(rows) == 1:
            return Started([Unrenderable(row, error) for row in claimed_of(rows)], 0)
    parts = [start_children(store, instances, plans, lane, [row], daemon_topics) for row in rows]
    return Started([failed for part in parts for failed in part.failed], sum(part.started for part in parts))


def _start(tx: Tx, instances: Instances, plans: Plans, lane: Lane, rows: Sequence[Any], topics: set[str]) -> Started:
    rows = without_paused(tx, rows)
    claimed = claimed_of(rows)
    depths = {row.id: int(row.depth) + 1 for row in rows}
    instances.load_claimed(tx, claimed)
    groups, failed = render(gather(tx, instances, (lane, claimed)), None)
    starts = []
    for start in _starts(instances, groups):
        if depths[start.row.id] > DEEPEST:
            error = ExpressionFailed(f"instance {start.instance.id} is {DEEPEST} levels below the first: too deep")
            failed.append(Unrenderable(start.row, error))
        else:
            starts.append(start)
    if not starts:
        return Started(failed, 0)
    parked = sorted((row.id, row.fence, row.attempt, 0) for row, *_ in starts)
    if tx.count("rearm_tasks", rows=parked) < len(parked):
        raise LeaseLost
    before = {row.task_id: row for row in tx.run("load_children", rows=[(row[0],) for row in parked])}
    declared = _declared(tx, plans, lane)
    links = []
    for start in starts:
        number = start.row.id
        child, command = _continue(tx, lane, before[number]) if number in before else (None, None)
        child = child or _submit(tx, lane, start, declared)
        links.append((number, child, start.instance.id, start.row.fence + 1, depths[number], command))
    tx.run("save_children", rows=links, now=tx.now)
    parents = sorted({start.instance.id for start in starts})
    if len(tx.run("lock_startable", rows=[(parent,) for parent in parents])) < len(parents):
        raise LeaseLost
    topics.update(("submission", "command") if before else ("submission",))
    return Started(failed, len(starts))


def _starts(instances: Instances, groups: Iterable[Group]) -> list[Start]:
    return [
        Start(
            row,
            instances[instance_of(row.id)],
            task.params if isinstance(task.params, str) else group.shared[task.params],
        )
        for group in groups
        for row, task in zip(group.rows, group.assignments, strict=True)
    ]


def _continue(tx: Tx, lane: Lane, child: Any) -> tuple[int, int | None]:
    """The instance that the task has started before (a row of `load_children`), and the command that retries it.

    One that runs again, or has succeeded since, because somebody retried it by itself, is only waited for.
    """
    if child.state not in TRIED_AGAIN:
        return child.instance_id, None
    command = COMMAND | {
        "tenant": lane.key.tenant,
        "action": "retry",
        "instance_id": child.instance_id,
        "reason": f"task {child.task_id}, which started it, was retried",
        "requested_by": f"instance:{instance_of(child.task_id)}",
    }
    return child.instance_id, tx.one("insert_command", **command).id


def _submit(tx: Tx, lane: Lane, start: Start, declared: Mapping[str, Any] | None) -> int:
    row, instance, params = start
    node = instance.plan.nodes[row.node]
    if node.params is None and declared is not None:  # by name, as a job would be given them
        values = jsontext.parse(params, "params")
        params = jsontext.dump({name: value for name, value in values.items() if name in declared})
    columns = SUBMISSION | {
        "tenant": instance.tenant,
        "workflow": lane.key.job,
        "params": params,
        "business_date": instance.scope["business_date"],
        "priority": max(-LARGEST_PRIORITY, min(LARGEST_PRIORITY, -row.priority)),
        "trigger_type": CHILD_TRIGGER,
        "submitted_by": f"instance:{instance.id}",
    }
    return int(tx.one("insert_submission", **columns).id)


def _declared(tx: Tx, plans: Plans, lane: Lane) -> Mapping[str, Any] | None:
    """The params that the workflow declares; None where it takes any, or intake will refuse it."""
    definition = tx.one("find_workflow", tenant=lane.key.tenant, workflow=lane.key.job)
    if definition is None or definition.active_version is None:
        return None
    return plans.of_version(tx, definition.active_version).workflow.params

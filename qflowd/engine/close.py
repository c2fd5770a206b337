"""Close: an instance ends when its last closer has ended. A batch touches an instance's row only where that may be."""

from collections.abc import Mapping
from typing import Any

from qflowd.engine.ids import ORDINALS
from qflowd.engine.instances import Instances
from qflowd.model.states import InstanceState, Intent, Reason, TaskState
from qflowd.store.tx import Tx


def close_instances(tx: Tx, instances: Instances, closers: Mapping[int, int]) -> list[int]:
    """Count down open closers; end the instances that have none left. Returns those.

    `closers`: instance -> how many of its closers have ended in this transaction.
    """
    if not closers:
        return []
    tx.run("close_nodes", rows=sorted(closers.items()))
    closing = tx.run("find_closing", rows=[(number,) for number in sorted(closers)])
    return end_instances(tx, instances, closing)


def end_instances(tx: Tx, instances: Instances, closing: list[Any]) -> list[int]:
    """End instances (rows of `find_closing`) with what their tasks came to."""
    if not closing:
        return []
    counts: dict[int, dict[int, int]] = {row.id: {} for row in closing}
    for row in tx.run("count_outcomes", rows=[(row.id,) for row in closing]):
        counts[row.id][row.state] = int(row.tasks)
    endings = [_ending(tx, instances, row, counts[row.id]) for row in closing]
    tx.run("close_instances", rows=endings, now=tx.now)
    return [row.id for row in closing]


def _ending(tx: Tx, instances: Instances, row: Any, count: Mapping[int, int]) -> tuple[Any, ...]:
    """A row of `close_instances`."""
    failed = count.get(TaskState.FAILED, 0) + count.get(TaskState.UPSTREAM_FAILED, 0)
    state, reason, error = InstanceState.SUCCESS, Reason.NONE, None
    if row.intent == Intent.TERMINATE:
        state, reason = InstanceState.TERMINATED, Reason.TERMINATED
        if row.reason == Reason.TIMEOUT:
            state, reason, error = InstanceState.FAILED, Reason.TIMEOUT, "the workflow ran out of its timeout"
    elif failed:
        state, reason = InstanceState.FAILED, Reason.ERROR
        error = _first_error(tx, instances, row.id)
    succeeded, skipped = count.get(TaskState.SUCCESS, 0), count.get(TaskState.SKIPPED, 0)
    return row.id, int(state), int(reason), error, succeeded, failed, skipped


def _first_error(tx: Tx, instances: Instances, instance_id: int) -> str:
    first = instance_id * ORDINALS
    row = tx.one("first_failure", first=first, last=first + ORDINALS - 1)
    if row is None:
        return "a task failed"
    instances.load(tx, [row.id])
    key = instances[instance_id].plan.nodes[row.node].key
    return f"task {key}: {row.error or 'failed'}"[:2000]

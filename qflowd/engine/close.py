"""Close: an instance ends when its last closer has ended. A batch touches an instance's row only where that may be."""

from collections.abc import Callable, Mapping
from typing import Any

from qflowd.engine.instances import Instances
from qflowd.model.ids import key_range
from qflowd.model.states import InstanceState, Intent, Reason, TaskState
from qflowd.store.tx import Tx


def close_instances(tx: Tx, instances: Instances, closers: Mapping[int, int]) -> list[int]:
    """Count down open closers; end the instances that have none left. Returns those.

    `closers`: instance -> how many of its closers have ended in this transaction.
    """
    if not closers:
        return []
    tx.run("count_down_closers", rows=sorted(closers.items()))
    closing = tx.run("find_closing", rows=[(number,) for number in sorted(closers)])
    return end_instances(tx, instances, closing)


def end_instances(tx: Tx, instances: Instances, closing: list[Any]) -> list[int]:
    """End instances (rows of `find_closing`) with what their tasks came to."""
    return _end(tx, closing, lambda row, count: _verdict(tx, instances, row, count))


def end_terminated(tx: Tx, row: Any) -> None:
    """End an instance (a row of `find_closing`) that was told to and has no open task left."""
    _end(tx, [row], lambda row, _: _terminated(row))


Verdict = tuple[InstanceState, Reason, str | None]


def _end(tx: Tx, closing: list[Any], verdict: Callable[[Any, Mapping[int, int]], Verdict]) -> list[int]:
    if not closing:
        return []
    counts: dict[int, dict[int, int]] = {row.id: {} for row in closing}
    for row in tx.run("count_outcomes", rows=[(row.id,) for row in closing]):
        counts[row.id][row.state] = int(row.tasks)
    endings = []
    for row in closing:
        count = counts[row.id]
        state, reason, error = verdict(row, count)
        succeeded, skipped = count.get(TaskState.SUCCESS, 0), count.get(TaskState.SKIPPED, 0)
        endings.append((row.id, int(state), int(reason), error, succeeded, _failed(count), skipped))
    tx.run("close_instances", rows=endings, now=tx.now)
    return [row.id for row in closing]


def _failed(count: Mapping[int, int]) -> int:
    return count.get(TaskState.FAILED, 0) + count.get(TaskState.UPSTREAM_FAILED, 0)


def _verdict(tx: Tx, instances: Instances, row: Any, count: Mapping[int, int]) -> Verdict:
    if row.intent == Intent.TERMINATE:
        return _terminated(row)
    if _failed(count):
        return InstanceState.FAILED, Reason.ERROR, _first_error(tx, instances, row.id)
    if count.get(TaskState.CANCELLED, 0):
        # Left over from a termination, after single tasks were retried.
        return InstanceState.FAILED, Reason.TERMINATED, "some tasks were cancelled"
    return InstanceState.SUCCESS, Reason.NONE, None


def _terminated(row: Any) -> Verdict:
    if row.reason == Reason.TIMEOUT:
        return InstanceState.FAILED, Reason.TIMEOUT, "the workflow ran out of its timeout"
    return InstanceState.TERMINATED, Reason.TERMINATED, None


def _first_error(tx: Tx, instances: Instances, instance_id: int) -> str:
    row = tx.one("first_failure", **key_range(instance_id))
    if row is None:
        return "some tasks were cancelled"
    instances.load(tx, [row.id])
    task = instances[instance_id].plan.name_of(row)
    return f"task {task}: {row.error or 'failed'}"[:2000]

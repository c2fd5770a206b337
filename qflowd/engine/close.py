"""Close: an instance ends when its last closer has ended. A batch touches an instance's row only where that may be."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from qflowd.model.ids import key_range
from qflowd.model.states import InstanceState, Intent, Reason, TaskState
from qflowd.store.tx import Tx


def close_instances(tx: Tx, closers: Mapping[int, int]) -> list[int]:
    """Count down open closers; end the instances that have none left. Returns those.

    `closers`: instance -> how many of its closers have ended in this transaction.
    """
    if not closers:
        return []
    tx.run("count_down_closers", rows=sorted(closers.items()))
    closing = tx.run("find_closing", rows=[(number,) for number in sorted(closers)])
    end_instances(tx, closing)
    return [row.id for row in closing]


def end_instances(tx: Tx, closing: list[Any]) -> None:
    """End instances (rows of `find_closing` or `lock_instance`) with what their tasks came to."""
    if not closing:
        return
    counts: dict[int, Counter[int]] = {row.id: Counter() for row in closing}
    for row in tx.run("count_outcomes", rows=[(row.id,) for row in closing]):
        counts[row.id][row.state] = int(row.tasks)
    tolerated: dict[int, int] = {}
    if with_failures := [(number,) for number, count in counts.items() if count[TaskState.FAILED]]:
        tolerated = {row.id: int(row.tasks) for row in tx.run("count_tolerated", rows=with_failures)}
    endings = []
    for row in closing:
        count = counts[row.id]
        failed = count[TaskState.FAILED] + count[TaskState.UPSTREAM_FAILED]
        state, reason, error = _verdict(tx, row, count, failed, tolerated.get(row.id, 0))
        succeeded, skipped = count[TaskState.SUCCESS], count[TaskState.SKIPPED]
        endings.append((row.id, int(state), int(reason), error, succeeded, failed, skipped))
    tx.run("close_instances", rows=endings, now=tx.now)


def _verdict(
    tx: Tx, row: Any, count: Mapping[int, int], failed: int, tolerated: int
) -> tuple[InstanceState, Reason, str | None]:
    if row.intent == Intent.TERMINATE:
        if row.reason == Reason.TIMEOUT:
            return InstanceState.FAILED, Reason.TIMEOUT, "the workflow ran out of its timeout"
        return InstanceState.TERMINATED, Reason.TERMINATED, None
    if failed > tolerated:
        first = tx.one("first_failure", id=row.id, **key_range(row.id))
        if first is not None:
            return InstanceState.FAILED, Reason.ERROR, f"task {first.task}: {first.error or 'failed'}"[:2000]
        cancelled = "some tasks were cancelled" if count[TaskState.CANCELLED] else None
        return InstanceState.FAILED, Reason.ERROR, cancelled or "tasks could not run, because tasks before them failed"
    if count[TaskState.CANCELLED]:
        # Left over from a termination, after single tasks were retried.
        return InstanceState.FAILED, Reason.TERMINATED, "some tasks were cancelled"
    return InstanceState.SUCCESS, Reason.TOLERATED if tolerated else Reason.NONE, None

"""Close: an instance ends when its last closer has ended. A batch touches an instance's row only where that may be.

One that has failed, and whose workflow is a saga, does not end yet: it is flagged, `saga.py` adds what undoes it, and it
is closed here once more when that has ended.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from qflowd.model.ids import key_range
from qflowd.model.states import InstanceState, Intent, Reason, SagaState, TaskState
from qflowd.store.tx import Tx

# Failures; what people have stopped stays until they say so.
UNDONE_AFTER = (Reason.ERROR, Reason.TIMEOUT, Reason.DEADLINE)


class Closed(NamedTuple):
    """Instances that have ended, and instances that are to be compensated first."""

    ended: list[int]
    compensating: list[int]


class Verdict(NamedTuple):
    """What an instance has come to."""

    state: InstanceState
    reason: Reason
    error: str | None


def close_instances(tx: Tx, closers: Mapping[int, int]) -> Closed:
    """Count down open closers; end the instances that have none left.

    `closers`: instance -> how many of its closers have ended in this transaction.
    """
    if not closers:
        return Closed([], [])
    tx.run("count_down_closers", rows=sorted(closers.items()))
    closing = tx.run("find_closing", rows=[(number,) for number in sorted(closers)])
    # What still has tasks to run after its termination is left to the sweep.
    return end_instances(
        tx, [row for row in closing if row.intent != Intent.TERMINATE or not find_finally_rows(tx, row.id)]
    )


def find_finally_rows(tx: Tx, instance_id: int) -> list[Any]:
    """Rows that a termination has cancelled and that run after it (`run_on: terminate`)."""
    return tx.run("find_finally_rows", id=instance_id)


def end_instances(tx: Tx, closing: list[Any]) -> Closed:
    """End instances (rows of `find_closing` or `lock_instance`) with what their tasks came to, or flag them."""
    if not closing:
        return Closed([], [])
    tasks: dict[int, Counter[int]] = {row.id: Counter() for row in closing}
    undoing: dict[int, Counter[int]] = {row.id: Counter() for row in closing}
    for row in tx.run("count_outcomes", rows=[(row.id,) for row in closing]):
        (undoing if row.undoes else tasks)[row.id][row.state] = int(row.tasks)
    tolerated: dict[int, int] = {}
    if with_failures := [(number,) for number, count in tasks.items() if count[TaskState.FAILED]]:
        tolerated = {row.id: int(row.tasks) for row in tx.run("count_tolerated", rows=with_failures)}
    verdicts = {row.id: _verdict(tx, row, tasks[row.id], tolerated.get(row.id, 0)) for row in closing}
    sagas = _sagas(tx, closing, verdicts)
    if sagas:
        flags = [(number, int(verdicts[number].reason), verdicts[number].error) for number in sagas]
        tx.run("flag_compensate", rows=flags, now=tx.now)
    endings = []
    for row in closing:
        if row.id in sagas:
            continue
        count, verdict = tasks[row.id], verdicts[row.id]
        counts = count[TaskState.SUCCESS], _failed(count), count[TaskState.SKIPPED]
        saga_state = _saga_state(row, undoing[row.id])
        endings.append((row.id, int(verdict.state), int(verdict.reason), verdict.error, int(saga_state), *counts))
    if endings:
        tx.run("close_instances", rows=endings, now=tx.now)
    return Closed([ending[0] for ending in endings], sagas)


def _sagas(tx: Tx, closing: list[Any], verdicts: Mapping[int, Verdict]) -> list[int]:
    """The instances that are to be compensated now."""
    failed = [
        (row.id,)
        for row in closing
        if verdicts[row.id].state is InstanceState.FAILED
        and verdicts[row.id].reason in UNDONE_AFTER
        and row.saga_state == SagaState.NONE
    ]
    return sorted(row.id for row in tx.run("list_sagas", rows=failed)) if failed else []


def _saga_state(row: Any, undoing: Mapping[int, int]) -> SagaState:
    """What has become of the compensation of an instance that ends."""
    if row.saga_state != SagaState.COMPENSATING:
        return SagaState(row.saga_state)
    is_begun = bool(undoing) or row.intent != Intent.TERMINATE  # else it was terminated before they were added
    is_undone = is_begun and not _failed(undoing) and not undoing[TaskState.CANCELLED]
    return SagaState.COMPENSATED if is_undone else SagaState.COMPENSATION_FAILED


def _failed(count: Mapping[int, int]) -> int:
    return count[TaskState.FAILED] + count[TaskState.UPSTREAM_FAILED]


def _verdict(tx: Tx, row: Any, count: Mapping[int, int], tolerated: int) -> Verdict:
    if row.saga_state == SagaState.COMPENSATING:
        return _before(row)
    if Intent(row.intent).is_end:
        if row.reason == Reason.TIMEOUT:
            return Verdict(InstanceState.FAILED, Reason.TIMEOUT, "the workflow ran out of its timeout")
        if row.reason == Reason.DEADLINE:
            return Verdict(
                InstanceState.FAILED, Reason.DEADLINE, "it had not ended by the deadline of its business date"
            )
        return Verdict(InstanceState.TERMINATED, Reason.TERMINATED, None)
    if _failed(count) > tolerated:
        first = tx.one("first_failure", id=row.id, **key_range(row.id))
        if first is not None:
            return Verdict(InstanceState.FAILED, Reason.ERROR, f"task {first.task}: {first.error or 'failed'}"[:2000])
        cancelled = "some tasks were cancelled" if count[TaskState.CANCELLED] else None
        error = cancelled or "tasks could not run, because tasks before them failed"
        return Verdict(InstanceState.FAILED, Reason.ERROR, error)
    if count[TaskState.CANCELLED]:
        # Left over from a termination, after single tasks were retried.
        return Verdict(InstanceState.FAILED, Reason.TERMINATED, "some tasks were cancelled")
    return Verdict(InstanceState.SUCCESS, Reason.TOLERATED if tolerated else Reason.NONE, None)


def _before(row: Any) -> Verdict:
    """What an instance had come to before it was compensated; it had no error unless it failed."""
    reason = Reason(row.reason)
    if row.error is not None:
        return Verdict(InstanceState.FAILED, reason, row.error)
    return Verdict(InstanceState.TERMINATED if reason is Reason.TERMINATED else InstanceState.SUCCESS, reason, None)

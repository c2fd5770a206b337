"""Finish: the group commit. Whatever ended while the last commit ran is accepted, advances its children and closes instances.

One transaction: own rows (fenced) → children, level by level → instances. If a row turns out to belong to somebody else,
nothing of the batch is kept, and the batch is written again without it.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar

from qflowd.engine import advance, close
from qflowd.engine.conditions import EdgeConditions
from qflowd.engine.instances import Instances, Run
from qflowd.engine.outcome import AttemptRow, Final, Rearmed, Released
from qflowd.engine.timers import RUN
from qflowd.model.errors import LeaseLost
from qflowd.model.ids import ORDINALS
from qflowd.model.states import Reason, TaskState
from qflowd.store.clock import EPOCH
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")
LARGEST_INLINE = 64 * 1024  # characters of output on the row itself
PART = 1 << 20


@dataclass(slots=True)
class Batch:
    """What one group commit writes."""

    final: list[Final] = field(default_factory=list)
    rearmed: list[Rearmed] = field(default_factory=list)
    released: list[Released] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    running: list[tuple[int, int, Any]] = field(default_factory=list)
    progress: list[tuple[Any, ...]] = field(default_factory=list)
    checkpoints: list[tuple[int, int, str]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(
            self.final
            or self.rearmed
            or self.released
            or self.attempts
            or self.running
            or self.progress
            or self.checkpoints
        )

    def with_more(self, later: "Batch") -> "Batch":
        """This batch and a later one together."""
        return Batch(*(mine + theirs for mine, theirs in zip(self.rows(), later.rows(), strict=True)))

    def without(self, lost: set[int]) -> "Batch":
        """The same without the rows of these tasks."""
        return Batch(*([row for row in rows if row[0] not in lost] for rows in self.rows()))

    def halves(self) -> tuple["Batch", "Batch"]:
        """Two batches with half of the tasks each."""
        ids = sorted({row[0] for rows in self.rows() for row in rows})
        first = set(ids[: len(ids) // 2])
        return self.without(set(ids) - first), self.without(first)

    def task_ids(self) -> set[int]:
        return {row[0] for rows in self.rows() for row in rows}

    def rows(self) -> tuple[list[Any], ...]:
        """All its lists; the first column of each is a task's id."""
        return (self.final, self.rearmed, self.released, self.attempts, self.running, self.progress, self.checkpoints)


T = TypeVar("T")


def finish(store: Store, instances: Instances, batch: Batch, daemon_id: int) -> list[int]:
    """Write a batch; rows that are no longer ours are left out. Returns the instances that it closed.

    Raises: StoreUnavailable; call again with the same batch, what was applied is not applied twice.
    """
    return finish_and(store, instances, batch, daemon_id, lambda tx: None)[0]  # noqa: ARG005


def finish_and(
    store: Store, instances: Instances, batch: Batch, daemon_id: int, then: Callable[[Tx], T]
) -> tuple[list[int], T | None]:
    """As `finish`; `then` runs at the end of the same transaction, so that what became ready is claimed at no cost.

    Returns: the instances closed, and what `then` gave; None where the batch had to be written in pieces.
    """
    while True:
        try:
            return store.transact(
                lambda tx, batch=batch: (_write(tx, instances, batch, daemon_id), then(tx)),  # type: ignore[misc]
                name="finish",
            )
        except LeaseLost:
            lost = store.read(lambda tx, batch=batch: _lost(tx, batch))  # type: ignore[misc]
            log.warning("%d results came too late: their rows have another owner", len(lost))
            instances.forget_outputs(lost)
            batch = batch.without(lost)
        except DataRefused as refusal:
            instances.forget_outputs(batch.task_ids())
            return _bisect(store, instances, batch, daemon_id, refusal), None


def _bisect(store: Store, instances: Instances, batch: Batch, daemon_id: int, refusal: DataRefused) -> list[int]:
    """Find the row that the database refuses, and fail its task with the reason."""
    if len(batch.task_ids()) > 1:
        closed = []
        for half in batch.halves():
            closed += finish(store, instances, half, daemon_id)
        return closed
    message = f"the database refused what this task left behind: {refusal}"[:2000]
    log.error("task %s: %s", batch.task_ids(), message)
    if not batch.final:
        return []
    [row] = batch.final
    state, reason = int(TaskState.FAILED), int(Reason.ERROR)
    started_at = None if row.started_us is None else EPOCH + timedelta(microseconds=row.started_us)
    attempt = AttemptRow(
        row.id, row.fence, row.attempt, state, reason, started_at, store.clock.now(), *(None,) * 4, message, None
    )
    failed = Batch(final=[row._replace(state=state, reason=reason, output=None)], attempts=[attempt])
    try:
        return store.transact(lambda tx: _write(tx, instances, failed, daemon_id), name="finish")
    except (DataRefused, LeaseLost):
        log.exception("task %d: not even its failure could be written; reconciliation gives it back", row.id)
        return []


def _write(tx: Tx, instances: Instances, batch: Batch, daemon_id: int) -> list[int]:
    instances.load(tx, [row.id for row in batch.final])
    if batch.running:
        tx.run("start_tasks", rows=sorted(batch.running))
    if batch.progress:
        tx.run("save_progress", rows=_latest(batch.progress), now=tx.now)
    if batch.checkpoints:
        tx.run("save_checkpoints", rows=_latest(batch.checkpoints), now=tx.now)
    if batch.attempts:
        tx.run("insert_attempts", rows=batch.attempts, daemon_id=daemon_id)
    _rearm(tx, batch.rearmed)
    if batch.released and tx.count("release_tasks", rows=sorted(batch.released)) < len(batch.released):
        raise LeaseLost
    return _accept(tx, instances, batch) if batch.final else []


def _latest(rows: Sequence[Any]) -> list[Any]:
    """The last row of each task: PostgreSQL refuses an upsert that meets the same key twice."""
    return list({row[0]: row for row in rows}.values())


def _rearm(tx: Tx, rearmed: Sequence[Rearmed]) -> None:
    if not rearmed:
        return
    if tx.count("rearm_tasks", rows=sorted(row[:4] for row in rearmed)) < len(rearmed):
        raise LeaseLost
    tx.run("insert_timers", rows=[(row.id, RUN, row.fence + 1, row.due_at) for row in rearmed])


def _accept(tx: Tx, instances: Instances, batch: Batch) -> list[int]:
    final = sorted(batch.final)
    if tx.count("finish_tasks", rows=_split_large(tx, final), now=tx.now) < len(final):
        raise LeaseLost
    level = instances.runs(final)
    _remember_outputs(instances, level)
    ended = level
    conditions = EdgeConditions(tx, instances)
    while arrived := advance.arrivals(level, conditions.hold):
        level = instances.runs(tx.run("advance_tasks", rows=arrived, now=tx.now))
        ended = ended + level
    return close.close_instances(tx, instances, advance.closers(ended))


def _remember_outputs(instances: Instances, ended: Iterable[Run[Final]]) -> None:
    """Those that the tasks behind them will be given."""
    for instance, rows in ended:
        if instance.plan.has_edges:
            children, first = instance.plan.children, instance.id * ORDINALS
            for row in rows:
                if row.state == TaskState.SUCCESS and children[row.id - first]:
                    instances.remember_output(row.id, row.output)


def _split_large(tx: Tx, final: Sequence[Final]) -> list[Final]:
    """Outputs above 64 KB go to a table of their own, in parts."""
    if not any(row.output is not None and len(row.output) > LARGEST_INLINE for row in final):
        return list(final)
    kept = []
    for row in final:
        if row.output is not None and len(row.output) > LARGEST_INLINE:
            parts = [row.output[start : start + PART] for start in range(0, len(row.output), PART)]
            tx.run("delete_large_values", rows=[(row.id,)])
            tx.run("insert_large_value", rows=[(row.id, i, part) for i, part in enumerate(parts)])
            kept.append(row._replace(output=None))
        else:
            kept.append(row)
    return kept


def _lost(tx: Tx, batch: Batch) -> set[int]:
    rows = [(row.id, row.fence) for rows in (batch.final, batch.rearmed, batch.released) for row in rows]
    ours = {row.id for row in tx.run("find_unfenced", rows=sorted(rows))}
    return {number for number, _ in rows} - ours

"""Finish: the group commit. What ended during the last one is accepted, advances children and closes instances.

One transaction: own rows (fenced) → children, level by level → instances. If a row turns out to have another owner,
nothing of the batch is kept, and the batch is written again without it.
"""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from operator import itemgetter
from typing import Any, TypeVar

from qflowd.engine import kinds
from qflowd.engine.finishing import close
from qflowd.engine.finishing.batch import Batch, Effects
from qflowd.engine.finishing.large_outputs import LARGEST_INLINE, save_large
from qflowd.engine.finishing.levels import advance_levels
from qflowd.engine.finishing.manual_retries import find_manual
from qflowd.engine.finishing.outcome import WRITTEN, FinalRow, Rearmed
from qflowd.engine.finishing.timers import RUN
from qflowd.engine.limits import breakers, slots
from qflowd.engine.ordinals import TakenOrdinals
from qflowd.engine.plans.instances import InstanceRows, Instances
from qflowd.engine.spawning import spawn
from qflowd.model.errors import LeaseLost, StoreUnavailable
from qflowd.model.ids import ORDINALS
from qflowd.model.instruments import TasksWritten
from qflowd.model.limits import of_lane
from qflowd.model.states import SUCCESS, Reason, TaskState
from qflowd.store.tx import DataRefused, Store, Tx

log = logging.getLogger("qflowd")
T = TypeVar("T")
_ID = itemgetter(0)


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
    whole = batch
    while True:
        is_written = False

        def write_and_then(tx: Tx, batch: Batch = batch) -> tuple[list[int], T]:
            nonlocal is_written
            is_written = False
            closed = _write(tx, instances, batch, daemon_id)
            whole.effects = batch.effects
            is_written = True
            return closed, then(tx)

        try:
            closed, result = store.transact(write_and_then, name="finish" if batch else "claim")
            _emit_written(store, batch, closed)
            return closed, result
        except LeaseLost:
            lost = store.read(lambda tx, batch=batch: _no_longer_ours(tx, batch))  # type: ignore[misc]
            instances.outputs.forget((row.id, row.round) for row in batch.final if row.id in lost)
            if lost:
                log.warning("%d results came too late: their rows have another owner", len(lost))
                batch = batch.without_lost(lost)
            elif (once := batch.with_one_end_each()) != batch:
                log.error(  # noqa: TRY400 - the batch says it, not the exception
                    "some tasks ended twice in one batch; the first result is kept"
                )
                batch = once
            else:
                raise
        except StoreUnavailable:
            raise
        except Exception as error:
            if not batch:  # then it is not the fault of a result
                raise
            instances.outputs.forget((row.id, row.round) for row in batch.final)
            if is_written:  # nor of these
                closed = finish(store, instances, batch, daemon_id)
            else:
                closed = _write_halves(store, instances, batch, daemon_id, error)
            whole.effects = batch.effects
            return closed, None


def _write_halves(store: Store, instances: Instances, batch: Batch, daemon_id: int, error: Exception) -> list[int]:
    """Halve a batch that cannot be written until the task at fault is alone; that one fails."""
    if len(batch.task_ids()) > 1:
        closed, batch.effects = [], Effects()
        for half in batch.halves():
            closed += finish(store, instances, half, daemon_id)
            batch.effects.add(half.effects)
        return closed
    [number] = batch.task_ids()
    if isinstance(error, DataRefused):
        message = f"the database refused the result of this task: {error}"[:2000]
        log.error("task %d: %s", number, message)
    else:
        message = f"the result of this task cannot be written: {type(error).__name__}: {error}"[:2000]
        log.error("task %d: %s", number, message, exc_info=error)
    manual = store.read(lambda tx: find_manual(tx, instances, batch.final))
    failure = batch.failing(message, store.clock.now(), manual)
    try:
        closed = store.transact(lambda tx: _write(tx, instances, failure, daemon_id), name="finish")
    except StoreUnavailable:
        raise
    except LeaseLost:
        return []
    except Exception:
        log.exception("task %d: not even that could be written; reconciliation gives it back", number)
        return []
    _emit_written(store, failure, closed)
    batch.effects = failure.effects
    return closed


def _emit_written(store: Store, batch: Batch, closed: list[int]) -> None:
    breakers.tell(store, batch.effects.breakers)
    if not batch or not store.instruments.listeners:
        return
    failed = Counter(Reason(row.reason).name for row in batch.attempts if row.state == TaskState.FAILED)
    waiting = {row.task_id for row in batch.spawn_grants}  # their attempts have succeeded, and they have not ended
    final = [row for row in batch.final if row.id not in waiting] if waiting else batch.final
    ended = Counter(TaskState(row.state).name for rows in (final, batch.effects.unrun) for row in rows)
    figures = len(batch.running), ended, failed, len(batch.rearmed), len(batch.released), len(closed)
    store.instruments.emit(TasksWritten(*figures))


def _write(tx: Tx, instances: Instances, batch: Batch, daemon_id: int) -> list[int]:
    batch.effects = effects = Effects()
    instances.load(tx, [row.id for row in batch.final])
    if batch.running:
        tx.run("start_tasks", rows=sorted(batch.running))
    if batch.moved and tx.count("start_tasks", rows=sorted((row.to, row.fence, tx.now) for row in batch.moved)) < len(
        batch.moved
    ):
        raise LeaseLost
    if batch.progress:
        tx.run("save_progress", rows=_latest(batch.progress), now=tx.now)
    if batch.checkpoints:
        tx.run("save_checkpoints", rows=_latest(batch.checkpoints), now=tx.now)
    if batch.attempts:
        tx.run("insert_attempts", rows=batch.attempts, daemon_id=daemon_id)
    _rearm(tx, batch.rearmed)
    if batch.released and tx.count("release_tasks", rows=sorted(batch.released)) < len(batch.released):
        raise LeaseLost
    closers, taken = _accept(tx, instances, batch) if batch.final else ({}, None)
    effects.breakers = breakers.judge(tx, batch.attempt_ends, _changed_limits(batch)) if batch.attempt_ends else []
    if batch.slots or batch.pauses:
        effects.locked_limits = slots.give_back(tx, batch.slots, batch.pauses)
    if taken is not None:
        taken.reserve(tx)
    closed, effects.compensating = close.close_instances(tx, closers)
    return closed


def _changed_limits(batch: Batch) -> set[str]:
    """What `slots.give_back` will lock."""
    return {name for row in batch.slots for name, _ in of_lane(row.limits)} | {limit for _, limit, *_ in batch.pauses}


def _latest(rows: Sequence[Any]) -> list[Any]:
    """The last row of each task: PostgreSQL refuses an upsert that meets the same key twice."""
    return list({row[0]: row for row in rows}.values())


def _rearm(tx: Tx, rearmed: Sequence[Rearmed]) -> None:
    if not rearmed:
        return
    if tx.count("rearm_tasks", rows=sorted(row[:4] for row in rearmed)) < len(rearmed):
        raise LeaseLost
    tx.run("insert_timers", rows=[(row.id, RUN, row.fence + 1, row.due_at) for row in rearmed])
    if notes := [(row.id, row.note) for row in rearmed if row.note]:
        tx.run("note_timers", rows=notes)
    if deferred := [(row.id,) for row in rearmed if row.is_deferral]:
        tx.run("insert_deferrals", rows=deferred, now=tx.now)


def _accept(tx: Tx, instances: Instances, batch: Batch) -> tuple[dict[int, int], TakenOrdinals | None]:
    """Returns: instance -> how many of its closers have ended; the ordinals of what was spawned."""
    final = sorted(batch.final, key=_ID)
    if tx.count("finish_tasks", rows=_split_large(tx, final), now=tx.now) < len(final):
        raise LeaseLost
    effects, taken = batch.effects, None
    if batch.spawn_grants:
        final, taken = spawn.add(tx, batch.spawn_grants, final)
        effects.has_advanced = True
    level = instances.by_instance(final)
    _remember_outputs(instances, level)
    levels = advance_levels(tx, instances, level)
    effects.unrun, effects.may_be_unclaimed = levels.unrun, levels.may_be_unclaimed
    effects.has_advanced |= levels.has_advanced
    return kinds.closers(levels.ended), taken


def _remember_outputs(instances: Instances, ended: Iterable[InstanceRows[FinalRow]]) -> None:
    """Those that the tasks behind them will be given."""
    outputs = []
    for instance, rows in ended:
        if instance.plan.has_edges:
            children, each_children = instance.plan.children, instance.plan.each_children
            outputs += [
                ((row.id, row.round), row.output)
                for row in rows
                if row.state == SUCCESS
                and (children[row.node] if row.id % ORDINALS == row.node else row.node in each_children)
            ]
    if outputs:
        instances.remember_outputs(outputs)


def _split_large(tx: Tx, final: Sequence[FinalRow]) -> list[tuple[Any, ...]]:
    """The rows of `finish_tasks`. Outputs above 64 KB go to a table of their own, in parts."""
    if not any(row.output is not None and len(row.output) > LARGEST_INLINE for row in final):
        return [row[:WRITTEN] for row in final]
    kept = []
    for row in final:
        if row.output is not None and len(row.output) > LARGEST_INLINE:
            save_large(tx, row.id, row.output)
            row = row._replace(output=None)  # noqa: PLW2901
        kept.append(row[:WRITTEN])
    return kept


def _no_longer_ours(tx: Tx, batch: Batch) -> set[int]:
    rows = [(row.id, row.fence) for rows in (batch.final, batch.rearmed, batch.released) for row in rows]
    rows += [(row.to, row.fence) for row in batch.moved]
    ours = {row.id for row in tx.run("find_still_ours", rows=sorted(rows))}
    return {number for number, _ in rows} - ours

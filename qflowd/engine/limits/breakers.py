"""Breakers of limits: they open after failures, let one task try, and close after its success. State is in the limit's row.

The task that tries is known by its fence. Whatever becomes of it, and of its daemon, either its end is told here, in the
transaction that writes it, or its fence has risen, and the next claim lets another task try.
"""

import json
import logging
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, Final, NamedTuple

from qflowd.model.breaker import Breaker, read_breaker
from qflowd.model.instruments import BreakerClosed, BreakerOpened
from qflowd.model.limits import of_lane
from qflowd.model.states import Reason, TaskState
from qflowd.store.clock import to_microseconds
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
LONGEST_REASON: Final = 500
CLOSED: Final = (None, None, None)  # tripped_at, retries_at, trip_reason


class AttemptEnd(NamedTuple):
    """How an attempt ended that needed these limits, as text of its lane; `reason` NONE: well."""

    id: int
    fence: int
    limits: str
    reason: int
    error: str | None = None


class BreakerChange(NamedTuple):
    """A breaker that has opened, for this reason, or closed (None)."""

    limit: str
    reason: str | None


def settle_probes(probes: dict[int, str], final: Iterable[Any], ended: Iterable[Sequence[Any]]) -> list[AttemptEnd]:
    """The good ends among `final` of tasks that try (id -> their limits). Those of `ended` try no more."""
    good = [row for row in final if row.id in probes and row.state in (TaskState.SUCCESS, TaskState.SKIPPED)]
    told = [AttemptEnd(row.id, row.fence, probes[row.id], Reason.NONE) for row in good]
    for rows in ended:
        for row in rows:
            probes.pop(row[0], None)
    return told


def may_try(tx: Tx, row: Any) -> bool | None:
    """May one task try? None where the breaker of this row of `lock_limits` is closed: then all may."""
    if row.tripped_at is None:
        return None
    if row.retries_at > tx.now:
        return False
    return row.probe is None or not tx.run("find_still_ours", rows=[(row.probe, row.probe_fence)])


def judge(tx: Tx, attempt_ends: Sequence[AttemptEnd], others: Iterable[str]) -> list[BreakerChange]:
    """Take note of how attempts have ended. `others`: limits that this transaction changes as well: all are locked here."""
    by_limit: dict[str, list[AttemptEnd]] = {}
    for end in attempt_ends:
        for name, _ in of_lane(end.limits):
            by_limit.setdefault(name, []).append(end)
    changes, rows = [], []
    for row in tx.run("lock_limits", rows=[(name,) for name in sorted({*by_limit, *others})]):
        if row.breaker is None or row.name not in by_limit:
            continue
        breaker = read_breaker(row.breaker)
        new = (_try if row.tripped_at is not None else _count)(tx, row, breaker, by_limit[row.name])
        if new is None:
            continue
        rows.append((row.name, *new))
        is_open = new[1] is not None
        if is_open != (row.tripped_at is not None):
            changes.append(BreakerChange(row.name, new[3] if is_open else None))
    if rows:
        tx.run("save_breakers", rows=rows)
    return changes


def tell(store: Store, changes: Sequence[BreakerChange]) -> None:
    """Log breakers that have opened or closed, and tell listeners, after the commit."""
    for limit, reason in changes:
        if reason is None:
            log.info("the breaker of limit %s has closed", limit)
        else:
            log.warning("the breaker of limit %s has opened: %s", limit, reason)
        if store.instruments.listeners:
            store.instruments.emit(BreakerClosed(limit) if reason is None else BreakerOpened(limit, reason))


def _count(tx: Tx, row: Any, breaker: Breaker, attempt_ends: Iterable[AttemptEnd]) -> tuple[Any, ...] | None:
    """The row of `save_breakers` for a breaker that is closed; None if there is nothing to write."""
    failed = [each for each in attempt_ends if each.reason and breaker.counts(Reason(each.reason), each.error)]
    if not failed:
        return None
    now_us = to_microseconds(tx.now)
    failures = breaker.recent([*json.loads(row.failures or "[]"), *[now_us] * len(failed)], now_us)
    if len(failures) < breaker.rate.most:
        return json.dumps(failures), *CLOSED
    reason = f"{breaker.failures} failures, the last of task {failed[-1].id}: {_why(failed[-1])}"[:LONGEST_REASON]
    return None, tx.now, tx.now + timedelta(seconds=breaker.open_s), reason


def _try(tx: Tx, row: Any, breaker: Breaker, attempt_ends: Iterable[AttemptEnd]) -> tuple[Any, ...] | None:
    """As `_count`, for one that is open or half-open: only the task that tries tells something."""
    for each in attempt_ends:
        if (each.id, each.fence) != (row.probe, row.probe_fence):
            continue
        if not each.reason:
            return None, *CLOSED
        if breaker.counts(Reason(each.reason), each.error):
            reason = f"task {each.id} has tried: {_why(each)}"[:LONGEST_REASON]
            return None, row.tripped_at, tx.now + timedelta(seconds=breaker.open_s), reason
    return None


def _why(end: AttemptEnd) -> str:
    return end.error or Reason(end.reason).name.lower()

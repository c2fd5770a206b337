"""Claim: which lanes, how many rows, in which order. The rows are taken by one statement per lane."""

from collections.abc import Callable, Iterable
from operator import attrgetter
from typing import Any, NamedTuple

from qflowd.engine.lanes import Lane
from qflowd.model.errors import QflowdError
from qflowd.store.tx import Tx

LARGEST_BATCH = 2000
_PLACE = attrgetter("priority", "id")
# LIMIT is part of the text, so batches come in few sizes: each has its plan.
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Claimed(NamedTuple):
    """A row that is now ours. `attempt` and `crashes` as they were before this run."""

    id: int
    node: int
    fence: int
    priority: int
    attempt: int
    crashes: int
    solo: int


class Head(NamedTuple):
    """A lane that has READY rows, and the priority (negated) of its first."""

    lane: int
    priority: int


def order_lanes(heads: Iterable[Head], tenant_of: Callable[[int], str], turn: int) -> list[Head]:
    """Best head priority first; among equals round robin between tenants, then lanes, `turn` moving the start."""
    by_priority: dict[int, dict[str, list[Head]]] = {}
    for head in sorted(heads):
        by_priority.setdefault(head.priority, {}).setdefault(tenant_of(head.lane), []).append(head)
    ordered: list[Head] = []
    for priority in sorted(by_priority):
        tenants = [_rotated(lanes, turn) for _, lanes in sorted(by_priority[priority].items())]
        tenants = _rotated(tenants, turn)
        for place in range(max(map(len, tenants))):
            ordered += [lanes[place] for lanes in tenants if place < len(lanes)]
    return ordered


def claim(tx: Tx, lane: Lane, wanted: int, owner: int) -> list[Claimed]:
    """Take up to `wanted` ready rows of a lane, best priority first, then oldest.

    Those of a lane that is not known to be short become RUNNING in the same transaction. If the reply to its COMMIT is
    lost, the rows are taken all the same (see reconciliation).
    """
    batch = max(size for size in SIZES if size <= max(1, min(wanted, LARGEST_BATCH)))
    rows: list[Claimed] = tx.run("claim_tasks", lane=lane.id, owner=owner, batch=batch)
    if len(rows) > batch:
        raise QflowdError(
            f"a claim of {batch} rows took {len(rows)}: the database ignores LIMIT with SKIP LOCKED; run `qflowd doctor`"
        )
    starting = rows if not lane.is_short else [row for row in rows if row.solo]
    if starting:
        tx.run("start_tasks", rows=sorted((row.id, row.fence, tx.now) for row in starting))
    rows.sort(key=_PLACE)
    return rows


def _rotated(items: list[Any], turn: int) -> list[Any]:
    start = turn % len(items)
    return items[start:] + items[:start]

"""Take: rows of one lane become ours, best priority first, then oldest."""

from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from qflowd.engine.claiming.gate import Head
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.claiming.paused_rows import hold_paused
from qflowd.model.errors import QflowdError
from qflowd.store.tx import Tx

if TYPE_CHECKING:
    from qflowd.engine.claiming.claim import Claimed

LARGEST_BATCH = 2000
LOOKS_PAST_PAUSED = 20  # claims in one transaction that met nothing but rows of paused instances
# LIMIT is part of the text, so batches come in few sizes: each has its plan.
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)
place_of = itemgetter(3, 0)  # of a Claimed: priority, id


class Taken(NamedTuple):
    """Rows that are now ours. `has_end`: no others were seen behind them; `met_paused`: of those that were, some may be HELD now.

    `gave_up`: so many of them were that nobody looked further.
    """

    rows: "list[Claimed]"
    has_end: bool = True
    met_paused: bool = False
    gave_up: bool = False


def take(tx: Tx, head: Head, lane: Lane, wanted: int, owner: int, *, is_start: bool = True) -> Taken:
    """Up to so many rows of a lane. Those of paused instances and tasks become HELD when they are met here."""
    for _ in range(LOOKS_PAST_PAUSED):
        rows = taken = claim_rows(tx, lane, wanted, owner, is_start=is_start)
        if taken and head.may_be_paused:
            rows = hold_paused(tx, head, taken)
        if rows or not taken:
            return Taken(rows, len(taken) < batch_of(wanted), bool(taken) and head.may_be_paused)
    return Taken([], has_end=False, met_paused=True, gave_up=True)


def claim_rows(tx: Tx, lane: Lane, wanted: int, owner: int, *, is_start: bool = True) -> "list[Claimed]":
    """Take up to `wanted` ready rows of a lane, best priority first, then oldest.

    Those of a lane that is not known to be short become RUNNING in the same transaction. If the reply to its COMMIT is
    lost, the rows are taken all the same (see reconciliation). Not `is_start`: none of them is about to run.
    """
    batch = batch_of(wanted)
    after_priority, after_id = lane.after
    rows: list[Claimed] = tx.run(
        "claim_tasks", lane=lane.id, owner=owner, batch=batch, after_priority=after_priority, after_id=after_id
    )
    if len(rows) > batch:
        raise QflowdError(
            f"a claim of {batch} rows took {len(rows)}: the database ignores LIMIT with SKIP LOCKED; run `qflowd doctor`"
        )
    starting = rows if not lane.is_short else [row for row in rows if row.solo and not lane.key.limits]
    if starting and is_start:
        tx.run("start_tasks", rows=sorted((row.id, row.fence, tx.now) for row in starting))
    rows.sort(key=place_of)
    return rows


def batch_of(wanted: int) -> int:
    """As many rows are asked for at once if so many are wanted."""
    return max(size for size in SIZES if size <= max(1, min(wanted, LARGEST_BATCH)))


def rounded(wanted: int) -> int:
    """So many rows, or those of the next larger batch if they are hardly more: each batch is a statement."""
    return min((size for size in SIZES if wanted <= size <= wanted * 1.25), default=wanted)

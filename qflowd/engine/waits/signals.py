"""Signals: the inbox is emptied, and each signal wakes the tasks that wait for it; it is kept for those that come later.

A signal is open until this has been done, in whatever order signals are committed. A task that registers meanwhile either
is seen here, or its own look, which comes after its commit, sees the signal: open, and then it looks again, or taken.
"""

import logging
from typing import Any, Final

from qflowd.define import rows as rows_of_inboxes
from qflowd.define.rows import LARGEST_PARAMS
from qflowd.engine.refusal import LONGEST_ERROR
from qflowd.engine.service import take_one_by_one
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.instants import within_bounds
from qflowd.model.states import AnswerState, WaitState
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
BATCH: Final = 500
ALL: Final = (-(1 << 63), (1 << 63) - 1)  # ids: clients may have written any


def take_signals(store: Store) -> tuple[int, bool]:
    """Take open signals. Returns how many, and whether there may be more."""
    try:
        taken = store.transact(lambda tx: _take(tx, *ALL), name="take_signals")
    except StoreUnavailable:
        raise
    except Exception as error:  # noqa: BLE001 - one row must never stand in the way of others
        log.warning("a batch of signals cannot be taken (%s); taking them one by one", error)
        taken = _one_by_one(store)
    return taken, taken == BATCH


def _one_by_one(store: Store) -> int:
    numbers = [row.id for row in store.read(lambda tx: tx.run("list_open_signals", batch=BATCH))]

    def take(number: int) -> None:
        store.transact(lambda tx: _take(tx, number, number), name="take_signals")

    def refuse(number: int, why: str) -> None:
        rows = [_rejection(number, why)]
        store.transact(lambda tx: tx.run("answer_signals", rows=rows, now=tx.now), name="refuse_signal")

    take_one_by_one("signal", numbers, take, refuse)
    return len(numbers)


def _take(tx: Tx, first: int, last: int) -> int:
    rows = tx.run("take_signals", first=first, last=last, batch=BATCH)
    answers: list[tuple[Any, ...]] = []
    for row in rows:
        values, fields = rows_of_inboxes.read_signal(row._asdict())
        if row.payload is None and row.payload_size is not None:
            fields.fault(f"has {row.payload_size:,} characters; at most {LARGEST_PARAMS:,} are allowed", "payload")
        if fields.faults:
            answers.append(_rejection(row.id, "\n".join(map(str, fields.faults))))
            continue
        day, lapses_at = values.get("business_date"), values.get("expires_at")
        day, lapses_at = day and str(day), lapses_at and within_bounds(lapses_at)
        if lapses_at is None or lapses_at > tx.now:
            about = {"tenant": values["tenant"], "name": values["name"], "business_date": day}
            tx.run("meet_waiters", signal_id=row.id, **about)
        answers.append((row.id, AnswerState.ACCEPTED.name, day, lapses_at, None))
    if answers:
        tx.run("answer_signals", rows=answers, now=tx.now)
    return len(rows)


def _rejection(number: int, why: str) -> tuple[Any, ...]:
    """The row of `answer_signals` for a signal that is refused."""
    return number, AnswerState.REJECTED.name, None, None, jsontext.clean_text(why)[:LONGEST_ERROR]


def look(tx: Tx) -> int:
    """Look once for the signals of tasks that have just registered. Returns of how many that is settled.

    Where a signal of the name is still open, it is looked up again when that has been taken.
    """
    rows = tx.run("list_fresh_waiters", now=tx.now, batch=BATCH)
    settled = [
        (row.task_id, row.fence, int(WaitState.WAITING if row.signal_id is None else WaitState.MET), row.signal_id)
        for row in rows
        if row.signal_id is not None or row.open_id is None
    ]
    return tx.count("settle_waiters", rows=settled) if settled else 0

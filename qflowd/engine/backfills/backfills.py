"""Backfills: whatever daemon looks next notes what has ended of one, and submits its next dates.

It is woken by the end of what it has submitted here; ends elsewhere wake the daemon there.
"""

from datetime import datetime
from typing import Any, ClassVar, Final

from qflowd.engine.backfills.backfill_step import step_backfill
from qflowd.engine.service import Place, Topics, report
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import BackfillState
from qflowd.store.tx import Store

BATCH: Final = 100
WAITING_S: Final = 5.0  # between looks while dates are active: the daemon that ended one may be dead
IDLE_S: Final = 10.0
AFTER_FAULT_S: Final = 5.0


class Backfills:
    """The service that carries backfills through their dates."""

    name: ClassVar[str] = "backfills"
    topics: ClassVar[tuple[str, ...]] = ("backfill",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store, self._topics = store, topics
        self._place = Place(0)

    def tick(self) -> float:
        rows, now = self._store.read(
            lambda tx: (tx.run("list_open_backfills", after=self._place.after, batch=BATCH), tx.now)
        )
        pauses = [self._look_at(row, now) for row in rows]
        if self._place.move(rows, BATCH, lambda row: int(row.id)):
            return 0
        return min([IDLE_S, *pauses])

    def _look_at(self, row: Any, now: datetime) -> float:
        """Take the next step of one, if there is any; the seconds until the next look at it."""
        if not _has_step(row, now):
            pause_s = WAITING_S if row.active else IDLE_S
            is_held = row.resumes_at is not None and row.resumes_at > now
            return min(pause_s, (row.resumes_at - now).total_seconds()) if is_held else pause_s
        try:
            submitted = self._store.transact(lambda tx: step_backfill(tx, row.tenant, row.id), name="step_backfill")
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever is wrong with one, the others continue
            report(f"backfill {row.id}", error, AFTER_FAULT_S)
            return AFTER_FAULT_S
        if submitted:
            self._topics.publish("submission")
        return 0


def _has_step(row: Any, now: datetime) -> bool:
    """Whether a step would change anything of a row of `list_open_backfills`."""
    if row.ended:
        return True
    if row.state == BackfillState.STOPPING:
        return not row.active
    if row.state != BackfillState.RUNNING:
        return False
    if not row.has_open:
        return not row.active
    may_submit = row.resumes_at is None or row.resumes_at <= now
    return bool(row.may_run and may_submit and row.active < row.max_active)

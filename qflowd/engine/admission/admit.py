"""Admission: the service that empties the inbox of submissions.

Any daemon takes them; a row that another one holds is skipped. What comes while a slot of this daemon is free goes another
way, see `express.py`.
"""

import logging
from typing import ClassVar

from qflowd.engine.admission.intake import ALL, BATCH, Admitted, Intake, MissingLanes, answer
from qflowd.engine.admission.stray_ids import StrayIds
from qflowd.engine.concurrency.overlap import Skipped
from qflowd.engine.plans.instances import BACKFILL_TRIGGER, CHILD_TRIGGER
from qflowd.engine.refusal import Refused
from qflowd.engine.service import Topics, log_some, take_one_by_one
from qflowd.model.errors import StoreUnavailable
from qflowd.model.instruments import SubmissionsAdmitted
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Store

log = logging.getLogger("qflowd")
IDLE_S = 60.0  # the watch wakes us long before


class Admitter:
    """Admits batch after batch."""

    name: ClassVar[str] = "admit"
    topics: ClassVar[tuple[str, ...]] = ("backlog",)

    def __init__(self, store: Store, intake: Intake, topics: Topics) -> None:
        self._store, self._intake, self._topics = store, intake, topics
        self._stray_ids = StrayIds(store)

    def tick(self) -> float:
        try:
            has_more = self._admit(ALL).has_more
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - one row must never stand in the way of others
            log.warning("a batch of submissions cannot be taken (%s); taking them one by one", error)
            has_more = self._one_by_one() == BATCH
        return 0 if has_more else min(IDLE_S, self._stray_ids.tick())

    def _admit(self, ids: tuple[int, int]) -> Admitted:
        batch: Admitted | None = None
        while batch is None:
            try:
                batch = self._store.transact(lambda tx: self._intake.take(tx, ids), name="admit_batch")
            except MissingLanes as missing:
                # Made outside the batch, so that two daemons never wait for each other's; then the batch comes again.
                self._intake.lanes.ensure(missing.lanes)
        if batch.has_strays:
            self._stray_ids.note()
        if batch.taken:
            self._topics.publish("ready")
        publish(self._store, self._topics, batch)
        return batch

    def _one_by_one(self) -> int:
        """Admit row by row; one that cannot even be read (bytes that are not UTF-8, an infinite date) is refused."""
        numbers = [row.id for row in self._store.read(lambda tx: tx.run("list_open_submissions", batch=BATCH))]
        take_one_by_one("submission", numbers, lambda number: self._admit((number, number)), self._refuse)
        return len(numbers)

    def _refuse(self, number: int, error: str) -> None:
        rows = [answer(number, Refused(error, Refusal.FAULTY))]
        self._store.transact(lambda tx: tx.run("answer_submissions", rows=rows, now=tx.now), name="refuse_submission")
        self._store.instruments.emit(SubmissionsAdmitted(rejected=1))


def publish(store: Store, topics: Topics, batch: Admitted) -> None:
    """Publish what a batch means for other services, except the claim; call it after the commit."""
    if batch.has_timers:
        topics.publish("timer")
    if batch.has_queued:
        topics.publish("turn")  # what it waits for may have ended meanwhile
    # A child may have to be told what its parent was told while it was waiting.
    if any(a.plan.has_unclaimed or a.request.trigger_type == CHILD_TRIGGER for a in batch.admissions):
        topics.publish("child")
    if batch.has_replaced:
        topics.publish("command")
    if any(trigger_type == BACKFILL_TRIGGER for _, _, trigger_type, _ in batch.rejected):
        topics.publish("backfill")
    if batch.taken and store.instruments.listeners:
        instances, rejected = len(batch.admissions), len(batch.rejected)
        tasks = sum(len(admission.plan.tasks) for admission in batch.admissions)
        store.instruments.emit(SubmissionsAdmitted(instances, tasks, batch.taken - instances - rejected, rejected))
    faulty = [row for row in batch.rejected if not isinstance(row[-1], Skipped)]
    log_some("submission %d of %r (%s) is rejected: %s", faulty)

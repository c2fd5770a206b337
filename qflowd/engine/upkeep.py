"""Upkeep: what the executor's thread does between turns, now and then.

It stops tasks of instances that are being terminated, answers what running tasks ask for, and compares what is held here
with what the database says.
"""

import logging
from collections.abc import Callable

from qflowd.engine.batch import Batch
from qflowd.engine.finish import finish
from qflowd.engine.harvest import Harvest
from qflowd.engine.instances import Instances
from qflowd.engine.service import report
from qflowd.engine.upstreams import read_output
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import instance_of
from qflowd.store.clock import boottime
from qflowd.store.tx import Store
from qflowd.workers.backends import Backends
from qflowd.workers.events import Asked

log = logging.getLogger("qflowd")
RECONCILE_S = 30.0
AGAIN_S = 1.0  # after an outage


class Upkeep:
    """All its state belongs to the executor's thread, except what `note_intents` touches."""

    def __init__(
        self, store: Store, backends: Backends, instances: Instances, harvest: Harvest, daemon_id: Callable[[], int]
    ) -> None:
        self._store, self._backends, self._instances = store, backends, instances
        self._harvest, self._daemon_id = harvest, daemon_id
        self.reconcile_at = boottime() + RECONCILE_S  # 0: a claim may have been applied although its reply was lost
        self.asked: list[Asked] = []  # by running tasks, and not answered yet
        self._not_before = 0.0
        self._has_intents = False  # of an instance that is to be terminated, and not looked at yet
        self._terminating: set[int] = set()  # instances, at the last look

    def note_intents(self) -> None:
        """Some instance is to be terminated. Safe from any thread."""
        self._has_intents = True
        self._backends.wake()

    def tick(self, now: float) -> bool:
        """Do what is due. Returns: were rows given back, which can be claimed?"""
        if now < self._not_before:
            return False
        try:
            if self._has_intents:
                self._stop_terminating()
            while self.asked:
                self._backends.answer(self.asked[0], *read_output(self._store, self._instances, self.asked[0]))
                del self.asked[0]
            if now >= self.reconcile_at:
                self.reconcile_at = now + RECONCILE_S
                return self._reconcile()
        except StoreUnavailable as error:
            self.reconcile_at = 0.0
            self._not_before = now + AGAIN_S
            report("reconcile", error, AGAIN_S)
        return False

    def terminating(self) -> set[int]:
        """Instances that are being terminated and may have rows that the sweep has not reached. Raises: StoreUnavailable."""
        if self._has_intents or self._terminating:
            self._stop_terminating()  # once more: an instance that was terminated may have been retried since
        return self._terminating

    def _stop_terminating(self) -> None:
        """Look what is being terminated, and stop what we run of it."""
        self._has_intents = False  # before the look: what is noted after it needs another
        try:
            self._terminating = {row.id for row in self._store.read(lambda tx: tx.run("list_intents"))}
        except StoreUnavailable:
            self._has_intents = True
            raise
        self._backends.stop([number for number in self._harvest.held if instance_of(number) in self._terminating])

    def _reconcile(self) -> bool:
        """Give back rows that are ours and not held here (a claim whose reply was lost); drop tasks that are not ours."""
        rows = self._store.read(lambda tx: tx.run("list_held", owner=self._daemon_id()))
        strays = self._harvest.strays(rows)
        if strays:
            log.warning("giving back %d rows whose claim was not reported", len(strays))
            finish(self._store, self._instances, Batch(released=strays), self._daemon_id())
        self._backends.stop(self._harvest.disowned({row.id for row in rows}))
        if absent := self._harvest.forget_absent(self._backends.held()):
            log.error("the ends of %d tasks were lost on their way from the workers; they run again", len(absent))
            self.reconcile_at = 0.0
        return bool(strays)

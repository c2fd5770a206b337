"""The hot loop of a daemon: claim → send → poll → finish, in one thread that owns the workers.

Claiming and finishing overlap with running, because every worker has a chunk in hand and one waiting.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import ClassVar

from qflowd.engine.admission.express import Express
from qflowd.engine.admission.intake import Intake
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.engine.running.fetch import Fetcher
from qflowd.engine.running.harvest import Harvest
from qflowd.engine.running.upkeep import INTENTS_S, Upkeep
from qflowd.engine.service import Topics, back_off, log_failed, report
from qflowd.engine.spawning.spawner import Spawner
from qflowd.model.errors import StoreUnavailable
from qflowd.model.instruments import TasksClaimed
from qflowd.model.workflow import Job
from qflowd.store.clock import boottime
from qflowd.store.tx import Store
from qflowd.workers.backends import Backends
from qflowd.workers.events import Asked

log = logging.getLogger("qflowd")
POLL_S = 0.5
LOOK_S = 2.0  # how often to look for rows that other daemons made ready


class Executor:
    """Runs tasks. All its state belongs to its thread, except what the methods for other threads touch."""

    name: ClassVar[str] = "executor"
    topics: ClassVar[tuple[str, ...]] = ()  # what wakes it must end the wait for the workers: it subscribes itself

    def __init__(  # noqa: PLR0913 - the hot loop touches everything; the composition root passes all by name
        self,
        store: Store,
        backends: Backends,
        instances: Instances,
        topics: Topics,
        *,
        daemon_id: Callable[[], int],
        pools: Iterable[str],
        holds_lease: Callable[[], bool],
        timeout_s: float | None,
        write_logs: Callable[[], object],
        intake: Intake,
        database_id: str,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._store, self._backends, self._instances, self._topics = store, backends, instances, topics
        self._daemon_id, self._holds_lease, self._write_logs = daemon_id, holds_lease, write_logs
        self._pools = tuple(pools)
        self._harvest = Harvest(store.clock, chance)
        self._dispatch = Dispatch(store, backends, instances, self._harvest, timeout_s, database_id)
        lanes = intake.lanes
        self._fetcher = Fetcher(
            backends, instances, lanes, self._dispatch, pools=self._pools, daemon_id=daemon_id, holds_lease=holds_lease
        )
        self._claimer = self._fetcher.claimer
        self._look_at = 0.0
        self._is_notified = False  # something has just become ready: no use to look before the claim
        self._orders: list[Callable[[], None]] = []
        self._orders_lock = threading.Lock()
        self._may_claim, self._failures, self._is_empty = True, 0, True
        self._has_expanded = False  # heads of maps in this round: their items are ready
        self._upkeep = Upkeep(store, backends, instances, lanes, self._harvest, daemon_id, self._claimer.forget_heads)
        self._spawner = Spawner(store, instances, lanes, intake.jobs)
        self._express = Express(store, intake, instances, topics, backends.wake)
        topics.subscribe("ready", self.wake)
        for topic in ("intent", "stopping"):
            topics.subscribe(topic, self._upkeep.note_intents)

    # -- for other threads

    @property
    def is_idle(self) -> bool:
        """Was nothing held at the end of the last round, and has everything been done that was ordered before it?"""
        return not self._orders and self._is_empty  # in this order: an order is taken up after the round before it

    def wake(self) -> None:
        """Something has become ready, most likely for us."""
        self._is_notified = True
        self._look_at = 0.0
        self._backends.wake()

    def order(self, what: Callable[[], None]) -> None:
        """Have `what` done by the executor's thread, soon."""
        with self._orders_lock:
            self._orders.append(what)
        self._backends.wake()

    def set_jobs(self, jobs: dict[str, Job], manifest: bytes) -> None:
        """A new generation of plugins is live."""

        def adopt() -> None:
            self._claimer.set_jobs(jobs)
            self._backends.adopt(manifest)
            self._look_at = 0.0

        self.order(adopt)

    def fence(self) -> None:
        """The lease is lost or about to be: kill all workers; their tasks come back without a crash counted."""
        self.order(self._backends.kill_all)

    def forget_all(self) -> None:
        """Others have taken over what this daemon held; results of it that still arrive are not written."""

        def forget() -> None:
            self._backends.kill_all()
            self._harvest.forget_all()
            self._instances.outputs.clear()  # what was not written may have another output when others run it
            self._upkeep.reconcile_at = 0.0  # what was claimed a moment ago under the new name was forgotten too

        self.order(forget)

    def stop_claiming(self) -> None:
        """What has started continues; the rest comes back."""

        def stop() -> None:
            self._may_claim = False
            self._backends.drain()

        self.order(stop)

    # -- the loop

    def start(self, jobs: dict[str, Job], manifest: bytes) -> None:
        self._claimer.set_jobs(jobs)
        self._backends.start(manifest)

    def close(self) -> None:
        """Call it after the last tick."""
        self._dispatch.close()

    def tick(self) -> float:
        """One turn: run orders, take the workers' events, commit, claim. The only wait is for those events."""
        self._run_orders()
        self._has_expanded = False
        now = boottime()
        patience_s = self._harvest.patience_s(now, INTENTS_S if self._harvest.held else POLL_S)
        if self._may_claim and patience_s > 0 and not self._harvest.is_behind:
            patience_s = min(patience_s, max(0.0, self._look_at - now))
        self._express.is_open = (
            self._may_claim and not self._harvest.batch and any(map(self._backends.idle, self._pools))
        )
        events = self._backends.poll(patience_s)
        self._express.is_open = False
        for event in events:
            if isinstance(event, Asked):
                self._upkeep.asked.append(event)
            else:
                self._harvest.take(event)
        now = boottime()
        is_ripe = self._harvest.is_ripe(now)
        if self._express.is_asked:
            self._take_submissions(is_busy=is_ripe or self._harvest.is_behind or not self._may_claim)
        if is_ripe or (self._may_claim and now >= self._look_at and not self._harvest.is_behind):
            self._turn(is_ripe=is_ripe)
        if not self._harvest.is_behind and self._upkeep.tick(now):
            self._look_at = 0.0
        self._is_empty = not (self._harvest.held or self._harvest.batch or self._has_expanded)
        return 0

    def _run_orders(self) -> None:
        with self._orders_lock:
            orders, self._orders = self._orders, []
        for order in orders:
            order()

    def _turn(self, *, is_ripe: bool) -> None:
        """One transaction: accept what has ended, then claim, what has just become ready included."""
        room = self._fetcher.room() if self._may_claim and self._holds_lease() else {}
        is_notified = self._is_notified and any(room.values())
        self._is_notified = False
        if is_notified:
            self._claimer.forget_heads()
        if self._claimer.has_unknown_lanes or not (is_ripe or is_notified):  # else only to learn lanes
            has_work = self._look_for_work(room)
            if not is_ripe and not has_work:
                return
        batch = self._harvest.reap() if is_ripe else Batch()
        self._dispatch.recall(batch.pauses)
        began, began_cpu = boottime(), time.thread_time()
        self._look_at = began + LOOK_S
        try:
            if self._harvest.may_have_printed:  # what a task printed is visible when its end is
                self._write_logs()
                self._harvest.may_have_printed = False
            if batch.spawn_requests:
                batch = self._spawner.check(batch)
            closed, shipments = finish_and(
                self._store, self._instances, batch, self._daemon_id(), lambda tx: self._fetcher.fetch(tx, room, batch)
            )
        except StoreUnavailable as error:
            # Results stay here until the database is back; a claim may have been applied all the same.
            self._upkeep.reconcile_at = 0.0
            pause_s = self._put_off("finish", error)
            self._harvest.put_back(batch, boottime() + pause_s)
            return
        except Exception:
            self._upkeep.reconcile_at = 0.0  # a claim may have been applied although its reply was lost
            raise
        self._harvest.written(boottime() - began - (time.thread_time() - began_cpu))
        is_passed_over = shipments is not None and self._claimer.keep_place()
        self._look_at = min(self._look_at, self._claimer.opens_at(), began + (POLL_S if is_passed_over else LOOK_S))
        self._after_commit(batch, closed)
        if shipments is None or (self._claimer.may_have_left and (batch or shipments or is_notified)):
            self._look_at = 0.0
        self._send_all(shipments or ())

    def _send_all(self, shipments: Iterable[Shipment]) -> None:
        """Send what was claimed; then claim and send of the lanes with limits, in transactions of their own."""
        if self._fetcher.is_next_due:
            self._fetcher.is_next_due, self._look_at = False, 0.0
        for shipment in shipments:
            self._send(shipment)
        for work in self._fetcher.limited_transactions():
            try:
                shipments = self._store.transact(work, name="claim")
            except StoreUnavailable as error:
                self._upkeep.reconcile_at = 0.0
                self._put_off("claim", error)
                return
            for shipment in shipments:
                self._send(shipment)

    def _take_submissions(self, *, is_busy: bool) -> None:
        """What was submitted while a slot was free begins at once, unless results have come that must be written first."""
        if is_busy:
            self._express.decline()
            return
        # Unless this ends well: a claim may be applied although its reply is lost.
        reconcile_at = self._upkeep.reconcile_at
        self._upkeep.reconcile_at = 0.0
        try:
            self._claimer.forget_heads()
            shipments = self._express.take(self._fetcher.claim_new, self._fetcher.fetch_admitted)
        except StoreUnavailable as error:
            self._put_off("admit", error)
            return
        self._upkeep.reconcile_at = reconcile_at
        if self._claimer.may_have_left:
            self._look_at = 0.0
        self._send_all(shipments)

    def _send(self, shipment: Shipment) -> None:
        """To the workers; whatever goes wrong, the rows that were not sent go back, and other lanes' rows are sent."""
        self._harvest.held.hold_slots(shipment.claims)
        if self._store.instruments.listeners:
            key = shipment.claim.lane.key
            self._store.instruments.emit(TasksClaimed(key.pool, key.job, len(shipment.rows)))
        try:
            if self._dispatch.send(shipment, self._upkeep.cancelled(shipment.claims)):
                self._claimer.forget_heads()
                self._claimer.reopen(shipment.claim.lane.limit_names)  # heads of maps have given slots back
                self._has_expanded, self._look_at = True, 0.0
        except Exception as error:  # noqa: BLE001 - the other lanes' rows are ours as well, and must be sent
            settled = {number for number, _ in self._backends.held()} | self._harvest.batch.task_ids()
            self._harvest.release([row for row in shipment.rows if row.id not in settled])
            if isinstance(error, StoreUnavailable):
                self._put_off("send", error)
            else:
                report("send", error, POLL_S)
                self._look_at = boottime() + POLL_S

    def _put_off(self, what: str, error: StoreUnavailable) -> float:
        """The database is away: nothing new is claimed for a while."""
        self._failures += 1
        pause_s = back_off(self._failures)
        self._look_at = boottime() + pause_s
        report(what, error, pause_s)
        return pause_s

    def _after_commit(self, batch: Batch, closed: list[int]) -> None:
        self._failures = 0
        if closed:
            self._topics.publish(*self._instances.awaited_by(closed))
        self._instances.forget(closed)
        self._topics.publish(*batch.topics())
        if closed and batch.attempts:
            log_failed(self._store, closed)

    def _look_for_work(self, room: Mapping[str, int]) -> bool:
        """Learn unknown lanes, without a transaction. Does anything stand in a lane of ours, with room for it?"""
        if not any(room.values()):
            self._look_at = boottime() + POLL_S
            return False
        self._look_at = boottime() + LOOK_S
        try:
            return self._claimer.look(self._store)
        except StoreUnavailable as error:
            self._put_off("claim", error)
            return False

"""Recovery: takes back what dead daemons held. Any daemon may; the fence decides when two try.

A neighbour on this host is known to be dead by its lock file, at once; others when their lease is over and they have been
silent while our own beats were punctual: after an outage all leases are over, and no daemon is dead.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, ClassVar

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish
from qflowd.engine.finishing.manual_retries import find_manual
from qflowd.engine.finishing.outcome import POISON_AFTER_LOSSES, Ending, Released, outcome_of_loss
from qflowd.engine.limits.slots import Freed
from qflowd.engine.membership.identity import Identity, proves_life
from qflowd.engine.membership.lease import Lease
from qflowd.engine.membership.registration import StillAlive, mark_gone
from qflowd.engine.plans.instances import Instances
from qflowd.engine.service import Topics, report
from qflowd.model.errors import StoreUnavailable
from qflowd.model.instruments import DaemonReaped
from qflowd.model.states import Reason, TaskState
from qflowd.model.workflow import Settings
from qflowd.store.clock import EPOCH, boottime
from qflowd.store.tx import Store

log = logging.getLogger("qflowd")
NEIGHBOURS_S = 1.0
CHUNK = 500
MOST_REPORTS = 3  # of rows that stay locked, until the holder is known
LOST = "the daemon that ran it was lost"
UNKNOWN_HOLDER = "by a transaction that has only begun, or whose holder we may not see"


class Recovery:
    """The service that looks for dead daemons."""

    name: ClassVar[str] = "recover"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, instances: Instances, identity: Identity, topics: Topics, lease: Lease) -> None:
        self._store, self._instances, self._identity, self._topics = store, instances, identity, topics
        self._lease = lease
        self._next_look = 0.0
        self._reports: dict[int, int] = {}  # dead daemon with locked rows -> how often that was logged
        self._last_beats: dict[int, tuple[datetime, float]] = {}  # neighbour -> its last beat, and when we saw it first

    def tick(self) -> float:
        for number, file in self._identity.dead_neighbours():
            if self._try_to_take_back(number, "its lock is free"):
                file.unlink(missing_ok=True)
        if boottime() >= self._next_look:
            # The first look goes all the way back: the daemon that was taking these rows back may itself be long dead.
            since = self._store.clock.now() - timedelta(days=1) if self._next_look else EPOCH
            self._next_look = boottime() + self._lease.beat_s
            for number in self._silent():
                self._try_to_take_back(number, "its lease is over", has_expired=True)
            for row in self._store.read(lambda tx: tx.run("list_gone_owners", since=since)):
                self._try_to_take_back(row.id, "it left rows behind")
        return NEIGHBOURS_S

    def _silent(self) -> list[int]:
        """Neighbours without a beat for as long as their lease, while our own beats were punctual."""
        rows = self._store.read(lambda tx: tx.run("list_neighbours", id=self._identity.id))
        now, before = boottime(), self._last_beats
        self._last_beats = {}
        for row in rows:
            beat_at, first_seen = before.get(row.id, (None, now))
            self._last_beats[row.id] = (row.seen_at, first_seen if beat_at == row.seen_at else now)
        return [
            row.id
            for row in rows
            if row.has_expired
            and self._lease.is_long_punctual(self._last_beats[row.id][1])
            and not (self._store.dialect.file is not None and proves_life(row.lock_file))
        ]

    def _try_to_take_back(self, daemon_id: int, why: str, *, has_expired: bool = False) -> bool:
        """Rows that cannot be taken now are taken at a later look, and delay no others. False: the daemon may be alive."""
        try:
            self.take_back(daemon_id, why, has_expired=has_expired)
        except StillAlive:
            return False
        except StoreUnavailable as error:
            report(f"taking back the tasks of daemon {daemon_id}", error, self._lease.beat_s)
            return False
        return True

    def take_back(self, daemon_id: int, why: str, *, has_expired: bool = False) -> int:
        """Give back the rows of a dead daemon, except those that are locked by others. Returns how many there were.

        Raises: StillAlive if its lease no longer `has_expired`.
        """
        self._end_sessions(daemon_id)  # first: one of them may be in a transaction for as long as the server lets it
        self._store.transact(lambda tx: mark_gone(tx, daemon_id, has_expired=has_expired), name="mark_gone")
        rows = self._store.read(lambda tx: tx.run("list_lost", owner=daemon_id))
        if daemon_id not in self._reports:
            log.warning("daemon %d is dead (%s): taking back %d tasks", daemon_id, why, len(rows))
        taken = 0
        for start in range(0, len(rows), CHUNK):
            chunk = self._unlocked(daemon_id, rows[start : start + CHUNK])
            finish(self._store, self._instances, self._batch(chunk), daemon_id)
            taken += len(chunk)
        self._store.instruments.emit(DaemonReaped(daemon_id, taken, why))
        if rows:
            self._topics.publish(
                "ready", "turn", "intent"
            )  # of an instance that is being terminated, they are swept now
        return len(rows)

    def _end_sessions(self, daemon_id: int) -> None:
        try:
            self._store.end_sessions(self._identity.session_name(daemon_id))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - each driver refuses in its own way; the servers' own limits remain
            log.warning(
                "the sessions of daemon %d cannot be ended: %s; run all daemons as one user",
                daemon_id,
                error.__cause__ or error,
            )

    def _unlocked(self, daemon_id: int, rows: list[Any]) -> list[Any]:
        """The rows that are not locked: a lock may be held for hours."""
        ids = [(row.id,) for row in rows]
        free = self._store.transact(lambda tx: {row.id for row in tx.run("lock_unheld", rows=ids)}, name="lock_unheld")
        locked = len(rows) - len(free)
        if locked and self._reports.get(daemon_id, 0) < MOST_REPORTS:
            holders = self._store.lock_holders()
            log.warning("%d of its tasks are locked, and taken back later; %s", locked, holders or UNKNOWN_HOLDER)
            self._reports[daemon_id] = MOST_REPORTS if holders else self._reports.get(daemon_id, 0) + 1
        return [row for row in rows if row.id in free]

    def _batch(self, rows: list[Any]) -> Batch:
        """Everything goes back to run alone, except what may have been the cause."""
        batch = Batch()
        now = self._store.clock.now()
        last = [row for row in rows if row.losses + 1 >= POISON_AFTER_LOSSES]
        manual = self._store.read(lambda tx: find_manual(tx, self._instances, last))
        for row in rows:
            if row.limits and row.state == TaskState.RUNNING:
                batch.slots.append(Freed(row.id, row.limits))
            if row.state == TaskState.RESERVED:
                batch.released.append(Released(row.id, row.fence, 1, 0))
            else:
                settings = Settings(retry="manual" if row.id in manual else "automatic")
                ending = Ending(row, row.code_id, settings, Reason.LOST, now, row.started_at, error=LOST)
                batch.add(outcome_of_loss(ending, row.losses))
        return batch

"""Recover: takes back what dead daemons held. Any daemon may; the fence decides when two try.

A neighbour on this host is known to be dead by its lock file, at once; others when their lease is over.
"""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, ClassVar

from qflowd.engine.batch import Batch
from qflowd.engine.finish import finish
from qflowd.engine.identity import Identity
from qflowd.engine.instances import Instances
from qflowd.engine.outcome import Ending, Released, outcome_of_death
from qflowd.engine.registration import bury
from qflowd.engine.service import Topics
from qflowd.model.ids import instance_of
from qflowd.model.states import DaemonState, Reason, TaskState
from qflowd.model.workflow import Settings
from qflowd.store.clock import EPOCH, boottime
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
NEIGHBOURS_S = 1.0
CHUNK = 500


class Recover:
    """The service that looks for dead daemons."""

    name: ClassVar[str] = "recover"
    topics: ClassVar[tuple[str, ...]] = ("recover",)

    def __init__(
        self,
        store: Store,
        instances: Instances,
        identity: Identity,
        topics: Topics,
        *,
        lease_s: float,
        sweep: Callable[[Tx, int], int],
    ) -> None:
        """`sweep(tx, instance_id)` cancels what is open of an instance that is being terminated."""
        self._store, self._instances, self._identity, self._topics = store, instances, identity, topics
        self._every_s = lease_s / 3
        self._sweep = sweep
        self._next_look = 0.0

    def tick(self) -> float:
        for number, file in self._identity.dead_neighbours():
            self.take_back(number, "its lock is free")
            file.unlink(missing_ok=True)
        if boottime() >= self._next_look:
            # The first look goes all the way back: whoever was taking rows back may have died long ago, and all with it.
            since = self._store.clock.now() - timedelta(days=1) if self._next_look else EPOCH
            self._next_look = boottime() + self._every_s
            for row in self._store.read(lambda tx: tx.run("list_dead_daemons", since=since)):
                if row.id != self._identity.id:
                    self.take_back(
                        row.id, "its lease is over" if row.state != DaemonState.GONE else "it left rows behind"
                    )
        return NEIGHBOURS_S

    def take_back(self, daemon_id: int, why: str) -> int:
        """Give back the rows of a dead daemon. Returns how many there were."""
        self._store.transact(lambda tx: bury(tx, daemon_id), name="bury")
        rows = self._store.read(lambda tx: tx.run("list_lost", owner=daemon_id))
        log.warning("daemon %d is dead (%s): taking back %d tasks", daemon_id, why, len(rows))
        for start in range(0, len(rows), CHUNK):
            finish(self._store, self._instances, self._batch(rows[start : start + CHUNK]), daemon_id)
        for instance in {instance_of(row.id) for row in rows if row.intent}:
            self._store.transact(lambda tx, instance=instance: self._sweep(tx, instance), name="sweep")  # type: ignore[misc]
        if rows:
            self._topics.publish("ready", "intent")
        return len(rows)

    def _batch(self, rows: list[Any]) -> Batch:
        """All goes back, to run alone, but for what may be the cause."""
        batch = Batch()
        now = self._store.clock.now()
        for row in rows:
            if row.state == TaskState.RESERVED:
                batch.released.append(Released(row.id, row.fence, 1, 0))
            else:
                batch.add(outcome_of_death(_ending(row, now), row.losses))
        return batch


def _ending(row: Any, now: datetime) -> Ending:
    return Ending(
        id=row.id,
        node=row.node,
        kind=row.kind,
        round=row.round,
        fence=row.fence,
        attempt=row.attempt + 1,
        crashes=0,
        code_id=row.code_id,
        settings=Settings(),
        reason=Reason.LOST,
        ended_at=now,
        started_at=row.started_at,
        error="the daemon that ran it died",
    )

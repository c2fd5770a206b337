"""Heartbeat: renews the daemon's lease, in a thread and over a connection of its own, and brings back what people want.

A daemon that cannot renew kills its workers at 5/6 of the lease (lease.py), before anybody else may run their tasks.
"""

import logging
import os
from typing import Any, ClassVar

from qflowd.engine.membership.identity import Identity
from qflowd.engine.membership.lease import Lease
from qflowd.engine.running.executor import Executor
from qflowd.engine.service import Topics
from qflowd.model.durations import MB
from qflowd.model.errors import StoreUnavailable
from qflowd.model.instruments import DaemonReregistered, LeaseRenewed
from qflowd.store.clock import DbClock, boottime
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
LONGEST_RETRY_S = 1.0


class Heartbeat:
    """The service that keeps this daemon alive in the eyes of the others."""

    name: ClassVar[str] = "heartbeat"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, topics: Topics, lease: Lease, identity: Identity, executor: Executor) -> None:
        self._store, self._topics, self._lease = store, topics, lease
        self._identity, self._executor = identity, executor

    def tick(self) -> float:
        asked_at, number = boottime(), self._identity.id

        def beat(tx: Tx) -> int:
            about: dict[str, Any] = {"lease_s": self._lease.lease_s, "memory_mb": _resident_mb()}
            return tx.count("beat", id=number, database_id=self._identity.database_id, **about)

        try:
            is_known = self._store.transact(beat, single=True) == 1
            rows = self._store.read(lambda tx: tx.run("load_beat", id=number))
            if not is_known and self._identity.is_of_another_database():
                self._store.disown()  # the lease watch leaves it
            elif not is_known:
                log.error("others have marked this daemon dead; it gives up its tasks and registers again")
                self._reregister()
            elif rows and isinstance(self._store.clock, DbClock):
                self._store.clock.learn(rows[0].seen_at, asked_at)
        except StoreUnavailable as error:
            self._lease.answered_at = boottime()
            log.warning("heartbeat: %s", error)
            return min(LONGEST_RETRY_S, self._lease.beat_s)
        self._lease.renew(asked_at)
        if self._store.instruments.listeners:
            self._store.instruments.emit(LeaseRenewed(boottime() - asked_at))
        if any(row.instance_id is not None for row in rows):
            self._topics.publish("intent")
        return max(0.0, asked_at + self._lease.beat_s - boottime())

    def _reregister(self) -> None:
        """Others have marked this incarnation dead; continue as a new one, with nothing in hand."""
        self._executor.forget_all()
        self._identity.register()
        self._store.instruments.emit(DaemonReregistered(self._identity.id))
        self._topics.publish("plugins")  # that service announces it: the heartbeat must not wait for other rows


def _resident_mb() -> float:
    """Resident memory of this process in MB."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - read every beat
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE") / MB

"""Heartbeat: renews the daemon's lease, in a thread and over a connection of its own, and brings back what people want.

The lease is the daemon's, not the row's: one statement per beat however much it holds. A daemon that cannot renew kills
its workers at 5/6 of the lease, before anybody else may run their tasks.
"""

import logging
from collections.abc import Callable, Sequence
from typing import ClassVar

from qflowd.engine.service import Topics
from qflowd.model.errors import StoreUnavailable
from qflowd.store.clock import DbClock, boottime
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
BEATS_PER_LEASE = 6
FENCE_AT = 5 / 6  # of the lease: from here on the workers must be dead


class Heartbeat:
    """The service that keeps this daemon alive in the eyes of the others."""

    name: ClassVar[str] = "heartbeat"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        store: Store,
        topics: Topics,
        *,
        daemon_id: Callable[[], int],
        lease_s: float,
        keep_alive: Callable[[int], None],
        fence: Callable[[], None],
        reborn: Callable[[], None],
        memory_mb: Callable[[], float],
    ) -> None:
        """Wire it up.

        Args:
            keep_alive: tells the workers' guardian until when (µs of CLOCK_BOOTTIME) they may live.
            fence: kills all workers; called once when the lease cannot be renewed in time.
            reborn: called when others have taken this daemon for dead: what it holds is not its own any more.
        """
        self._store, self._topics = store, topics
        self._daemon_id, self._lease_s = daemon_id, lease_s
        self._keep_alive, self._fence, self._reborn, self._memory_mb = keep_alive, fence, reborn, memory_mb
        self._renewed_at = boottime()
        self._is_fenced = False
        self.last_answer = boottime()  # CLOCK_BOOTTIME of the last beat that did not hang: written, or known to be away

    def tick(self) -> float:
        beat_s = self._lease_s / BEATS_PER_LEASE
        asked_at = boottime()
        try:
            is_known, intents = self._beat(asked_at)
        except StoreUnavailable as error:
            self.last_answer = boottime()
            left_s = self._renewed_at + self._lease_s * FENCE_AT - boottime()
            if left_s <= 0 and not self._is_fenced:
                log.error(  # noqa: TRY400 - the outage itself is logged below
                    "the lease could not be renewed for %.0f s: killing all workers", self._lease_s * FENCE_AT
                )
                self._is_fenced = True
                self._fence()
            log.warning("heartbeat: %s", error)
            return min(1.0, beat_s, max(left_s, 0.1))
        self.last_answer = boottime()
        if not is_known:
            log.error("others have taken this daemon for dead; it gives up what it held and starts anew")
            self._reborn()
        self._renewed_at, self._is_fenced = asked_at, False
        self._keep_alive(round((asked_at + self._lease_s * FENCE_AT) * 1e6))
        if intents:
            self._topics.publish("intent")
        return max(0.0, asked_at + beat_s - boottime())

    def _beat(self, asked_at: float) -> tuple[bool, Sequence[int]]:
        number = self._daemon_id()

        def beat(tx: Tx) -> int:
            return tx.count("beat", id=number, lease_s=self._lease_s, memory_mb=self._memory_mb())

        is_known = self._store.transact(beat, single=True) == 1
        heard = self._store.read(lambda tx: tx.run("hear_back", id=number))
        if is_known and heard and isinstance(self._store.clock, DbClock):
            self._store.clock.learn(heard[0].seen_at, asked_at)
        return is_known, [row.instance_id for row in heard if row.instance_id is not None]

"""Fetch: what the executor claims in a transaction, and what it reads there to have it sent."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from qflowd.engine import kinds
from qflowd.engine.caches import LaneIds
from qflowd.engine.claiming.claim import Claim, Claimer, LimitedLane
from qflowd.engine.claiming.gate import Gate
from qflowd.engine.claiming.limited import LimitedClaimer
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.plans.expand import Admission
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.store.tx import Tx
from qflowd.workers.backends import Backends


class Fetcher:
    """Claims what there is room for, and makes it ready to be sent. Owned by the executor's thread."""

    def __init__(
        self,
        backends: Backends,
        instances: Instances,
        lanes: LaneIds,
        dispatch: Dispatch,
        *,
        pools: Sequence[str],
        daemon_id: Callable[[], int],
        holds_lease: Callable[[], bool],
    ) -> None:
        self._backends, self._instances, self._dispatch = backends, instances, dispatch
        self._pools, self._daemon_id, self._holds_lease = pools, daemon_id, holds_lease
        self.claimer = Claimer(lanes, pools)
        self._limited = LimitedClaimer(self.claimer, backends.runs_in_order)
        self.is_next_due = False  # the next claim should come at once

    def room(self) -> dict[str, int]:
        """How many chunks each pool can be given now."""
        return {pool: self._backends.room(pool) for pool in self._pools}

    def idle(self) -> dict[str, int]:
        """How many worker slots of each pool have nothing to do."""
        return {pool: self._backends.idle(pool) for pool in self._pools}

    def fetch(self, tx: Tx, room: Mapping[str, int], batch: Batch) -> list[Shipment]:
        """Claim, and read in the same transaction what the claimed rows need. `batch`: what it has written before."""
        # Inside the transaction: after a sleep before it, this daemon may have been marked dead.
        if not self._holds_lease():
            return []
        if batch.effects.has_advanced or batch.released:
            self.claimer.forget_heads()
        if batch.slots:
            self.claimer.reopen(batch.effects.locked_limits)
        claims = self.claimer.claim(tx, dict(room), self.idle(), self._daemon_id())
        if batch.effects.locked_limits:
            gate = Gate(dict(room), self.idle())
            claims += self._limited.claim_locked(tx, gate, claims, batch.effects.locked_limits, self._daemon_id())
        # Other lanes get what lanes with limits leave of their share.
        has_limited = bool(self.claimer.limited) or any(claim.holders for claim in claims)
        self.is_next_due |= self.claimer.is_held_back or has_limited
        return self._prepare(tx, claims)

    def limited_transactions(self) -> Iterator[Callable[[Tx], list[Shipment]]]:
        """Of the lanes with limits that `fetch` has left: a transaction for each group of them that has room."""
        groups = self._limited.groups()
        for group in groups if self._holds_lease() else ():
            if lanes := self._limited.open(group, gate := Gate(self.room(), self.idle())):
                yield partial(self._fetch_group, lanes, gate.chunks(lanes[0].head, lanes[0].lane))

    def claim_new(self, tx: Tx, admissions: Sequence[Admission]) -> Sequence[Claim]:
        """See `Claimer.claim_new`; nothing without the lease."""
        return self.claimer.claim_new(tx, admissions, self.idle(), self._daemon_id()) if self._holds_lease() else ()

    def fetch_admitted(self, tx: Tx, claims: Sequence[Claim]) -> list[Shipment]:
        """What `claim_new` has claimed; where that is nothing, whatever may be claimed now."""
        return self._prepare(tx, claims) if claims else self.fetch(tx, self.room(), Batch())

    def _fetch_group(self, lanes: Sequence[LimitedLane], chunks: int, tx: Tx) -> list[Shipment]:
        if not self._holds_lease():  # as in `fetch`
            return []
        return self._prepare(tx, self._limited.claim(tx, lanes, chunks, self._daemon_id()))

    def _prepare(self, tx: Tx, claims: Sequence[Claim]) -> list[Shipment]:
        self._instances.load_claimed(tx, [row for claim in claims for row in claim.rows])
        return kinds.prepare_all(self._dispatch, tx, claims)

"""Express: a submission that meets a free slot is admitted and claimed in one transaction.

That saves a COMMIT, several round trips and two changes of thread between an INSERT and the first line of user code. Only a
few tasks go this way, since the executor's thread has no time for more; all else is left to the service in `admit.py`.
"""

import logging
from collections.abc import Callable, Sequence

from qflowd.engine.admission.admit import publish
from qflowd.engine.admission.intake import Admitted, Intake
from qflowd.engine.claiming.claim import Claim
from qflowd.engine.plans.expand import Admission
from qflowd.engine.plans.instances import Instances
from qflowd.engine.running.dispatch import Shipment
from qflowd.engine.service import Topics
from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
FEW_TASKS = 100


class Express:
    """Owned by the executor's thread, except `ask`, which any thread may call."""

    def __init__(
        self, store: Store, intake: Intake, instances: Instances, topics: Topics, wake: Callable[[], None]
    ) -> None:
        self._store, self._intake, self._instances = store, intake, instances
        self._topics, self._wake = topics, wake
        self.is_open = False  # a slot is free, and the executor waits with nothing to write
        self.is_asked = False
        topics.subscribe("submission", self.ask)

    def ask(self) -> None:
        """Something was submitted: it is admitted here if there is a free slot for it, else by the service."""
        if self.is_open:
            self.is_asked = True
            self._wake()
        else:
            self._topics.publish("backlog")

    def decline(self) -> None:
        """Leave it to the service after all."""
        self.is_asked = False
        self._topics.publish("backlog")

    def take(
        self,
        claim_new: Callable[[Tx, Sequence[Admission]], Sequence[Claim]],
        claim: Callable[[Tx, Sequence[Claim]], Sequence[Shipment]],
    ) -> Sequence[Shipment]:
        """Admit a few submissions and claim in the same transaction. Returns what was claimed.

        `claim_new`: inserts what is ready as claimed, all or nothing. `claim`: is given these claims; if there are none, it
        looks for others.

        Raises: StoreUnavailable; it may have been applied all the same.
        """
        self.is_asked = False
        taken: list[Admitted] = []

        def admit_and_claim(tx: Tx) -> Sequence[Shipment]:
            self._forget(taken)
            claims: list[Claim] = []

            def begin(tx: Tx, admissions: Sequence[Admission]) -> bool:
                claims.extend(claim_new(tx, admissions))
                return bool(claims)

            taken.append(self._intake.take(tx, most=FEW_TASKS, largest_plan=FEW_TASKS, begin=begin))
            self._instances.remember(taken[-1].admissions)
            return claim(tx, claims) if taken[-1].admissions else ()

        try:
            shipments = self._store.transact(admit_and_claim)
        except Exception as error:
            self._forget(taken)
            self._topics.publish("backlog")
            if isinstance(error, StoreUnavailable):
                raise
            log.debug("submissions are left to the service, which finds out which row is at fault: %s", error)
            return ()
        [batch] = taken
        publish(self._store, self._topics, batch)
        if batch.has_more or batch.has_strays:
            self._topics.publish("backlog")
        return shipments

    def _forget(self, taken: list[Admitted]) -> None:
        """What was rolled back may be admitted otherwise next time."""
        while taken:
            self._instances.forget(admission.request.id for admission in taken.pop().admissions)

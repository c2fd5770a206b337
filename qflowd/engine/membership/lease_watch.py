"""Lease watch: acts when the lease (lease.py) is lost, or when the database no longer answers."""

import logging
from collections.abc import Callable
from typing import ClassVar, Final

from qflowd.engine.membership.lease import FENCE_AT, Lease
from qflowd.engine.running.executor import Executor
from qflowd.model.instruments import LeaseExpired
from qflowd.store.clock import boottime
from qflowd.store.tx import Store

log = logging.getLogger("qflowd")
LOOKS_PER_LEASE: Final = 12
FILE_LOOK_S: Final = 0.5  # between two looks whether the file is still the same


class LeaseWatch:
    """The service that watches the lease. It never uses the database, so nothing there can delay it."""

    name: ClassVar[str] = "lease-watch"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self, store: Store, lease: Lease, executor: Executor, *, sever: Callable[[], None], leave: Callable[[], None]
    ) -> None:
        """Wire it up.

        Args:
            sever: breaks connections on which nothing is answered.
            leave: called once, when the database has become another one.
        """
        self._store, self._lease, self._executor = store, lease, executor
        self._sever, self._leave = sever, leave
        # Others ask the lock file whether we live, so that we need not be able to write.
        self._is_embedded = store.dialect.file is not None
        self._has_left = self._was_held = False
        self._reported_at = self._severed_at = 0.0

    def tick(self) -> float:
        lease = self._lease
        if not self._has_left and self._store.is_replaced:
            self._has_left = True
            self._leave()
        if self._is_embedded and lease.is_held:
            lease.extend(boottime())
        if self._was_held and not lease.is_held:
            log.error("the lease could not be renewed for %.0f s: killing all workers", lease.lease_s * FENCE_AT)
            self._executor.fence()
            self._store.instruments.emit(LeaseExpired())
        self._was_held = lease.is_held
        silent_s = boottime() - lease.answered_at
        if silent_s > lease.lease_s / 2 and self._reported_at < lease.answered_at:
            self._reported_at = boottime()
            log.warning(
                "the database has not answered the heartbeat for %.0f s: it hangs, or the network does", silent_s
            )
        if silent_s > lease.lease_s and not self._is_embedded and self._severed_at < lease.answered_at:
            self._severed_at = boottime()
            log.warning("no answer for %.0f s: closing all connections to the database and reconnecting", silent_s)
            self._sever()
        look_s = lease.lease_s / LOOKS_PER_LEASE
        return min(look_s, FILE_LOOK_S) if self._is_embedded else look_s

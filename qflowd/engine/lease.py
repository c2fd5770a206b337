"""Lease: until when nobody may take over what this daemon holds, and the lookout that keeps watch over it.

The lease is the daemon's, not the row's: one statement per beat however much it holds (heartbeat.py). It is renewed from
the moment at which the beat was asked for. On an embedded database the lock file proves as much: see decision 0017.
"""

import logging
import math
import threading
from collections.abc import Callable
from typing import ClassVar, Final

from qflowd.store.clock import boottime

log = logging.getLogger("qflowd")
BEATS_PER_LEASE: Final = 6
FENCE_AT: Final = 5 / 6  # of the lease: from here on the workers must be dead
PUNCTUAL_BEATS: Final = 4  # of one's own, in a row, before others may be taken for dead
LOOKS_PER_LEASE: Final = 12
FILE_LOOK_S: Final = 0.5  # between two looks whether the file is still the same


class Lease:
    """This daemon's. All instants are CLOCK_BOOTTIME. Written by heartbeat and lookout, read by whoever claims."""

    def __init__(self, lease_s: float, tell: Callable[[float], None]) -> None:
        """`tell(until)`: the workers' guardian, and the lock file, until when we live."""
        self.lease_s, self.beat_s = lease_s, lease_s / BEATS_PER_LEASE
        self._tell = tell
        self._lock = threading.Lock()
        self._until = 0.0
        self._beaten_at = boottime()
        self._punctual_since = math.inf
        self.answered_at = boottime()  # of the last beat that did not hang: written, or known to have failed

    @property
    def is_held(self) -> bool:
        """Is it certain that nobody takes over what is held here?"""
        return boottime() < self._until

    def renew(self, asked_at: float) -> None:
        """A beat that was asked for at `asked_at` is written."""
        self.answered_at = now = boottime()
        if now - self._beaten_at > 2 * self.beat_s:
            self._punctual_since = now
        self._punctual_since = min(self._punctual_since, now)
        self._beaten_at = now
        self.extend(asked_at)

    def extend(self, since: float) -> None:
        """Nobody takes over before 5/6 of the lease after `since`."""
        with self._lock:  # a beat that was asked for long ago may be written after the lookout has extended the lease
            self._until = max(self._until, since + self.lease_s * FENCE_AT)
            self._tell(self._until)

    def is_long_punctual(self, seen_at: float) -> bool:
        """May a neighbour be dead that has been silent since we saw it at `seen_at`?

        Only if our own beats were punctual all the time: after an outage, or a sleep of ours, others are as late as we are.
        """
        now = boottime()
        since = max(seen_at, self._punctual_since)
        return now - self._beaten_at <= 2 * self.beat_s and now - since >= PUNCTUAL_BEATS * self.beat_s


class Lookout:
    """The service that keeps watch over the lease. It asks no database, so none can hold it up."""

    name: ClassVar[str] = "lookout"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        lease: Lease,
        *,
        is_embedded: bool,
        fence: Callable[[], None],
        sever: Callable[[], None],
        is_replaced: Callable[[], bool],
        leave: Callable[[], None],
    ) -> None:
        """Wire it up.

        Args:
            is_embedded: the lock file proves that we live; others ask it, so that we need not be able to write.
            fence: kills all workers.
            sever: breaks connections on which nothing is answered.
            is_replaced: is the embedded database another file now? Then `leave` it, once.
        """
        self._is_replaced, self._leave = is_replaced, leave
        self._has_left = False
        self._lease, self._is_embedded = lease, is_embedded
        self._fence, self._sever = fence, sever
        self._was_held = False
        self._reported_at = self._severed_at = 0.0

    def tick(self) -> float:
        lease = self._lease
        if not self._has_left and self._is_replaced():
            self._has_left = True
            self._leave()
        if self._is_embedded and lease.is_held:
            lease.extend(boottime())
        if self._was_held and not lease.is_held:
            log.error("the lease could not be renewed for %.0f s: killing all workers", lease.lease_s * FENCE_AT)
            self._fence()
        self._was_held = lease.is_held
        silent_s = boottime() - lease.answered_at
        if silent_s > lease.lease_s / 2 and self._reported_at < lease.answered_at:
            self._reported_at = boottime()
            log.warning(
                "the database has not answered the heartbeat for %.0f s: it hangs, or the network does", silent_s
            )
        if silent_s > lease.lease_s and not self._is_embedded and self._severed_at < lease.answered_at:
            self._severed_at = boottime()
            log.warning("no answer for %.0f s: closing all connections to the database and connecting anew", silent_s)
            self._sever()
        look_s = lease.lease_s / LOOKS_PER_LEASE
        return min(look_s, FILE_LOOK_S) if self._is_embedded else look_s

"""Lease: until when no other daemon may take over what this one holds.

The lease is the daemon's, not the row's: one statement per beat however much it holds (heartbeat.py). It is renewed from
the moment at which the beat was asked for. On an embedded database the lock file proves as much: see decision 0017.
"""

import math
import threading
from collections.abc import Callable
from typing import Final

from qflowd.store.clock import boottime

BEATS_PER_LEASE: Final = 6
FENCE_AT: Final = 5 / 6  # of the lease: from here on the workers must be dead
PUNCTUAL_BEATS: Final = 4  # of one's own, in a row, before others may be taken for dead


class Lease:
    """The lease of this daemon, in CLOCK_BOOTTIME. The heartbeat and the lease watch extend it; each claim looks at it."""

    def __init__(self, lease_s: float, publish: Callable[[float], None]) -> None:
        """`publish(until)`: announces, to the workers' nursery and in the lock file, until when this daemon lives."""
        self.lease_s, self.beat_s = lease_s, lease_s / BEATS_PER_LEASE
        self._publish = publish
        self._lock = threading.Lock()
        self._until = 0.0
        self._beaten_at = boottime()
        self._punctual_since = math.inf
        self.answered_at = boottime()  # of the last beat that did not hang: written, or known to have failed

    @property
    def is_held(self) -> bool:
        """Is it certain that no other daemon takes over what is held here?"""
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
        """No other daemon takes over before 5/6 of the lease after `since`."""
        with self._lock:  # a beat asked for long ago may be written after the lease watch extended it
            self._until = max(self._until, since + self.lease_s * FENCE_AT)
            self._publish(self._until)

    def is_long_punctual(self, seen_at: float) -> bool:
        """May a neighbour be dead that has been silent since we saw it at `seen_at`?

        Only if our own beats were punctual all the time: after an outage, or a sleep of ours, others are as late as we are.
        """
        now = boottime()
        since = max(seen_at, self._punctual_since)
        return now - self._beaten_at <= 2 * self.beat_s and now - since >= PUNCTUAL_BEATS * self.beat_s

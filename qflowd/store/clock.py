"""The database's time, read without asking the database: its last reading plus CLOCK_BOOTTIME."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
CLOCK_S = 60.0  # after so long, whoever uses the database looks at its clock again
_MICROSECOND = timedelta(microseconds=1)
_ROUNDED_DOWN = timedelta(milliseconds=1)  # at most: SQLite tells whole milliseconds


def to_microseconds(instant: datetime) -> int:
    """An instant as whole microseconds since 1970."""
    return (instant - EPOCH) // _MICROSECOND


def from_microseconds(microseconds: int) -> datetime:
    """The instant that many microseconds after the start of 1970."""
    return EPOCH + timedelta(microseconds=microseconds)


def boottime() -> float:
    """Seconds since this host started, counting sleep; one clock for all its processes."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class TimeSource(Protocol):
    """Where the engine gets its instants."""

    def now(self) -> datetime: ...

    def at(self, boottime_s: float) -> datetime:
        """The instant of a reading of CLOCK_BOOTTIME on this host."""
        ...


class DbClock:
    """Follows the server's clock; set by the heartbeat. Before the first reading: this host's own clock.

    It never runs backwards by more than the server does, and costs no round trip.
    """

    def __init__(self) -> None:
        self._zero = datetime.now(UTC) - timedelta(seconds=boottime())

    def learn(self, server_now: datetime, asked_at_s: float) -> None:
        """Take a reading of the server's clock that was asked for at CLOCK_BOOTTIME `asked_at_s`.

        The server read its clock at some time since then. The slower the answer, the less it says: it moves our clock
        only as far as is certain.
        """
        earliest = server_now - timedelta(seconds=boottime())
        latest = server_now + _ROUNDED_DOWN - timedelta(seconds=asked_at_s)
        self._zero = min(max(self._zero, earliest), latest)

    def now(self) -> datetime:
        return self._zero + timedelta(seconds=boottime())

    def at(self, boottime_s: float) -> datetime:
        return self._zero + timedelta(seconds=boottime_s)

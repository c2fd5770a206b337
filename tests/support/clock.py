"""The clock that tests of the engine set, and instants on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
BEIJING = ZoneInfo("Asia/Shanghai")
# Zones, and the days before those on which their clocks go forward and back.
CLOCK_CHANGES = (
    ("America/New_York", "2026-03-07"),
    ("America/New_York", "2026-10-31"),
    ("Europe/London", "2026-03-28"),
    ("Europe/London", "2026-10-24"),
)


def beijing(text: str) -> datetime:
    """The instant at which clocks in China show it."""
    return datetime.fromisoformat(text).replace(tzinfo=BEIJING)


class SetClock:
    """Stands until it is set."""

    def __init__(self, time: datetime = MONDAY) -> None:
        self.time = time

    def now(self) -> datetime:
        return self.time

    def at(self, boottime_s: float) -> datetime:
        return self.time

    def advance(self, seconds: float) -> None:
        self.time += timedelta(seconds=seconds)

"""The clock that a test sets."""

from datetime import UTC, datetime, timedelta

from qflowd.model.durations import parse_delay
from qflowd.model.instants import as_utc, parse_instant


class Clock:
    """A clock that stands until it is set.

    Args:
        start: an aware datetime, or a string (without an offset: UTC); the present instant if not given.

    Raises: ValueError for a string that is not an instant.
    """

    def __init__(self, start: datetime | str | None = None) -> None:
        self.set(datetime.now(UTC) if start is None else start)

    def now(self) -> datetime:
        """The instant it shows, in UTC."""
        return self._now

    def at(self, boottime_s: float) -> datetime:
        """The same: whatever happens meanwhile happens now."""
        return self._now

    def set(self, instant: datetime | str) -> None:
        """Show `instant` from now on. To have done what is due until then, use `Harness.advance`."""
        self._now = parse_instant(instant) if isinstance(instant, str) else as_utc(instant)

    def after(self, duration: float | str) -> datetime:
        """The instant that `duration` later: seconds, or a string such as "5m"."""
        return self._now + timedelta(seconds=parse_delay(duration))

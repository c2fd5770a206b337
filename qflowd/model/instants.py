"""Instants and dates as people write them: ISO 8601; without an offset an instant is UTC."""

from datetime import UTC, date, datetime
from typing import Final

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)  # before all there is
FOREVER: Final = datetime(9999, 12, 31, tzinfo=UTC)  # when what waits for a person is due


def parse_instant(text: str) -> datetime:
    """The instant in `text`, in UTC.

    Raises: ValueError with what to write.
    """
    try:
        return as_utc(datetime.fromisoformat(text.strip()))
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:60]!r} is not an instant; write it like 2026-11-20T09:30:00Z") from None


def parse_date(text: str) -> date:
    """The date in `text`.

    Raises: ValueError with what to write.
    """
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{text[:60]!r} is not a date; write it like 2026-11-20") from None


def as_utc(instant: datetime) -> datetime:
    """The same instant in UTC; one without a time zone is taken for UTC.

    Raises: OverflowError near the years 1 and 9999.
    """
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def within_bounds(instant: datetime) -> datetime:
    """The same instant in UTC, but none before `EARLIEST` and none after `FOREVER`: sums and databases stand these."""
    aware = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant
    return min(max(aware, EARLIEST), FOREVER).astimezone(UTC)


def format_instant(instant: datetime) -> str:
    """ISO 8601 with `Z` for UTC, as expressions and `--json` show it; `instant` is in UTC."""
    return instant.isoformat().replace("+00:00", "Z")

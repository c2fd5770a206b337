"""Job `delay`: wait without holding a slot. The row stands in the timer table, so a million of them cost nothing."""

from datetime import UTC, datetime, timedelta

from qflowd import Defer, context, job
from qflowd.model.durations import parse_duration


@job(title="Wait")
def delay(seconds: float | str | None = None, until: datetime | None = None) -> dict[str, str]:
    """Wait for `seconds` (a number, or text such as "10m"), or `until` an instant (ISO 8601, UTC if it names no zone).

    Returns `{"until": …}`, the instant that was waited for.
    """
    attempt = context()
    now = datetime.now(UTC)
    if attempt.saved is None:
        due = _due(now, seconds, until)
        attempt.save({"until": due.isoformat()})
    else:
        due = datetime.fromisoformat(attempt.saved["until"])
    # Woken a little early by another clock than ours: the rest is not worth a second wait.
    if (left := (due - now).total_seconds()) > 0.05:
        raise Defer(left)
    return {"until": due.isoformat()}


def _due(now: datetime, seconds: float | str | None, until: datetime | None) -> datetime:
    if (seconds is None) == (until is None):
        raise ValueError("delay takes either seconds or until")
    if until is not None:
        return until if until.tzinfo else until.replace(tzinfo=UTC)
    return now + timedelta(seconds=parse_duration(seconds) if seconds else 0)

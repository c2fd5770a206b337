"""How long to wait before the next attempt."""

from qflowd.model.workflow import BUILT_IN, Settings


def retry_delay(settings: Settings, attempt: int, chance: float) -> float:
    """Seconds to wait before attempt number `attempt` (2 is the first retry).

    `chance` is a random number from 0 to 1: it spreads the delay evenly by the share `settings.jitter` to both
    sides. An exponential delay doubles from retry to retry and, jitter included, stays below `retry_max_delay`;
    a `retry_delay` that is longer than that is kept as it is.
    """
    effective = settings.over(BUILT_IN)
    delay, jitter, longest = effective.retry_delay or 0.0, effective.jitter or 0.0, effective.retry_max_delay or 0.0
    if effective.backoff == "exponential":
        doublings = min(max(attempt - 2, 0), 64)
        delay = min(delay * 2.0**doublings, max(longest / (1 + jitter), delay))
    return delay * (1 + jitter * (2 * chance - 1))

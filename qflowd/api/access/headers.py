"""Headers that every answer carries."""

from qflowd.config.records import ApiConfig


def security_headers(_config: ApiConfig) -> list[tuple[str, str]]:
    """What browsers are told to do with any answer of this server."""
    return [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cache-control", "no-store"),
    ]

"""Quotas of a tenant: their names, what values they take, and what patterns allow. Pure."""

import json
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

LONGEST_TENANT: Final = 64  # characters: as much as a column `tenant` of an inbox holds
MOST_PATTERNS: Final = 200
GREATEST: Final = 1_000_000_000
KILOBYTE: Final = 1 << 10
MEGABYTE: Final = 1 << 20

# Name -> (least value, greatest value, what it says).
NUMBERS: Final[Mapping[str, tuple[int, int, str]]] = {
    "open_instances": (0, GREATEST, "instances that have not ended"),
    "running_tasks": (1, 1_000_000, "tasks that run at once"),
    "submissions_per_day": (0, GREATEST, "submissions that are accepted on a day (UTC)"),
    "workflows": (0, GREATEST, "workflows that are not archived"),
    "params_kb": (1, 1024, "KB of params of a submission"),
    "log_mb_per_day": (0, GREATEST, "MB of log lines of instances that end on a day (UTC)"),
    "priority_max": (-2000, 2000, "priority of a task"),
}
PATTERNS: Final[Mapping[str, str]] = {
    "allowed_jobs": "jobs that may run",
    "allowed_pools": "pools in which tasks may run",
}
NAMES: Final = (*NUMBERS, *PATTERNS)
COUNTED: Final = frozenset({"open_instances", "submissions_per_day"})  # what an admission counts while it has a lock

Value = int | tuple[str, ...]


def read_value(name: str, value: Any) -> Value:
    """The value of a quota as it is kept.

    Args:
        value: a whole number or text of one; of `allowed_…` a list of patterns, or text with commas.

    Raises: ValueError that says what it may be.
    """
    if name in PATTERNS:
        return _patterns(name, value)
    if name not in NUMBERS:
        raise ValueError(f"there is no quota {name!r}; there are {', '.join(NAMES)}")
    least, greatest, what = NUMBERS[name]
    if isinstance(value, str) and value.strip().lstrip("-").isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= greatest:
        raise ValueError(f"{name} ({what}) is a whole number from {least:,} to {greatest:,}, not {value!r}")
    return value


def _patterns(name: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        value = [part for part in value.split(",") if part.strip()]
    if not isinstance(value, Sequence) or not all(isinstance(part, str) and part.strip() for part in value):
        raise ValueError(f"{name} ({PATTERNS[name]}) is a list of names or patterns such as md_*, not {value!r}")
    if len(value) > MOST_PATTERNS:
        raise ValueError(f"{name} has {len(value)} patterns; at most {MOST_PATTERNS} are allowed")
    return tuple(part.strip() for part in value)


def write_value(value: Value) -> str:
    """The text that `load_value` reads."""
    return json.dumps(value, ensure_ascii=False)


def load_value(text: str) -> Value:
    """A value that `write_value` has written."""
    value = json.loads(text)
    return tuple(value) if isinstance(value, list) else int(value)


def allows(patterns: Iterable[str], name: str) -> bool:
    """Does one of these patterns stand for `name`? `*` stands for any characters, `?` for one, `[ab]` for one of these."""
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def limit_of(tenant: str) -> str:
    """The limit of which each running task of a tenant takes a slot, where it has the quota running_tasks."""
    return f"tenant:{tenant}"


OF_TENANTS: Final = limit_of("")  # how limits begin that quotas make

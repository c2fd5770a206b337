"""Durations and sizes as people write them: "1h30m" is 5400.0 seconds, "512MB" is 536870912 bytes."""

import math
import re
from decimal import Decimal
from typing import Final

LONGEST_S: Final = 10 * 366 * 86400.0
LARGEST_BYTES: Final = 2**50
MB: Final = 2**20  # bytes; the only meaning of MB wherever a user reads or writes it

_UNITS_MS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION: Final = re.compile("".join(rf"(?:(?P<{unit}>\d+(?:\.\d+)?){unit})?" for unit in _UNITS_MS), re.ASCII)
_PLAIN: Final = re.compile(r"\d+(?:\.\d+)?", re.ASCII)
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)i?B?", re.ASCII | re.IGNORECASE)
_SIZE_UNITS: Final = {"": 1, "K": 2**10, "M": MB, "G": 2**30, "T": 2**40}


def parse_duration(value: object) -> float:
    """Seconds, above 0 and at most ten years, from "10m", "1h30m", "500ms" or a plain number of seconds.

    Raises: ValueError with the text of the fault.
    """
    seconds = _seconds(value)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError(f"{value!r} is not a duration above 0 and below ten years")
    return seconds


def parse_delay(value: object) -> float:
    """As `parse_duration`, but 0 is allowed: at once."""
    return 0.0 if _seconds(value) == 0 else parse_duration(value)


def refuse_bare_number(value: object) -> None:
    """Raises: ValueError for a number without a unit: who looks back or pauses for 12 may mean hours."""
    if _PLAIN.fullmatch(number := str(value).strip()):
        raise ValueError(
            f'{number} has no unit; write "{number}m" for minutes, "{number}h" for hours or "{number}d" for days'
        )


def parse_period(value: object) -> float:
    """As `parse_duration`, with a unit."""
    refuse_bare_number(value)
    return parse_duration(value)


def format_duration(seconds: float) -> str:
    """The shortest usual text, such as "1h30m"; `parse_duration` gives exactly `seconds` back."""
    milliseconds = round(seconds * 1000)
    if milliseconds / 1000 != seconds or not milliseconds:
        return f"{Decimal(repr(seconds)):f}s"
    parts = []
    for unit, size in _UNITS_MS.items():
        count, milliseconds = divmod(milliseconds, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_size(value: object) -> int:
    """Bytes, above 0, from "512MB", "8G", "64KiB" or a plain number. Units are powers of 1024.

    Raises: ValueError with the text of the fault.
    """
    if isinstance(value, int) and not isinstance(value, bool):
        size = value
    elif isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        size = int(Decimal(match[1]) * _SIZE_UNITS[match[2].upper()])
    else:
        raise ValueError(f'{value!r} is not a size; write it like "512MB" or "8G"')
    if not 0 < size <= LARGEST_BYTES:
        raise ValueError(f"{value!r} is not a size above 0 and below 1024T")
    return size


def format_size(size: int) -> str:
    """The text with the largest unit that divides `size`; `parse_size` gives exactly `size` back."""
    for unit in "TGMK":
        if size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}B"
    return f"{size}B"


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(min(value, LONGEST_S * 2)):
        return float(max(-1.0, min(value, LONGEST_S * 2)))  # whatever lies outside is refused all the same
    text = value.strip() if isinstance(value, str) else ""
    if _PLAIN.fullmatch(text):
        return float(text)
    match = _DURATION.fullmatch(text)
    if not text or not match:
        raise ValueError(f'{value!r} is not a duration; write it like "10m", "1h30m" or "500ms"')
    total_ms = sum(Decimal(match[unit]) * size for unit, size in _UNITS_MS.items() if match[unit])
    return float(total_ms / 1000)

"""The functions of the expression language, each bounded in time and memory.

`len str int float bool min max sum abs round` as in Python; `get(mapping, key, default)`;
`replace(string, old, new)`; `days(date, n)`: the date `n` days later, as "2026-01-05"; `local(instant, zone)`: the same
instant as clocks in `zone` show it, as "2026-01-05T17:00:00+08:00", so that its date is `local(…)[:10]`;
`format(date, "%Y%m%d")`: a date, or an instant, as `strftime` writes it.
"""

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any, Final

from qflowd.model import jsontext, zones
from qflowd.model.instants import parse_instant
from qflowd.model.workflow import Json

LARGEST: Final = 1_000_000  # characters and items of a value, all levels together
OF_DATES: Final = "%ABGUVWYabdjmuwy"  # what `format` takes after a %: that which is alike on every machine
OF_TIMES: Final = "HIMSfpz"
LONGEST_PATTERN: Final = 200  # characters


class TooLarge(Exception):
    """A value would be larger than expressions may make."""

    def __init__(self) -> None:
        super().__init__(f"the result is larger than {LARGEST:,} characters")


def number(value: Json) -> Any:
    """`value` if it is a number.

    Raises: TypeError.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{shown(value)} is not a number")
    return value


def guard(value: Json) -> Json:
    """`value`, if it is a scalar that JSON can carry.

    Raises: ValueError for numbers that are not finite or have over 64 bits.
    """
    if isinstance(value, int | float):
        try:
            jsontext.checked_number(value)
        except ValueError:
            raise ValueError("the result is not a finite number of 64 bits") from None
    return value


def join_size(left: Any, right: Any) -> None:
    """Refuse to join what would be too large.

    Raises: TooLarge.
    """
    if len(left) + len(right) > LARGEST:
        raise TooLarge


def measure(value: Json, largest: float = LARGEST) -> int:
    """Characters and items of `value`; the walk stops as soon as it is too large. Shared values count each time.

    Raises: TooLarge.
    """
    size, todo = 0, [value]
    while todo:
        item = todo.pop()
        if isinstance(item, dict):
            size += sum(map(len, item)) + len(item)
            todo.extend(item.values())
        elif isinstance(item, list):
            size += len(item)
            todo.extend(item)
        elif isinstance(item, str):
            size += len(item)
        if size > largest:
            raise TooLarge
    return size


def text(value: Json) -> str:
    """`value` inside a longer string: strings as they are, all else as JSON."""
    if isinstance(value, str):
        return value
    measure(value)
    return jsontext.dump(value)


def _int(value: Json) -> int:
    if isinstance(value, str) and len(value) > 40:
        raise ValueError("a string of more than 40 characters is not a number")
    return int(value)


def _float(value: Json) -> float:
    if isinstance(value, str) and len(value) > 400:
        raise ValueError("a string of more than 400 characters is not a number")
    return float(value)


def _sum(values: Json) -> Any:
    return sum(map(number, values))


def _abs(value: Json) -> Any:
    return abs(number(value))


def _round(value: Json, digits: Json = None) -> Any:
    if digits is not None and not -20 <= number(digits) <= 20:
        raise ValueError("round takes -20 to 20 digits")
    return round(number(value), digits)


def _get(group: Json, key: Json, default: Json = None) -> Json:
    if group is None:
        return default
    if not isinstance(group, dict):
        raise TypeError(f"get needs a mapping, not {shown(group)}")
    return group.get(key, default)


def _replace(where: Json, old: Json, new: Json) -> str:
    if not (isinstance(where, str) and isinstance(old, str) and isinstance(new, str)):
        raise TypeError("replace takes three strings")
    if len(where) + where.count(old) * len(new) > LARGEST:
        raise TooLarge
    return where.replace(old, new)


def _days(day: Json, count: Json) -> str:
    return (date.fromisoformat(date_text("days", day)[:10]) + timedelta(days=int(number(count)))).isoformat()


def _local(instant: Json, zone: Json) -> Json:
    if instant is None:
        return None
    if not isinstance(instant, str) or not isinstance(zone, str):
        raise TypeError(f"local needs an instant and a time zone, not {shown(instant)} and {shown(zone)}")
    try:
        there = zones.zone(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(f"{shown(zone)} is not a time zone; use a name like Asia/Shanghai") from None
    return parse_instant(instant).astimezone(there).isoformat()


def _format(value: Json, pattern: Json = None) -> str:
    text = date_text("format", value).strip()
    if not isinstance(pattern, str) or len(pattern) > LONGEST_PATTERN:
        raise TypeError(f'format needs a pattern like "%Y%m%d" of at most {LONGEST_PATTERN} characters')
    try:
        when, known = date.fromisoformat(text), OF_DATES
    except ValueError:
        parse_instant(text)  # says what is wrong with it; but what is written is the clock of its own zone
        when, known = datetime.fromisoformat(text), OF_DATES + OF_TIMES
    directives = re.findall("%(.?)", pattern, re.DOTALL)
    if unknown := [directive for directive in directives if not directive or directive not in known]:
        what = "a date" if known is OF_DATES else "an instant"
        raise ValueError(f"format of {what} does not have %{unknown[0]}; it has %{' %'.join(known)}")
    return re.sub("%.", lambda match: when.strftime(match[0]), pattern)


def date_text(function: str, value: Json) -> str:
    """`value`, which a function takes for a date, if it is a string.

    Raises: TypeError.
    """
    if isinstance(value, str):
        return value
    remedy = "; where it is business_date, submit the instance with one" if value is None else ""
    raise TypeError(f"{function} needs a date like 2026-01-05, not {shown(value)}{remedy}")


def shown(value: Json) -> str:
    """A value as sentences about it name it."""
    if value is None:
        return "null"
    return repr(value)[:40] if isinstance(value, str | int | float) else f"a {type(value).__name__}"


FUNCTIONS: Final[dict[str, Callable[..., Json]]] = {
    "len": len,
    "str": text,
    "int": _int,
    "float": _float,
    "bool": bool,
    "min": min,
    "max": max,
    "sum": _sum,
    "abs": _abs,
    "round": _round,
    "get": _get,
    "replace": _replace,
    "days": _days,
    "local": _local,
    "format": _format,
}

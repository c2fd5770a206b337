"""Readers: each turns one JSON value into what is meant by it, or raises ValueError with the text of the fault."""

from collections.abc import Callable
from typing import Any, TypeVar

from qflowd.model.names import fault_in_key
from qflowd.model.workflow import Json

T = TypeVar("T")
Reader = Callable[[Json], T]


def text(value: Json) -> str:
    """A string; also a number, as it was likely meant (`title: 2026`)."""
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError(f"must be a string, not {kind(value)}")


def short_text(longest: int) -> Reader[str]:
    """A string of at most `longest` characters."""

    def read(value: Json) -> str:
        string = text(value)
        if len(string) > longest:
            raise ValueError(f"has {len(string)} characters; at most {longest} are allowed")
        return string

    return read


def flag(value: Json) -> bool:
    """True or false."""
    if isinstance(value, bool):
        return value
    raise ValueError(f"must be true or false, not {kind(value)}")


def whole(low: int, high: int) -> Reader[int]:
    """A whole number from `low` to `high`."""

    def read(value: Json) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"must be a whole number from {low} to {high}, not {shown(value)}")
        return value

    return read


def number(low: float, high: float) -> Reader[float]:
    """A number from `low` to `high`."""

    def read(value: Json) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}, not {shown(value)}")
        return float(value)

    return read


def one_of(*choices: str) -> Reader[Any]:
    """One of the given words."""

    def read(value: Json) -> str:
        if value not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}, not {shown(value)}")
        return str(value)

    return read


def strings(value: Json) -> tuple[str, ...]:
    """A list of strings; a single string counts as a list of one."""
    if isinstance(value, list):
        return tuple(map(text, value))
    return (text(value),)


def mapping(value: Json) -> dict[str, Json]:
    """Keys and values."""
    if isinstance(value, dict):
        return value
    raise ValueError(f"must hold keys and values, not {kind(value)}")


def key_text(what: str) -> Reader[str]:
    """The key of a workflow, a job, a pool; also a bare number, which is a name all the same: `workflow: 20260105`."""

    def read(value: Json) -> str:
        key = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if fault := fault_in_key(key, what):
            raise ValueError(fault)
        return str(key)

    return read


def kind(value: Json) -> str:
    """The name people give to the type of `value`."""
    if value is None:
        return "null"
    names = {bool: "true or false", int: "a number", float: "a number", str: "a string", list: "a list"}
    return "keys and values" if isinstance(value, dict) else names.get(type(value), type(value).__name__)


def shown(value: Json) -> str:
    """`value` in a message, cut short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    short = kind(value) if value is None or isinstance(value, dict | list) else repr(value)
    return short if len(short) <= 60 else short[:57] + "..."

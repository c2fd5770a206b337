"""The one converter of users' values to plain JSON: outputs, checkpoints, params of the SDK, extras of log records.

It imports no library of the user's: what numpy, pandas, polars or pydantic made is known by what it offers.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from os import PathLike, fspath
from typing import Any, Final
from uuid import UUID

import msgspec

from qflowd.model.jsontext import LARGEST_INT, SMALLEST_INT
from qflowd.model.workflow import Json

_TIMES: Final = ("m", "M")  # of numpy: durations and instants
_FREE: Final = frozenset({str, bool, type(None)})  # these need no look
# Arrays of numpy, pandas, torch; series and frames of polars; arrays, tables and scalars of pyarrow.
_METHODS: Final = ("tolist", "to_list", "to_dicts", "to_pylist", "as_py")


class NotJson(ValueError):
    """A value, somewhere inside, that JSON does not have. `steps` lead to it, the innermost first."""

    def __init__(self, fault: str) -> None:
        super().__init__(fault)
        self.fault = fault
        self.steps: list[object] = []


def plain(value: Any, what: str = "value") -> Json:
    """`value` as None, bool, int of 64 bits, finite float, str, list and dict; `what` names it in errors.

    Raises: ValueError, a sentence with the place: NaN, bytes, sets, a key twice, a value inside itself, other types.
    """
    try:
        return _plain(value)
    except NotJson as error:
        place = what + "".join(f"[{step!r}]" for step in reversed(error.steps))
        raise ValueError(f"{place} {error.fault}") from None
    except RecursionError:
        raise ValueError(f"{what} is nested too deeply, or contains itself") from None


def _plain(value: Any) -> Json:
    kind = type(value)
    if kind in _FREE:
        return value
    if kind is dict:
        return _object(value.items())
    if kind is list or kind is tuple:
        return _list(value)
    if kind is float:
        return _float(value)
    if kind is int:
        return _whole(value)
    return _other(value, kind)


def _other(value: Any, kind: type) -> Json:
    for known, convert in _BY_TYPE:
        if isinstance(value, known):
            return convert(value)
    library = kind.__module__.partition(".")[0]
    if library == "numpy" and (made := _numpy(value)) is not value:
        return _plain(made)
    if library == "pandas" and kind.__name__ in _PANDAS:
        return _PANDAS[kind.__name__](value)
    for method in _METHODS:
        if callable(made := getattr(value, method, None)) and not isinstance(value, type):
            return _plain(made())
    if hasattr(kind, "model_dump"):  # pydantic
        return _plain(value.model_dump(mode="json"))
    if (names := _field_names(kind)) is not None:
        return _object((name, getattr(value, attribute)) for name, attribute in names)
    return _refuse(value)


def _list(values: Iterable[Any]) -> list[Json]:
    if isinstance(values, list) and _is_plain(values):
        return values
    items: list[Json] = []
    try:
        for value in values:
            items.append(_plain(value))  # noqa: PERF401 - their number is the place of a fault
    except NotJson as error:
        error.steps.append(len(items))
        raise
    return items


def _is_plain(values: list[Any]) -> bool:
    """May it stay as it is? A column of numbers need not be walked in Python."""
    kinds = set(map(type, values))
    if kinds == {float}:
        return all(map(math.isfinite, values))
    return _FREE.issuperset(kinds) or (kinds == {int} and SMALLEST_INT <= min(values) <= max(values) <= LARGEST_INT)


def _object(pairs: Iterable[tuple[Any, Any]]) -> dict[str, Json]:
    members: dict[str, Json] = {}
    key: Any = None
    try:
        for key, value in pairs:
            name = key if type(key) is str else _key(key)
            if name in members:
                message = f"holds the key {name!r} twice, as keys of JSON are strings"
                raise NotJson(message)
            members[name] = _plain(value)
    except NotJson as error:
        error.steps.append(key)
        raise
    return members


def _key(key: Any) -> str:
    name = None if isinstance(key, list | tuple | Mapping) else _plain(key)
    if isinstance(name, bool) or key is None:
        return {True: "true", False: "false", None: "null"}[name]
    if isinstance(name, str | int | float):
        return str(name)
    raise NotJson(f"has a key of type {type(key).__qualname__}; keys of JSON are strings")


def _float(value: float) -> float:
    if not math.isfinite(value):
        raise NotJson(f"is {value}, which JSON does not have; give None instead")
    return float(value)


def _whole(value: int) -> int:
    if not SMALLEST_INT <= value <= LARGEST_INT:
        raise NotJson("is a whole number of more than 64 bits; give it as a string")
    return int(value)


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        raise NotJson(f"is Decimal('{value}'), which JSON does not have; give None instead")
    return str(value)


def _instant(value: date | time) -> str | None:
    return None if type(value).__name__ == "NaTType" else value.isoformat()  # pandas: no time at all


def _duration(value: timedelta) -> Json:
    # Of a subclass only the parts: pandas adds nanoseconds, which no duration here has.
    return msgspec.to_builtins(timedelta(value.days, value.seconds, value.microseconds))


def _refuse(value: Any) -> Json:
    kind = type(value)
    raise NotJson(f"is a {kind.__module__}.{kind.__qualname__}, which JSON does not have")


def _numpy(value: Any) -> Any:
    """A scalar or array of numpy as Python's own; `value` itself where `tolist` does."""
    code = getattr(getattr(value, "dtype", None), "kind", "")
    if getattr(value, "shape", None) != ():
        return list(value) if code in _TIMES else value  # `tolist` would make integers of nanoseconds
    if code in _TIMES:
        return _moment(value[()], code)
    wide = {"f": float, "c": complex}.get(code)  # the item of a longdouble is a longdouble
    return wide(value) if wide else value.item()


def _moment(value: Any, code: str) -> Any:
    moment = value.item()
    if not isinstance(moment, int):  # None: not a time
        return moment
    cut = value.astype(f"{code}8[us]")
    return cut.item() if cut == value and not isinstance(cut.item(), int) else str(value)


def _field_names(kind: type) -> list[tuple[str, str]] | None:
    """Name in JSON and attribute of every field of a dataclass, an attrs class or a msgspec.Struct; else None."""
    if is_dataclass(kind):
        return [(field.name, field.name) for field in fields(kind)]
    if (attributes := getattr(kind, "__attrs_attrs__", None)) is not None:
        return [(field.name, field.name) for field in attributes]
    if (names := getattr(kind, "__struct_fields__", None)) is not None:
        return list(zip(kind.__struct_encode_fields__, names, strict=True))  # type: ignore[attr-defined]
    return None


_BY_TYPE: Final[tuple[tuple[Any, Callable[[Any], Json]], ...]] = (
    (Enum, lambda value: _plain(value.value)),
    (str, str.__str__),
    (float, _float),
    (int, _whole),
    ((date, time), _instant),
    (timedelta, _duration),
    (Decimal, _decimal),
    (UUID, str),
    (PathLike, lambda value: _plain(fspath(value))),
    ((bytes, bytearray, memoryview, set, frozenset), _refuse),
    (Mapping, lambda value: _object(value.items())),
    (Sequence, _list),
)
_PANDAS: Final[Mapping[str, Callable[[Any], Json]]] = {
    "Series": lambda value: _object(value.items()),
    "DataFrame": lambda value: _object(value.items()),
    "Period": str,
    "NAType": lambda _: None,
}

"""Values that differ from a JSON Schema in spelling only, as it wants them: `600519` where it takes strings is "600519".

Admission and workers adapt alike, so that what a schema admits can be converted to the hinted types.
"""

import re
from base64 import b64decode
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from qflowd.model.workflow import Json


def _base64(text: str) -> str:
    b64decode(text, validate=True)
    return text


def _decimal(text: str) -> str:
    try:
        is_number = Decimal(text).is_finite()
    except ArithmeticError:
        is_number = False
    if not is_number:
        raise ValueError(f"{text!r} is not a decimal number")
    return text


def _duration(text: str) -> str:
    import msgspec

    msgspec.convert(text, type=timedelta)
    return text


# Formats of our own, for type hints that take more, or less, than the formats of JSON Schema: how each is read.
FORMATS: Final[Mapping[str, Callable[[str], str]]] = {
    "base64": _base64,
    "decimal": _decimal,
    "local-date-time": lambda text: datetime.fromisoformat(text).isoformat(),
    "local-time": lambda text: time.fromisoformat(text).isoformat(),
    "timedelta": _duration,
}
_SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    **FORMATS,
    "date": lambda text: date.fromisoformat(text).isoformat(),  # 20260105
}
_BOOLEANS: Final = {"True": True, "TRUE": True, "False": False, "FALSE": False}
# A number or a code: YAML and the command line leave it a string.
_EXPONENT: Final = re.compile(r"-?[0-9]+[eE][0-9]{1,3}", re.ASCII)


class UnknownKeys(ValueError):
    """An object has keys that its schema does not allow."""


def coerce(schema: Json, value: Json, *, is_strict: bool = False) -> Json:
    """`value` adapted to `schema` wherever that is a matter of spelling; the rest is left as it is.

    Whole numbers become strings, 5.0 becomes 5, 1 and 0 booleans, where nothing else fits; times take one form.
    `is_strict`: keys that the schema excludes raise UnknownKeys.
    """
    definitions = schema.get("$defs", {}) if isinstance(schema, dict) else {}
    return _Coercion(definitions, is_strict=is_strict).value(schema, value)


class _Coercion:
    def __init__(self, definitions: Mapping[str, Json], *, is_strict: bool) -> None:
        self._definitions = definitions
        self._is_strict = is_strict

    def value(self, schema: Json, value: Json) -> Json:
        schema = self._resolved(schema)
        if (branches := schema.get("anyOf") or schema.get("oneOf")) is not None:
            return self._branch(branches, value)
        if isinstance(value, dict):
            return self._object(schema, value)
        if isinstance(value, list):
            first = schema.get("prefixItems", ())
            return [self.value(first[i] if i < len(first) else schema.get("items"), v) for i, v in enumerate(value)]
        return _scalar(schema, value)

    def _resolved(self, schema: Json) -> dict[str, Json]:
        for _ in range(10):
            target = schema.get("$ref") if isinstance(schema, dict) else None
            if not isinstance(target, str) or not target.startswith("#/$defs/"):
                break
            schema = self._definitions.get(target.removeprefix("#/$defs/"))
        return schema if isinstance(schema, dict) else {}

    def _object(self, schema: dict[str, Json], value: dict[str, Json]) -> dict[str, Json]:
        known, others = schema.get("properties"), schema.get("additionalProperties")
        known = known if isinstance(known, dict) else {}
        if self._is_strict and others is False and (unknown := sorted(value.keys() - known.keys())):
            raise UnknownKeys(f"unknown key {', '.join(map(repr, unknown))}; there are: {', '.join(known) or 'none'}")
        return {key: self.value(known.get(key, others), item) for key, item in value.items()}

    def _branch(self, branches: Json, value: Json) -> Json:
        """The value for the first branch that takes it as it is, else for the first that takes it adapted."""
        refused: UnknownKeys | None = None
        for adapt in (False, True):
            for branch in branches:
                try:
                    adapted = self.value(branch, value)
                except UnknownKeys as error:
                    refused = error
                    continue
                if self._fits(self._resolved(branch), adapted if adapt else value):
                    return adapted
        if refused:
            raise refused
        return value

    def _fits(self, schema: dict[str, Json], value: Json) -> bool:
        """By type, words and required keys alone."""
        if (branches := schema.get("anyOf") or schema.get("oneOf")) is not None:
            return any(self._fits(self._resolved(branch), value) for branch in branches)
        if "enum" in schema and not any(_equal(member, value) for member in schema["enum"]):
            return False
        types = _types(schema)
        if types and not types & _kinds(value):
            return False
        if not isinstance(value, dict):
            return True
        known = schema.get("properties", {})
        is_complete = all(key in value for key in schema.get("required", ()))
        return is_complete and all(
            self._fits({"enum": part["enum"]}, value[key])
            for key, part in known.items()
            if key in value and isinstance(part, dict) and "enum" in part
        )


def _types(schema: Mapping[str, Json]) -> set[str]:
    types = schema.get("type", ())
    return {types} if isinstance(types, str) else set(types)


def _kinds(value: Json) -> set[str]:
    if isinstance(value, float):
        return {"number", "integer"} if value.is_integer() else {"number"}
    kinds: dict[type, set[str]] = {bool: {"boolean"}, int: {"integer", "number"}, str: {"string"}, list: {"array"}}
    return kinds.get(type(value), {"null"} if value is None else {"object"})


def _equal(member: Json, value: Json) -> bool:
    return bool(member == value) and isinstance(member, bool) == isinstance(value, bool)


def _scalar(schema: Mapping[str, Json], value: Any) -> Json:
    for member in schema.get("enum", ()):
        if _equal(member, value):
            return member  # 1.0 is the 1 of an enum
    types = _types(schema) - {"null"}
    is_number = types & {"integer", "number"}
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int) and types == {"string"}:
        return str(value)
    if types == {"boolean"}:
        return bool(value) if value in (0, 1) else _BOOLEANS.get(value, value)
    if isinstance(value, str) and is_number and "string" not in types and _EXPONENT.fullmatch(value):
        value = float(value)
    if isinstance(value, float) and is_number == {"integer"} and value.is_integer():
        return int(value)
    if isinstance(value, str) and (read := _SPELLINGS.get(str(schema.get("format")))):
        try:
            return read(value)
        except ValueError:
            return value
    return value

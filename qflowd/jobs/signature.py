"""From type hints to JSON Schema, and from JSON params to the arguments that the hints promise."""

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import cache
from pathlib import PurePath
from typing import Any, get_args, get_origin

import msgspec

from qflowd.jobs.decorators import InvalidJob
from qflowd.model.errors import InvalidParams

_EMPTY = inspect.Parameter.empty
_UNIONS = (typing.Union, types.UnionType)
_FROM_TEXT = (date, datetime, time)  # ISO 8601 in all its forms; msgspec alone would refuse "21:00"
Converter = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _Parameter:
    name: str
    hint: Any  # inspect's empty: no hint, anything goes
    required: bool
    default: Any
    convert: Converter | None  # None: the value goes through as it is


@dataclass(frozen=True, slots=True)
class Signature:
    """The parameters of a job, ready for use."""

    label: str
    parameters: Mapping[str, _Parameter]
    is_open: bool  # **kwargs takes names that are not listed

    def bind(self, params: Mapping[str, Any]) -> dict[str, Any]:
        """Keyword arguments for the function, in the types of its hints.

        Raises: InvalidParams naming each parameter that is missing, unknown or of another type.
        """
        arguments: dict[str, Any] = {}
        faults: list[str] = []
        for name, value in params.items():
            parameter = self.parameters.get(name)
            if parameter is None:
                arguments[name] = value
                if not self.is_open:
                    faults.append(f"unknown parameter {name!r}; there are: {', '.join(self.parameters) or 'none'}")
            elif parameter.convert is None or type(value) is parameter.hint:
                arguments[name] = value
            else:
                try:
                    arguments[name] = parameter.convert(value)
                except (msgspec.ValidationError, ValueError, TypeError) as error:
                    faults.append(f"parameter {name!r}: {error}")
        if len(arguments) < len(self.parameters) or faults:
            faults += [f"parameter {p.name!r} is missing" for p in self._required() if p.name not in params]
        if faults:
            raise InvalidParams(f"job {self.label}: {'; '.join(faults)}")
        return arguments

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the params object.

        Raises: InvalidJob naming a parameter whose type JSON cannot carry.
        """
        properties, definitions = _schemas(self.label, self.parameters.values())
        for parameter in self.parameters.values():
            if not parameter.required:
                _add_default(properties[parameter.name], parameter.default)
        schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": self.is_open}
        if required := [p.name for p in self._required()]:
            schema["required"] = required
        if definitions:
            schema["$defs"] = definitions
        return schema

    def _required(self) -> list[_Parameter]:
        return [p for p in self.parameters.values() if p.required]


@cache
def signature(function: Callable[..., Any]) -> Signature:
    """Read the signature of `function`, once.

    Raises: InvalidJob if a hint cannot be resolved.
    """
    label = getattr(function, "__name__", str(function))
    parameters: dict[str, _Parameter] = {}
    is_open = False
    hints = _hints(function, label)
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            is_open = True
            continue
        hint = hints.get(name, _EMPTY)
        parameters[name] = _Parameter(
            name, hint, parameter.default is _EMPTY, parameter.default, _converter(hint, parameter.default)
        )
    return Signature(label, parameters, is_open)


def bind(function: Callable[..., Any], params: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments for `function` from JSON `params`; see `Signature.bind`."""
    return signature(function).bind(params)


def params_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """JSON Schema of the params of `function`; see `Signature.schema`."""
    return signature(function).schema()


def _hints(function: Callable[..., Any], label: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise InvalidJob(f"job {label}: a type hint cannot be resolved: {error}") from None


def _converter(hint: Any, default: Any) -> Converter | None:
    if hint is _EMPTY or hint is Any or hint is object:
        return None
    members = get_args(hint) if get_origin(hint) in _UNIONS else ()
    if members and (any(text in members for text in _FROM_TEXT) or not _known_to_msgspec(hint)):
        return _first_that_fits(hint, [_converter(member, _EMPTY) for member in members])
    if hint in _FROM_TEXT:
        return _instant_reader(hint, default)

    def convert(value: Any) -> Any:
        if value is None and default is None:
            return None  # `symbol: str = None` says Optional without the word
        return msgspec.convert(value, hint, dec_hook=_decode_other)

    return convert


def _instant_reader(hint: Any, default: Any) -> Converter:
    def convert(value: Any) -> Any:
        if isinstance(value, str):
            return hint.fromisoformat(value)
        if isinstance(value, hint) or (value is None and default is None):
            return value
        raise ValueError(f"expected a {hint.__name__} as ISO 8601 text, got {value!r}")

    return convert


def _first_that_fits(hint: Any, converters: list[Converter | None]) -> Converter:
    def convert(value: Any) -> Any:
        for converter in converters:
            try:
                return value if converter is None else converter(value)
            except (msgspec.ValidationError, ValueError, TypeError):
                continue
        raise ValueError(f"{value!r} fits none of {hint}")

    return convert


def _decode_other(hint: Any, value: Any) -> Any:
    """Types that msgspec does not know: paths from text; an instance of the type itself is let through."""
    kind = get_origin(hint) or hint
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    raise ValueError(f"{getattr(kind, '__name__', kind)} cannot be made from JSON")


def _known_to_msgspec(hint: Any) -> bool:
    try:
        msgspec.json.schema(hint, schema_hook=_schema_of_other)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _schema_of_other(hint: Any) -> dict[str, Any]:
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return {"type": "string", "format": "path"}
    raise TypeError(f"{getattr(hint, '__name__', hint)} has no form in JSON")


def _schemas(label: str, parameters: Any) -> tuple[dict[str, dict[str, Any]], dict[str, Any]]:
    properties: dict[str, dict[str, Any]] = {}
    definitions: dict[str, Any] = {}
    for parameter in parameters:
        try:
            properties[parameter.name] = _schema(parameter.hint, definitions)
        except (TypeError, ValueError, RecursionError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise InvalidJob(
                f"job {label}: parameter {parameter.name!r} cannot come from JSON ({reason}); "
                "give it a JSON type or no type hint"
            ) from None
        if parameter.default is None:
            properties[parameter.name] = _nullable(properties[parameter.name])
    return properties, definitions


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint is _EMPTY or hint is Any or hint is object:
        return {}
    if get_origin(hint) in _UNIONS and not _known_to_msgspec(hint):
        return {"anyOf": [_schema(member, definitions) for member in get_args(hint)]}
    (schema,), found = msgspec.json.schema_components(
        [hint], schema_hook=_schema_of_other, ref_template="#/$defs/{name}"
    )
    definitions.update({name: _loosened(part) for name, part in found.items()})
    loosened: dict[str, Any] = _loosened(schema)
    return loosened


def _loosened(schema: Any) -> Any:
    """A Decimal may be given as a number too: that is how YAML and expressions write it."""
    if isinstance(schema, list):
        return [_loosened(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    loose = {key: _loosened(part) for key, part in schema.items()}
    if loose.get("format") == "decimal" and loose.get("type") == "string":
        loose["type"] = ["string", "number"]
    return loose


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema or {"type": "null"} in schema.get("anyOf", ()) or schema.get("type") == "null":
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _add_default(schema: dict[str, Any], default: Any) -> None:
    try:
        schema["default"] = msgspec.json.decode(msgspec.json.encode(default))
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError):
        schema.pop("default", None)  # a default that is not JSON stays the function's own affair

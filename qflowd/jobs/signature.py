"""From type hints to JSON Schema, and from JSON params to the arguments that the hints promise."""

import contextlib
import functools
import inspect
import operator
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from functools import cache
from pathlib import PurePath
from typing import Annotated, Any, Literal, get_args, get_origin

import msgspec

from qflowd.define.coercion import coerce
from qflowd.jobs.decorators import InvalidJob
from qflowd.model.errors import InvalidParams
from qflowd.model.plain import plain

_EMPTY = inspect.Parameter.empty
_UNIONS = (typing.Union, types.UnionType)
_QUALIFIERS = (typing.Required, typing.NotRequired, typing.Final)
_RECORDS = ("__dataclass_fields__", "__attrs_attrs__", "__struct_fields__", "__total__")  # the last: TypedDict
# msgspec's schema of these admits any string.
_FORMATS = {datetime: "local-date-time", time: "local-time"}
_CLOSER = {"duration": "timedelta"}  # a duration of JSON Schema may have years
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
                except (ValueError, TypeError) as error:
                    faults.append(f"parameter {name!r}: {' '.join(str(error).split())}")
        if len(arguments) < len(self.parameters) or faults:
            faults += [f"parameter {p.name!r} is missing" for p in self._required() if p.name not in params]
        if faults:
            raise InvalidParams(f"job {self.label}: {'; '.join(faults)}")
        return arguments

    def schema(self) -> dict[str, Any]:
        """JSON Schema (2020-12) of the params object.

        Raises: InvalidJob naming a parameter whose type JSON cannot carry.
        """
        properties: dict[str, dict[str, Any]] = {}
        definitions: dict[str, Any] = {}
        for parameter in self.parameters.values():
            properties[parameter.name] = _schema_of(parameter, self.label, definitions)
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
        if name == "output" and hasattr(function, "__qflowd_compensates__") and hint is not _EMPTY:
            hint = hint | None  # a task that failed has no output
        parameters[name] = _Parameter(
            name, hint, parameter.default is _EMPTY, parameter.default, _converter(hint, parameter.default)
        )
    return Signature(label, parameters, is_open)


def params_schema(function: Callable[..., Any]) -> dict[str, Any]:
    """JSON Schema of the params of `function`; see `Signature.schema`."""
    return signature(function).schema()


def _hints(function: Callable[..., Any], label: str) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function, include_extras=True)
    except (NameError, AttributeError, TypeError, SyntaxError) as error:
        raise InvalidJob(f"job {label}: a type hint cannot be resolved: {error}") from None


# ---------------------------------------------------------------- values


def _converter(hint: Any, default: Any) -> Converter | None:
    if hint is _EMPTY or hint is Any or hint is object:
        return None
    if get_origin(hint) in _UNIONS and not _known_to_msgspec(hint):
        return _first_that_fits(hint, [_converter(member, _EMPTY) for member in get_args(hint)])

    has_records = any(True for _ in _records(hint))  # msgspec ignores keys that these do not have

    def convert(value: Any) -> Any:
        if value is None and default is None:
            return None  # `symbol: str = None` says Optional without the word
        try:
            if not has_records:
                return msgspec.convert(value, hint, str_keys=True, dec_hook=_decode_other)
        except (ValueError, TypeError):
            pass  # it may differ in spelling alone
        adapted = coerce(_whole_schema(hint), value, is_strict=True)
        return msgspec.convert(adapted, hint, str_keys=True, dec_hook=_decode_other)

    return convert


def _first_that_fits(hint: Any, converters: list[Converter | None]) -> Converter:
    def convert(value: Any) -> Any:
        for converter in converters:
            try:
                return value if converter is None else converter(value)
            except (ValueError, TypeError):
                continue
        raise ValueError(f"{value!r} fits none of {hint}")

    return convert


def _decode_other(hint: Any, value: Any) -> Any:
    """Types that msgspec does not know: paths and pydantic models; an instance of the type itself is let through."""
    kind = get_origin(hint) or hint
    if isinstance(kind, type) and issubclass(kind, PurePath) and isinstance(value, str):
        return kind(value)
    if hasattr(kind, "model_validate"):
        return kind.model_validate(value)
    if isinstance(kind, type) and isinstance(value, kind):
        return value
    raise ValueError(f"{getattr(kind, '__name__', kind)} cannot be made from JSON")


# ---------------------------------------------------------------- schemas


def _schema_of(parameter: _Parameter, label: str, definitions: dict[str, Any]) -> dict[str, Any]:
    try:
        schema = _schema(parameter.hint, definitions)
    except (NameError, AttributeError, TypeError, ValueError, RecursionError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InvalidJob(
            f"job {label}: parameter {parameter.name!r} cannot come from JSON ({reason}); "
            "give it a JSON type or no type hint"
        ) from None
    if parameter.default is None:
        schema = _nullable(schema)
    if not parameter.required:
        _add_default(schema, parameter.default)
    return schema


@cache
def _whole_schema(hint: Any) -> dict[str, Any]:
    definitions: dict[str, Any] = {}
    return {**_schema(hint, definitions), "$defs": definitions}


def _schema(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    if hint is _EMPTY or hint is Any or hint is object:
        return {}
    if get_origin(hint) in _UNIONS and not _known_to_msgspec(hint):
        return {"anyOf": [_schema(member, definitions) for member in get_args(hint)]}
    (schema,), parts = msgspec.json.schema_components(
        [_with_formats(hint)], schema_hook=_schema_of_other, ref_template="#/$defs/{name}"
    )
    for record in _records(hint):
        _add_formats(record, parts.get(record.__name__, {}))
    loosened: dict[str, Any] = _adapted(schema, definitions)
    definitions.update({name: _adapted(part, definitions) for name, part in parts.items()})
    return loosened


def _known_to_msgspec(hint: Any) -> bool:
    try:
        msgspec.json.schema(hint, schema_hook=_schema_of_other)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _schema_of_other(hint: Any) -> dict[str, Any]:
    if isinstance(hint, type) and issubclass(hint, PurePath):
        return {"type": "string", "format": "path"}
    if hasattr(hint, "model_json_schema"):
        return dict(hint.model_json_schema(ref_template="#/$defs/{model}"))
    raise TypeError(f"{getattr(hint, '__name__', hint)} has no form in JSON")


def _with_formats(hint: Any) -> Any:
    """`hint` with the formats of `_FORMATS`, also inside lists and dicts."""
    if isinstance(hint, type) and hint in _FORMATS:
        return Annotated[hint, msgspec.Meta(extra_json_schema={"format": _FORMATS[hint]})]
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (None, Literal, Annotated):
        return hint
    inner = tuple(map(_with_formats, arguments))
    if inner == arguments:
        return hint
    return functools.reduce(operator.or_, inner) if origin in _UNIONS else origin[inner]


def _records(hint: Any, seen: set[type] | None = None) -> Iterator[type]:
    """All classes with named fields in `hint`, those of pydantic too."""
    seen = set() if seen is None else seen
    kind = get_origin(hint) or hint
    for argument in get_args(hint):
        yield from _records(argument, seen)
    if not isinstance(kind, type) or kind in seen:
        return
    if hasattr(kind, "model_validate"):
        yield kind
    elif any(hasattr(kind, name) for name in _RECORDS):
        seen.add(kind)
        yield kind
        for field in _fields(kind).values():
            yield from _records(field, seen)


def _fields(record: type) -> dict[str, Any]:
    try:
        hints = typing.get_type_hints(record, include_extras=True)
    except (NameError, AttributeError, TypeError):
        return {}  # msgspec says what is wrong with it
    return {name: get_args(hint)[0] if get_origin(hint) in _QUALIFIERS else hint for name, hint in hints.items()}


def _add_formats(record: type, part: dict[str, Any]) -> None:
    if hasattr(record, "model_validate"):
        return
    renamed = dict(
        zip(getattr(record, "__struct_fields__", ()), getattr(record, "__struct_encode_fields__", ()), strict=True)
    )
    for name, field in _fields(record).items():
        known = part.get("properties", {}).get(renamed.get(name, name))
        if known is not None and (better := _with_formats(field)) is not field:
            (schema,), _ = msgspec.json.schema_components(
                [better], schema_hook=_schema_of_other, ref_template="#/$defs/{name}"
            )
            known.update(schema)


def _adapted(schema: Any, definitions: dict[str, Any]) -> Any:
    """As msgspec and pydantic write it, but as strict as the conversion: what is admitted can be converted.

    Only a Decimal may be given as a number too: that is how YAML and expressions write it.
    """
    if isinstance(schema, list):
        return [_adapted(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$defs" in schema:
        schema = dict(schema)
        definitions.update(_adapted(schema.pop("$defs"), definitions))
    made = {key: _adapted(part, definitions) for key, part in schema.items()}
    if made.get("format") == "decimal" and made.get("type") == "string":
        made["type"] = ["string", "number"]
    if made.get("contentEncoding") == "base64":
        made["format"] = "base64"
    made |= {"format": _CLOSER[made["format"]]} if made.get("format") in _CLOSER else {}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object":
        made.setdefault("additionalProperties", False)
    return made


def _nullable(schema: dict[str, Any]) -> dict[str, Any]:
    if not schema or {"type": "null"} in schema.get("anyOf", ()) or schema.get("type") == "null":
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _add_default(schema: dict[str, Any], default: Any) -> None:
    schema.pop("default", None)
    with contextlib.suppress(ValueError):  # a default that is not JSON stays the function's own affair
        schema["default"] = plain(default)

"""JSON Schema of params: compiled by jsonschema-rs, which is imported at the first use. No schema is ever fetched."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any, Final, NoReturn

from qflowd.define.coercion import FORMATS, coerce
from qflowd.model import jsontext
from qflowd.model.near_names import did_you_mean
from qflowd.model.workflow import Json

LONGEST_MESSAGE = 300
ANY_OBJECT: Final[Mapping[str, Json]] = {"type": "object"}

_WANTED: Final = re.compile(r'is not (?:a|of type) "([\w-]+)"$')
_EXAMPLES: Final = {
    "array": '["IBM", "AAPL"]',
    "base64": '"SUJN"',
    "boolean": "true",
    "date": '"2026-11-20"',
    "date-time": '"2026-11-20T21:00:00+08:00", with its offset from UTC',
    "decimal": '"1.25"',
    "duration": '"PT1H30M"',
    "integer": "5",
    "local-date-time": '"2026-11-20T21:00:00" or with an offset',
    "local-time": '"21:00"',
    "number": "1.5",
    "object": '{"IBM": 1.5}',
    "string": '"IBM"',
    "time": '"21:00:00+08:00", with its offset from UTC',
    "timedelta": '"PT1H30M"',
    "uuid": '"00000000-0000-4000-8000-000000000000"',
}


class Schema:
    """A JSON Schema that is ready to judge values. Formats (`date`, `date-time`, …) are checked."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        """Raises: ValueError if `schema` is not a JSON Schema, or refers to another document."""
        self._schema = schema
        self._validator = _validator(jsontext.dump(schema))

    def faults(self, value: Json) -> list[str]:
        """What is wrong with `value`, each with its path and what to write instead.

        For example `params.symbols[2]: true is not of type "string"; write it like "IBM"`.
        """
        if self._validator.is_valid(value):
            return []
        return sorted({_message(error, self._schema) for error in self._validator.iter_errors(value)})

    def coerce(self, value: Json) -> Json:
        """`value` as `coercion.coerce` adapts it to the schema."""
        return coerce(self._schema, value)


def schema_of_some(schema: Mapping[str, Json]) -> Schema:
    """The schema of params that take the place of others: as `schema`, but none is required."""
    return Schema({key: value for key, value in schema.items() if key != "required"})


def schema_fault(schema: Mapping[str, Json]) -> str | None:
    """Why `schema` cannot be used; None where it can."""
    try:
        Schema(schema)
    except ValueError as error:
        return str(error)
    return None


def workflow_schema(params: Mapping[str, Mapping[str, Json]] | None) -> dict[str, Json]:
    """The schema of all params of a workflow: those without a default are required, others than these refused.

    None, a workflow that declares nothing, takes any object.
    """
    if params is None:
        return dict(ANY_OBJECT)
    return {
        "type": "object",
        "properties": {name: {k: v for k, v in schema.items() if k != "default"} for name, schema in params.items()},
        "required": [name for name, schema in params.items() if "default" not in schema],
        "additionalProperties": False,
    }


@lru_cache(maxsize=512)
def _validator(text: str) -> Any:
    import jsonschema_rs  # heavy: most commands never need it

    try:
        return jsonschema_rs.validator_for(
            jsontext.parse(text, "the schema"),
            validate_formats=True,
            formats={name: partial(_is_readable, read) for name, read in FORMATS.items()},
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except Exception as error:  # noqa: BLE001  its errors share no base class
        raise ValueError(f"is not a usable JSON Schema: {_first_line(error)}") from None


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"the schema refers to {uri}; other documents are never fetched, write it in place")


def _is_readable(read: Callable[[str], object], text: str) -> bool:
    try:
        read(text)
    except ValueError:
        return False
    return True


def _message(error: Any, schema: Mapping[str, Json]) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    text = _first_line(error.message)
    if error.kind.name == "additionalProperties":
        names = _allowed(schema, error.schema_path)
        unknown = [f"there is no {name!r}{did_you_mean(name, names)}" for name in sorted(error.kind.unexpected)]
        text = _first_line("; ".join(unknown))
    elif error.kind.name == "required":
        path, text = f"{path}.{error.kind.property}", "is missing"
    elif (wanted := _WANTED.search(text)) and (example := _EXAMPLES.get(wanted[1])):
        text += f"; write it like {example}"
    return f"{path.lstrip('.')}: {text}" if path else text


def _allowed(schema: Any, path: Sequence[str | int]) -> Iterable[str]:
    """The names that an object may have, where the keyword at `path` refuses others; none behind a reference."""
    try:
        for step in path[:-1]:
            schema = schema[step]
        return schema.get("properties", {}).keys()  # type: ignore[no-any-return]
    except (AttributeError, LookupError, TypeError):
        return ()


def _first_line(error: object) -> str:
    text = str(error).strip().split("\n", 1)[0]
    return (
        text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE // 2] + "..." + text[-LONGEST_MESSAGE // 2 :]
    )

"""JSON Schema of params: compiled by jsonschema-rs, which is imported at the first use. No schema is ever fetched."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NoReturn

from qflowd.model import jsontext
from qflowd.model.workflow import Json

LONGEST_MESSAGE = 300


class Schema:
    """A JSON Schema that is ready to judge values. Formats (`date`, `date-time`, …) are checked."""

    def __init__(self, schema: Mapping[str, Json]) -> None:
        """Raises: ValueError if `schema` is no JSON Schema, or refers to another document."""
        self._schema = schema
        self._validator = _validator(jsontext.dump(schema))

    def faults(self, value: Json) -> list[str]:
        """What is wrong with `value`, each with its path, such as `params.symbols[2]: 3 is not of type "string"`."""
        if self._validator.is_valid(value):
            return []
        return sorted({_message(error) for error in self._validator.iter_errors(value)})

    def coerce(self, value: Json) -> Json:
        """`value` as the schema wants it, where a document or SQL had no better word.

        A whole number becomes a string (YAML's `20260105`), 0 and 1 become booleans (as SQLite and MariaDB write them).
        """
        return _coerce(self._schema, value)


def schema_fault(schema: Mapping[str, Json]) -> str | None:
    """Why `schema` cannot be used; None where it can."""
    try:
        Schema(schema)
    except ValueError as problem:
        return str(problem)
    return None


def workflow_schema(params: Mapping[str, Mapping[str, Json]] | None) -> dict[str, Json]:
    """The schema of all params of a workflow: those without a default are required, others than these refused.

    None, a workflow that declares nothing, takes any object.
    """
    if params is None:
        return {"type": "object"}
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
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except Exception as problem:  # noqa: BLE001  its errors share no base class
        raise ValueError(f"is not a usable JSON Schema: {_first_line(problem)}") from None


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"the schema refers to {uri}; other documents are never fetched, write it in place")


def _message(error: Any) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error.instance_path)
    text = _first_line(error.message)
    return f"{path.lstrip('.')}: {text}" if path else text


def _first_line(problem: object) -> str:
    text = str(problem).strip().split("\n", 1)[0]
    return text if len(text) <= LONGEST_MESSAGE else text[: LONGEST_MESSAGE - 3] + "..."


def _coerce(schema: Json, value: Json) -> Json:
    if not isinstance(schema, dict):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and schema.get("type") == "string":
        return str(value)
    if value in (0, 1) and _wants_boolean(schema):
        return bool(value)
    if isinstance(value, dict):
        properties = schema.get("properties")
        others = schema.get("additionalProperties")
        known = properties if isinstance(properties, dict) else {}
        return {key: _coerce(known.get(key, others), item) for key, item in value.items()}
    if isinstance(value, list):
        return [_coerce(schema.get("items"), item) for item in value]
    return value


def _wants_boolean(schema: Mapping[str, Any]) -> bool:
    """Does the schema take a boolean, or null, and nothing else?"""
    kinds = schema.get("type") or [part.get("type") for part in schema.get("anyOf", ()) if isinstance(part, dict)]
    return kinds == "boolean" or (
        isinstance(kinds, list) and "boolean" in kinds and {"boolean", "null"}.issuperset(kinds)
    )

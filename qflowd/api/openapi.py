"""The description of the API, OpenAPI 3.1, made of the table of routes."""

import re
from collections.abc import Sequence
from functools import lru_cache
from types import UnionType
from typing import Any, Final, Union, get_args, get_origin

import msgspec

from qflowd import __version__
from qflowd.api.answers import ApiAnswer, Faults, Text, Wait
from qflowd.api.codes import CODES, status_of
from qflowd.api.live.stream import Live
from qflowd.api.routing import PREFIX, Endpoint, common_codes
from qflowd.api.table import endpoints
from qflowd.model.roles import Role

REFERENCE: Final = "#/components/schemas/{name}"
FAULT: Final = "#/components/responses/"
NEVER_NAMED: Final = (ApiAnswer, Text, Live, Wait, Any, None, type(None))
ALWAYS: Final = (50001, 50301)  # of every route


@lru_cache(1)
def description() -> bytes:
    """The document, as JSON with sorted keys: the same routes give the same bytes."""
    routes = endpoints()
    kinds = [
        kind for route in routes for kind in (_data_type(route.answer), route.query, route.body) if kind is not None
    ]
    schemas, components = msgspec.json.schema_components([*kinds, Faults], ref_template=REFERENCE)
    by_kind = dict(zip(map(str, [*kinds, Faults]), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, by_kind, components)
    faults = {tuple(codes) for route in routes for codes in _faults(route).values()}
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "qflowd",
            "version": __version__,
            "description": "Answers are enveloped: `{code, message, data}`. `GET /api/v1/codes` lists the codes.",
        },
        "servers": [{"url": "."}],
        "security": [{"bearer": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "responses": {"-".join(map(str, codes)): _fault(codes, by_kind[str(Faults)]) for codes in faults},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "qflowd"},
            },
        },
    }
    return msgspec.json.format(msgspec.json.encode(document, order="sorted"), indent=1)


def _operation(route: Endpoint, schemas: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "integer" if kind is int else "string"}}
        for name, kind in route.path_types.items()
    ]
    if route.query is not None:
        parameters += _query_parameters(route.query, components)
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [_tag(route.path)],
        "parameters": parameters,
        "responses": _responses(route, schemas),
        "x-role": route.role.word,
    }
    if route.role == Role.NONE:
        found["security"] = []
    if route.does:
        found["x-does"] = route.does
    if route.body is not None:
        found["requestBody"] = {"content": {"application/json": {"schema": schemas[str(route.body)]}}}
    return found


def _query_parameters(query: type[msgspec.Struct], components: dict[str, Any]) -> list[dict[str, Any]]:
    properties = components[query.__name__]["properties"]
    found = []
    for field in msgspec.structs.fields(query):
        schema = properties[field.encode_name]
        parameter = {"name": field.encode_name, "in": "query", "required": field.required, "schema": schema}
        if "array" in str(schema):
            parameter |= {"style": "form", "explode": False}
        found.append(parameter)
    return found


def _responses(route: Endpoint, schemas: dict[str, Any]) -> dict[str, Any]:
    data = schemas.get(str(_data_type(route.answer)), {})
    envelope = {
        "type": "object",
        "properties": {"code": {"const": 0}, "message": {"type": "string"}, "data": data},
        "required": ["code", "message", "data"],
    }
    other = {Text: "*/*", Live: "text/event-stream"}.get(route.answer)
    shown = {other: {"schema": {"type": "string"}}} if other else {"application/json": {"schema": envelope}}
    found: dict[str, Any] = {
        str(status): {"description": meaning, "content": shown} for status, meaning in _successes(route).items()
    }
    found |= {status: {"$ref": FAULT + "-".join(map(str, codes))} for status, codes in _faults(route).items()}
    return found


def _faults(route: Endpoint) -> dict[str, list[int]]:
    """The codes of a route by their status."""
    found: dict[str, list[int]] = {}
    for code in sorted({*common_codes(route), *route.errors, *ALWAYS}):
        found.setdefault(str(status_of(code)), []).append(code)
    return found


def _fault(codes: Sequence[int], data: Any) -> dict[str, Any]:
    """The answer that has one of these codes."""
    fault = {
        "type": "object",
        "properties": {"code": {"enum": codes}, "message": {"type": "string"}, "data": data},
        "required": ["code", "message", "data"],
    }
    meaning = "; ".join(f"{code}: {CODES[code]}" for code in codes)
    return {"description": meaning, "content": {"application/json": {"schema": fault}}}


def _successes(route: Endpoint) -> dict[int, str]:
    """The statuses of good answers, and what they mean."""
    found = {200: "success"}
    if route.method == "POST":
        found[201] = "it was made"
    if route.is_write and Wait in get_args(route.answer):
        found[202] = "it is written, and has not been answered yet"
    return found


def _data_type(answer: Any) -> Any:
    """The type of an answer's data, where its handler names one."""
    if isinstance(answer, UnionType) or get_origin(answer) is Union:
        named = [each for each in get_args(answer) if each not in NEVER_NAMED]
        return named[0] if named else None
    return None if answer in NEVER_NAMED else answer


def _tag(path: str) -> str:
    words = re.findall(r"[a-z-]+", path.removeprefix(PREFIX))
    return words[0] if words else "meta"

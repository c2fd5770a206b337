"""Requests made of the description, good and bad: no answer is a fault of ours, and each is as the description says.

The same seed makes the same requests, so a failure comes again; it names the request. `make test-long` makes many more.
"""

from __future__ import annotations

import functools
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import jsonschema_rs
import pytest

from qflowd.api.openapi import description
from qflowd.model.ids import task_id
from tests.conftest import GetServer
from tests.support.house import House, open_house
from tests.support.http import Reply

DOCUMENT: Final = json.loads(description())
COMPONENTS: Final = DOCUMENT["components"]["schemas"]
FAULTS: Final = DOCUMENT["components"]["responses"]
ENDLESS: Final = ("/api/v1/stream",)
OPERATIONS: Final = [
    (method.upper(), path) for path, methods in DOCUMENT["paths"].items() for method in methods if path not in ENDLESS
]
FEW, MANY = 3, 100  # requests of an operation
WORDS: Final = ("greet", "hello", "gated", "desk/planned", "vendor:x", "default", "ann", "active", "1", "0", "*", "x")
ODD: Final = ("", " ", "\0", "%00", "ü" * 300, "x" * 5000, "a/b", "..", "'; --", '"', "{{ 1 }}", "-1", "9" * 30, "null")
NUMBERS: Final = (0, 1, -1, 2, 20, 501, 1 << 31, (1 << 53) + 1, (1 << 63) - 1, 1 << 63, 1 << 80)
FORMATS: Final[Mapping[str, Sequence[str]]] = {
    "date": ("2026-11-20", "0001-01-01", "9999-12-31"),
    "date-time": ("2026-11-20T10:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-20T10:00:00"),
}
ANYTHING: Final = (None, 1, "x", [1], {"a": 1}, {"tasks": {"a": {"job": "hello"}}})
operations = pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[" ".join(each) for each in OPERATIONS])


class Maker:
    """Makes requests of an operation: values of its schemas, and now and then others."""

    def __init__(self, seed: str, things: Mapping[str, Any]) -> None:
        self._random, self._things = random.Random(seed), things

    def chance(self, share: float) -> bool:
        return self._random.random() < share

    def path(self, path: str, parameters: Sequence[Mapping[str, Any]]) -> str:
        """Of what there is, or of anything."""
        word = path.removeprefix("/api/v1/").removeprefix("/scheduling/").partition("/")[0]
        for parameter in parameters:
            known = self._things.get(word, {}).get(parameter["name"])
            value = known if known is not None and self.chance(0.8) else self.value(parameter["schema"])
            path = path.replace("{" + parameter["name"] + "}", quote(f"{value}" or "-", safe=""))
        return path

    def query(self, parameters: Sequence[Mapping[str, Any]], *, is_write: bool) -> str:
        """Most are left out; nothing is waited for."""
        found = ["wait=0"] if is_write or self.chance(0.2) else []
        for parameter in parameters:
            if parameter["required"] or self.chance(0.25):
                value = self.value(parameter["schema"])
                text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
                found.append(f"{quote(parameter['name'])}={quote(text)}")
        if self.chance(0.03):
            found.append("unknown=1")
        return "?" + "&".join(found) if found else ""

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """One that fits, or 4 times in 100 one that may not."""
        if self.chance(0.04) or depth > 6:
            return self._random.choice([*ANYTHING, True, [], {}, *ODD])
        if "$ref" in schema:
            return self.value(COMPONENTS[schema["$ref"].rpartition("/")[2]], depth + 1)
        if choices := schema.get("anyOf") or schema.get("oneOf"):
            return self.value(self._random.choice(choices), depth + 1)
        if "enum" in schema or "const" in schema:
            return self._random.choice(schema.get("enum", [schema.get("const")]))
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, depth)
        if kind == "array":
            return [self.value(schema.get("items", {}), depth + 1) for _ in range(self._random.choice((0, 1, 1, 2)))]
        return self._scalar(kind, schema)

    def _scalar(self, kind: Any, schema: Mapping[str, Any]) -> Any:
        if kind == "string":
            usual = FORMATS.get(schema.get("format", ""), WORDS)
            return self._random.choice(usual if self.chance(0.8) else ODD)
        if kind == "integer":
            least, most = schema.get("minimum", 0), schema.get("maximum", 50)
            return self._random.randint(least, max(least, most)) if self.chance(0.6) else self._random.choice(NUMBERS)
        usual = {"null": (None,), "boolean": (True, False), "number": (0.0, 0.5, -1.0, 1e300)}.get(kind, ANYTHING)
        return self._random.choice(usual)

    def _object(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        required = schema.get("required", ())
        found = {
            name: self.value(inner, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self.chance(0.3)
        }
        if isinstance(more := schema.get("additionalProperties"), Mapping):
            found[self._random.choice(WORDS)] = self.value(more, depth + 1)
        return found


@pytest.fixture(scope="module")
def house(get_server: GetServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """On one database: what differs between them is told by the tests of each statement."""
    url = get_server("sqlite").create_store()
    with open_house(url, tmp_path_factory.mktemp("house")) as found:
        yield found


@pytest.fixture(scope="module")
def things(house: House) -> Mapping[str, Any]:
    """What there is, by the first word of a path."""
    number = house.started("greet")
    house.ended(number)
    house.post("/task-types", {"type": "hellos", "job": "hello"})
    house.post("/task-definitions", {"key": "hi", "job": "hello"})
    house.post("/tenants", {"name": "desk"})
    house.post("/principals", {"name": "ann", "role": "read"})
    draft = house.post("/workflows/greet/versions", {"copy_of": "active"}).data["version"]
    row = task_id(number, 0)
    return {
        "workflows": {"id": "greet", "version": draft, "node": "hello", "edge": "hello:x", "name": "cron"},
        "instances": {"id": number, "node": "hello"},
        "tasks": {"id": row},
        "attempts": {"id": f"{row}-1"},
        "failures": {"task": row},
        "submissions": {"id": number},
        "limits": {"key": "vendor:x"},
        "jobs": {"name": "hello"},
        "calendars": {"name": "SHFE.rb"},
        "plugins": {"name": "hello"},
        "principals": {"id": 2},
        "task-types": {"id": "hellos"},
        "task-definitions": {"id": "hi"},
        "tenants": {"id": "desk"},
        "dag": {"id": "greet", "dagId": "greet", "versionId": draft, "nodeId": "hello", "runId": number, "edgeId": "0"},
        "task-type": {"id": "hellos"},
        "task": {"id": "hi"},
        "task-param": {"taskId": "hi"},
        "task-instance": {"instanceId": row},
        "task-history": {"historyId": f"{row}-1"},
    }


@operations
def test_answers_are_as_the_description_says(house: House, things: Mapping[str, Any], method: str, path: str) -> None:
    for number in range(FEW):
        _try(house, things, method, path, number)


@pytest.mark.long
@operations
def test_many_answers_are_as_the_description_says(
    house: House, things: Mapping[str, Any], method: str, path: str
) -> None:
    for number in range(FEW, MANY):
        _try(house, things, method, path, number)


def _try(house: House, things: Mapping[str, Any], method: str, path: str, number: int) -> None:
    operation = DOCUMENT["paths"][path][method.lower()]
    maker = Maker(f"{method} {path} {number}", things)
    in_ = {place: [each for each in operation["parameters"] if each["in"] == place] for place in ("path", "query")}
    target = maker.path(path, in_["path"]) + maker.query(in_["query"], is_write=method != "GET")
    body = None
    if "requestBody" in operation:
        body = maker.value(operation["requestBody"]["content"]["application/json"]["schema"])
    headers = {"If-Match": "*"} if method != "GET" and maker.chance(0.7) else {}
    reply = house.api.request(method, target, None if body is None else json.dumps(body).encode(), headers)
    said = f"{method} {target} {json.dumps(body)[:2000]} -> {reply.status} {reply.body[:1000]!r}"
    assert reply.status < 500, said
    _check(reply, operation["responses"], said)


def _check(reply: Reply, responses: Mapping[str, Any], said: str) -> None:
    assert str(reply.status) in responses, said
    response = responses[str(reply.status)]
    content = (FAULTS[response["$ref"].rpartition("/")[2]] if "$ref" in response else response)["content"]
    kind = reply.headers.get("content-type", "").partition(";")[0]
    assert kind in content or "*/*" in content, said
    if kind in content and kind == "application/json":
        faults = [
            error.message for error in _validator(json.dumps(content[kind]["schema"])).iter_errors(reply.envelope)
        ]
        assert not faults, f"{faults[:3]}: {said}"


@functools.cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator({"components": DOCUMENT["components"], **json.loads(schema)})

"""The shapes that the dashboard expects are those that the API describes: its fields are in the answer, of these kinds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest

from tests.support.daemon import ROOT

SOURCES = {path: path.read_text("utf-8") for path in sorted((ROOT / "web" / "src").rglob("*.ts*"))}
SCHEMAS: dict[str, Any] = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))["components"]["schemas"]
# The description's name of a shape whose own one means something else in TypeScript, or that is a part of it.
NAMES = {
    "Active": "VersionDetail",
    "Answer": "DraftItem",
    "DryRun": "BatchItem",
    "FailingGroup": "FailureItem",
    "Fault": "Problem",
    "GraphData": "Graph",
    "GridData": "Grid",
    "Notice": "Notification",
    "Page": "ListPage_InstanceItem_",
    "Stored": "TaskTypeItem",
    "Version": "VersionDetail",
}
_INTERFACE = re.compile(
    r"^(?:export )?interface (\w+)(?:<\w+>)?(?: extends ([^{\n]+))? \{\n(.*?)\n\}", re.MULTILINE | re.DOTALL
)
_FIELD = re.compile(r"^  (\w+)(\??): (.+)$", re.MULTILINE)
# How a page asks for an answer that is described: `useOne<Shape[]>(…)`.
_ASKED = re.compile(r"\b(?:useOne|useList|useTagged|useAction|change|send|call)<([^>(]*)>")
_NAME = re.compile(r"\b[A-Z]\w+")


class Shape(NamedTuple):
    """An interface. `fields`: name -> its type as written, with `| undefined` if it may be left out."""

    bases: str
    fields: dict[str, str]


def interfaces() -> dict[str, list[Shape]]:
    found: dict[str, list[Shape]] = {}
    for path, text in SOURCES.items():
        if path.parent.name == "api" and path.parent.parent.name == "pages":
            continue  # that page reads the description itself
        for name, bases, body in _INTERFACE.findall(text):
            fields = {field: kind + (" | undefined" if mark else "") for field, mark, kind in _FIELD.findall(body)}
            found.setdefault(name, []).append(Shape(bases, fields))
    return found


def answered() -> list[str]:
    """Names of the interfaces that pages ask for or `types.ts` declares, and of what stands in them."""
    todo = [name for text in SOURCES.values() for kind in _ASKED.findall(text) for name in _NAME.findall(kind)]
    todo += [
        name for path, text in SOURCES.items() if path.name == "types.ts" for name, _, _ in _INTERFACE.findall(text)
    ]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in FOUND and name not in seen:
            seen.add(name)
            todo += _NAME.findall(" ".join(" ".join([shape.bases, *shape.fields.values()]) for shape in FOUND[name]))
    return sorted(seen)


def kinds_described(schema: dict[str, Any]) -> Iterator[str]:
    """What JSON may stand there: `string`, `number`, `boolean`, `null`, `array`, `object`; nothing if anything may."""
    for one in schema.get("anyOf", [schema]):
        if "$ref" in one:
            yield "object"
        elif "type" in one:
            yield {"integer": "number"}.get(one["type"], one["type"])


def kinds_written(kind: str) -> set[str] | None:
    """The same of a type in TypeScript; None if it is a name that is no interface, or anything."""
    found = set()
    for one in re.sub(
        r"\{[^{}]*\}|\[[^\[\]]+\]", lambda match: "object" if match[0][0] == "{" else "array", kind
    ).split(" | "):
        if one.endswith("[]") or one == "array":
            found.add("array")
        elif one in ("string", "number", "boolean", "null", "undefined"):
            found.add(one)
        elif one.startswith("'"):
            found.add("string")
        elif one in FOUND or one.startswith(("object", "Record<")) or one == "Counts":
            found.add("object")
        else:
            return None
    return found


FOUND = interfaces()
ANSWERED = answered()


def test_shapes_are_found() -> None:
    assert len(ANSWERED) >= 50, ANSWERED


@pytest.mark.parametrize("name", ANSWERED)
def test_a_shape_is_what_the_api_sends(name: str) -> None:
    described = SCHEMAS.get(NAMES.get(name, name))
    assert described is not None, f"{name}: the API describes nothing of that name; name it as docs/openapi.json does"
    for shape in FOUND[name]:
        assert set(shape.fields) - set(described["properties"]) == set()
        for field, kind in shape.fields.items():
            written = kinds_written(kind)
            if written is not None:
                sent = set(kinds_described(described["properties"][field]))
                assert sent <= written, f"{name}.{field}: {kind}, but the API sends {sorted(sent)}"


def test_a_kind_is_read_from_both() -> None:
    assert kinds_written("number | null") == {"number", "null"}
    assert kinds_written("{ id: number; at: string | null }[] | undefined") == {"array", "undefined"}
    assert kinds_written("'yaml' | 'toml'") == {"string"}
    assert kinds_written("unknown") is None
    assert set(kinds_described({"anyOf": [{"$ref": "…"}, {"type": "integer"}]})) == {"object", "number"}

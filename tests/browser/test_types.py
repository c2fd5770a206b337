"""The shapes that the dashboard expects are those that the API describes: every field that it names is in the answer."""

from __future__ import annotations

import json
import re

import pytest

from tests.support.daemon import ROOT

SOURCES = ROOT / "web" / "src"
FILES = (
    "types.ts",
    "access.ts",
    "entries.ts",
    "lanes.ts",
    "model.ts",
    "Daemons.tsx",
    "Limits.tsx",
    "Jobs.tsx",
    "Detail.tsx",
)
# Interfaces that have another name in the description of the API.
NAMES = {
    "GridData": "Grid",
    "Fire": "NextFire",
    "Run": "Run",
    "Daemon": "DaemonItem",
    "Pool": "PoolItem",
    "Limit": "LimitItem",
    "Job": "JobItem",
    "Plugin": "PluginFile",
    "Schedule": "ScheduleItem",
    "ScheduleFire": "FireItem",
}


def interfaces() -> dict[str, set[str]]:
    """Name -> fields, of the interfaces that pages and `api/types.ts` declare; what one extends is not repeated."""
    found: dict[str, set[str]] = {}
    for path in sorted(SOURCES.rglob("*.ts*")):
        if path.name in FILES:
            for name, body in re.findall(r"interface (\w+)[^{\n]*\{\n(.*?)\n\}", path.read_text("utf-8"), re.DOTALL):
                found.setdefault(name, set()).update(re.findall(r"^  (\w+)\??:", body, re.MULTILINE))
    return found


def described() -> dict[str, set[str]]:
    document = json.loads((ROOT / "docs" / "openapi.json").read_text("utf-8"))
    return {name: set(schema.get("properties", {})) for name, schema in document["components"]["schemas"].items()}


FOUND, DESCRIBED = interfaces(), described()
SHARED = sorted(name for name in FOUND if NAMES.get(name, name) in DESCRIBED)


def test_most_shapes_are_described() -> None:
    assert len(SHARED) >= 12, SHARED


@pytest.mark.parametrize("name", SHARED)
def test_a_shape_names_only_fields_that_the_api_sends(name: str) -> None:
    assert FOUND[name] - DESCRIBED[NAMES.get(name, name)] == set()

"""What tasks have produced is listed: the latest version of each, or all; by HTTP and by the command line over it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qflowd.cli import main
from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.workflow_store import canonical, store_workflow
from tests.support.house import House

GREETING = """
workflow: produces
allow_duplicates: true
tasks:
  hello: {job: hello, params: {name: desk}, produces: "greeting@{{ business_date }}"}
  plain: {job: hello, params: {name: desk}, produces: greeting, after: hello}
"""
FOLLOWS = """
workflow: follows
tasks:
  wait: {wait_for: {dataset: "greeting@{{ business_date }}"}}
"""


def listed(house: House, query: str) -> list[tuple[Any, ...]]:
    names = ("name", "version", "is_latest", "task", "instance_id")
    return [tuple(item[name] for name in names) for item in house.api.get(f"/datasets?{query}").data["items"]]


def store(house: House, text: str) -> None:
    workflow = parse(text, "yaml", "w.yaml")
    more: dict[str, Any] = {"format": "json", "file": None, "pool_of": lambda _: None, "source": canonical(workflow)}
    house.api.store.transact(lambda tx: store_workflow(tx, workflow, **more))


def test_versions_are_listed_and_what_was_given_an_earlier_one(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    store(house, GREETING)
    store(house, FOLLOWS)
    follower = house.started("follows", business_date="2026-11-20")
    numbers = []
    for _ in range(2):
        numbers.append(house.started("produces", business_date="2026-11-20"))
        assert house.ended(numbers[-1]) == "SUCCESS"
        assert house.ended(follower) == "SUCCESS"
    friday = "greeting@2026-11-20"
    first, second = (friday, 1, False, "hello", numbers[0]), (friday, 2, True, "hello", numbers[1])
    plain = ("greeting", 2, True, "plain", numbers[1])
    assert listed(house, "name=greeting") == [plain, second] == listed(house, "")
    assert listed(house, f"name={friday}&versions=true") == [second, first]
    assert listed(house, "name=greeting&versions=true&limit=1") == [plain]
    undated = ("greeting", 1, False, "plain", numbers[0])
    assert listed(house, "name=greeting&exact=true&versions=true") == [plain, undated]
    assert listed(house, f"name={friday}&exact=true") == [second]
    assert listed(house, "exact=true") == []
    assert listed(house, "name=greet") == listed(house, "name=greeting@2026-11-23") == []
    [item] = house.api.get(f"/datasets?name={friday}").data["items"]
    assert item["stale_uses"] == 1
    assert (item["series"], item["business_date"], item["workflow"]) == ("greeting", "2026-11-20", "produces")
    assert item["metadata"] == house.api.get(f"/tasks/{item['task_id']}").data["output"]
    [stale] = house.api.get("/datasets/uses?stale=true&name=greeting").data["items"]
    about = {"workflow": "follows", "task": "wait", "name": friday, "version": 1, "latest_version": 2}
    assert {name: stale[name] for name in about} == about
    assert (stale["instance_id"], house.api.get("/datasets/uses?stale=true&name=other").data["items"]) == (follower, [])
    [use] = house.api.get(f"/datasets/uses?name={friday}").data["items"]
    assert use == stale
    assert use["is_stale"] is True
    for name, uses in (("greeting", []), (friday, [use])):
        assert house.api.get(f"/datasets/uses?exact=true&name={name}").data["items"] == uses
    monkeypatch.setenv("QFLOWD_URL", f"http://127.0.0.1:{house.api.port}")
    monkeypatch.setenv("QFLOWD_TOKEN", house.api.token)

    def run(*arguments: str) -> str:
        capsys.readouterr()
        main(["datasets", *arguments])
        out, err = capsys.readouterr()
        return out + err

    assert [row["version"] for row in json.loads(run(friday, "--versions", "--json"))] == [2, 1]
    assert [(row["instance_id"], row["version"]) for row in json.loads(run("greeting", "--stale", "--json"))] == [
        (follower, 1)
    ]
    assert [(row["version"], row["is_stale"]) for row in json.loads(run("greeting", "--uses", "--json"))] == [(1, True)]
    assert "nothing has waited for nothing" in run("nothing", "--uses")
    assert "no dataset nothing" in run("nothing")
    assert "nothing is stale" in run("nothing", "--stale")
    assert "--versions and --stale do not go together" in run("--versions", "--stale")

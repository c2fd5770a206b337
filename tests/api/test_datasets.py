"""What tasks have produced is listed: the latest version of each, or all; by HTTP and by the command line over it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.workflow_store import canonical, store_workflow
from tests.support.house import House

GREETING = """
workflow: produces
allow_duplicates: true
tasks:
  hello: {job: hello, params: {name: desk}, produces: "greeting@{{ business_date }}"}
"""


def listed(house: House, query: str) -> list[tuple[Any, ...]]:
    names = ("name", "version", "is_latest", "task", "instance_id")
    return [tuple(item[name] for name in names) for item in house.api.get(f"/datasets?{query}").data["items"]]


def test_versions_of_datasets_are_listed(house: House) -> None:
    workflow = parse(GREETING, "yaml", "produces.yaml")
    about: dict[str, Any] = {"format": "json", "file": None, "pool_of": lambda _: None, "source": canonical(workflow)}
    house.api.store.transact(lambda tx: store_workflow(tx, workflow, **about))
    numbers = []
    for _ in range(2):
        numbers.append(house.started("produces", business_date="2026-11-20"))
        assert house.ended(numbers[-1]) == "SUCCESS"
    friday = "greeting@2026-11-20"
    first, second = (friday, 1, False, "hello", numbers[0]), (friday, 2, True, "hello", numbers[1])
    assert listed(house, "name=greeting") == [second] == [each for each in listed(house, "") if each[0] == friday]
    assert listed(house, f"name={friday}&versions=true") == [second, first]
    assert listed(house, "name=greeting&versions=true&limit=1") == [second]
    assert listed(house, "name=greet") == listed(house, "name=greeting@2026-11-23") == []
    [item] = house.api.get(f"/datasets?name={friday}").data["items"]
    assert (item["series"], item["business_date"], item["workflow"]) == ("greeting", "2026-11-20", "produces")
    assert item["metadata"] == house.api.get(f"/tasks/{item['task_id']}").data["output"]
    environment = {**os.environ, "QFLOWD_URL": f"http://127.0.0.1:{house.api.port}", "QFLOWD_TOKEN": house.api.token}
    command = [sys.executable, "-m", "qflowd", "datasets", friday, "--versions", "--json"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60)
    assert [row["version"] for row in json.loads(done.stdout)] == [2, 1]

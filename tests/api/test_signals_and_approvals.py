"""Signals are sent and listed; what waits for a person is listed and answered; with a daemon that does the rest."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from qflowd.define.workflow_file import parse
from qflowd.engine.definitions.workflow_store import canonical, store_workflow
from tests.support.daemon import until
from tests.support.house import House

NAV = """
workflow: nav
tasks:
  bars: {wait_for: {signal: "bars.ready/{{ business_date }}"}}
  hello: {job: hello, after: bars, params: {name: "{{ bars.output.name }}"}, wait_for: {approval: "Greet?", deadline: 1h}}
"""


@pytest.fixture(scope="module", autouse=True)
def nav(house: House) -> None:
    workflow = parse(NAV, "yaml", "nav.yaml")
    about: dict[str, Any] = {"format": "json", "file": None, "pool_of": lambda _: None, "source": canonical(workflow)}
    house.api.store.transact(lambda tx: store_workflow(tx, workflow, **about))


def waiting(house: House, day: str) -> tuple[int, dict[str, Any]]:
    """An instance of a date whose signal has come, and its approval as it is listed."""
    number = house.started("nav", business_date=day)
    sent = house.post("/signals", {"name": f"bars.ready/{day}", "payload": {"name": "desk"}})
    assert (sent.status, list(sent.data)) == (200, ["signal_id"])

    def asked() -> list[dict[str, Any]]:
        items = house.api.get("/approvals?limit=500").data["items"]
        return [item for item in items if item["instance_id"] == number]

    until(asked, 30, what="the approval")
    return number, asked()[0]


def test_a_signal_wakes_its_task_and_a_person_answers_the_next(house: House) -> None:
    number, item = waiting(house, "2026-11-20")
    assert [item[name] for name in ("workflow", "task", "subject", "default_answer", "business_date")] == [
        *("nav", "hello", "Greet?", "reject", "2026-11-20")
    ]
    assert (
        house.api.get(f"/tasks/{item['task_id']}").data["wait_reason"].startswith("waits for approval: Greet? since 20")
    )
    reply = house.post(f"/tasks/{item['task_id']}/approve?wait=30", {"reason": "fine"})
    assert (reply.status, reply.data["state"], reply.data["result"]["approved"]) == (200, "DONE", ["hello"])
    assert house.ended(number) == "SUCCESS"
    late = house.post(f"/tasks/{item['task_id']}/reject?wait=30", {})
    assert late.status == 409
    assert f"task hello of instance {number} was approved by system-" in late.message
    [entry] = house.api.get("/audit?action=APPROVE").data["items"]
    assert (entry["object"], entry["after"]) == (item["task_id"], {"reason": "fine"})


def test_signals_are_listed_and_bad_ones_refused(house: House) -> None:
    house.post("/signals", {"name": "x.ready", "payload": [1], "business_date": "2026-11-20"})
    [item] = until(
        lambda: [each for each in house.api.get("/signals?name=x.ready").data["items"] if each["state"] == "ACCEPTED"],
        30,
        what="the signal to be taken",
    )
    assert (item["payload"], item["business_date"], item["sent_by"][:7]) == ([1], "2026-11-20", "system-")
    refused = house.post("/signals", {"name": "two words"})
    assert (refused.status, "use letters, digits and _ - . /" in refused.message) == (422, True)


def test_the_command_line_sends_lists_and_answers(house: House) -> None:
    if house.api.store.dialect.has_row_locks:
        pytest.skip("it asks over HTTP, whatever is behind that")

    def run(*arguments: str) -> str:
        environment = {
            **os.environ,
            "QFLOWD_URL": f"http://127.0.0.1:{house.api.port}",
            "QFLOWD_TOKEN": house.api.token,
        }
        command = [sys.executable, "-m", "qflowd", *arguments]
        done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True, timeout=60)
        assert done.returncode in (0, 1), done.stderr
        return done.stdout + done.stderr

    number = house.started("nav", business_date="2026-11-23")
    assert run("signal", "bars.ready/2026-11-23", "--payload", '{"name": "cli"}').strip().isdigit()
    until(lambda: str(number) in run("approvals"), 30, what="the approval")
    assert [each["name"] for each in json.loads(run("signals", "bars.ready/2026-11-23", "--json"))] == [
        "bars.ready/2026-11-23"
    ]
    assert '{"name": "cli"}' in run("signals", "bars.ready/2026-11-23")
    assert run("reject", str(number), "--note", "not today") == f"reject {number}: done\n"
    assert house.ended(number) == "FAILED"
    assert "rejected by" in run("show", str(number))

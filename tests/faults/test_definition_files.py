"""A daemon killed while it stores a changed task definition, or a command on versions: the next life does it once."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.definitions.canary import PARTS, runs_canary
from qflowd.store.inbox import COMMAND
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import Daemon

pytestmark = pytest.mark.fault
BARS = "task_type: bars\njob: step\nretries: {retries}\n"
DAILY = "workflow: daily\ntitle: number {retries}\ntasks:\n  load: {{task: us_bars}}\n"
FILES = {"bars.yaml": BARS, "us_bars.yaml": "task: us_bars\ntype: bars\n", "daily.yaml": DAILY}
VERSIONS = "SELECT count(*) FROM qflow.versions WHERE workflow = 'daily'"
NEWEST = 4


def files(number: int) -> dict[str, str]:
    return {name: text.format(retries=number) for name, text in FILES.items()}


def test_a_daemon_killed_while_definitions_and_versions_change_neither_loses_a_change_nor_makes_it_twice(
    houses: list[House],
) -> None:
    for house in houses:
        house.workflows = files(1)
    side_by_side(_die_while_workflows_change, houses)


def _die_while_workflows_change(house: House) -> None:
    daemon = house.daemon(lease="60s")
    daemon.start()
    assert daemon.stop() == 0
    _die_while_definitions_change(house, daemon)
    _die_while_versions_change(house, daemon)
    assert daemon.stop() == 0
    house.check()


def _die_while_definitions_change(house: House, daemon: Daemon) -> None:
    for number, point in enumerate(("begin", "before_commit", "after_commit"), 2):
        for name, text in files(number).items():
            (daemon.folder / "workflows" / name).write_text(text, "utf-8")
        _die_at(daemon, f"store_definitions:{point}:1")
        assert house.one(VERSIONS) == (number if point == "after_commit" else number - 1)
        daemon.start()
        assert house.one(VERSIONS) == number
        assert _title(house) == f"number {number}"
        house.submit("daily")
        house.drain()
        assert daemon.stop() == 0
    assert house.states() == {"SUCCESS": 3}


def _die_while_versions_change(house: House, daemon: Daemon) -> None:
    """An activation and then a canary, killed before and after the commit of each; no life reads its files as a change."""
    before = max(house.submitted)
    for action, args in (("activate", {"version": 2}), ("canary", {"version": 3, "share": 0.5})):
        row = COMMAND | {"action": action, "workflow": "daily", "args": json.dumps(args)}
        house.store.transact(lambda tx, row=row: tx.one("insert_command", **row))
    for fault, answers, active in (
        ("command:before_commit:1", ["NEW", "NEW"], NEWEST),
        ("command:before_commit:2", ["DONE", "NEW"], 2),
        ("command:after_commit:1", ["DONE", "DONE"], 2),
    ):
        _die_at(daemon, fault)
        assert [state for (state,) in house.sql("SELECT state FROM qflow.commands ORDER BY id")] == answers
        assert _title(house) == f"number {active}"
    daemon.start()
    house.submit("daily", count=10)
    house.drain()
    rows = house.sql(f"SELECT id, version FROM qflow.instances WHERE id > {before}")
    assert len(rows) == 10
    assert all(version == (3 if runs_canary(number, PARTS // 2) else 2) for number, version in rows), rows
    assert house.one(VERSIONS) == NEWEST


def _die_at(daemon: Daemon, fault: str) -> None:
    daemon.env["QFLOWD_FAULT"] = f"{fault}:kill"
    daemon.start(ready=False)
    assert daemon.wait() == -9, daemon.log()
    del daemon.env["QFLOWD_FAULT"]


def _title(house: House) -> str:
    return str(house.one("SELECT title FROM qflow.workflows"))

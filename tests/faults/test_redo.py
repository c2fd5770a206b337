"""Rerun and skip while daemons are killed: each command is carried out once or not at all, and the flow comes to its end."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
STEP = {"job": "step", "params": {"seconds": 0.02}}
TASKS = {
    "a": STEP,
    "b": STEP | {"after": "a"},
    "c": STEP | {"after": "a"},
    "d": STEP | {"after": ["b", "c"]},
}
PLACES = [f"{name}:{point}" for name in ("command", "finish") for point in ("begin", "before_commit", "after_commit")]


def ask(house: House, action: str, number: int, task: str) -> int:
    row = {"tenant": "default", "action": action, "instance_id": number, "task": task, "reason": "test"}
    row |= {"workflow": None, "task_id": None, "args": None, "filter": None, "requested_by": "desk"}
    return house.store.transact(lambda tx: int(tx.one("insert_command", **row).id))


def test_a_daemon_killed_in_the_middle_of_a_rerun_or_a_skip_leaves_it_to_the_next(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"flow.json": json.dumps({"workflow": "flow", "tasks": TASKS})}
    side_by_side(_die_in_the_command, houses)


def _die_in_the_command(house: House) -> None:
    daemon = house.daemon(lease="60s", processes=1).start()
    [number] = house.submit("flow")
    house.drain(60)
    assert daemon.stop() == 0
    for action, state in (("rerun", "SUCCESS"), ("skip", "SKIPPED")):
        for place in PLACES:
            if action == "skip":  # of a task that waits for a
                ask(house, "rerun", number, "a")
            command = ask(house, action, number, "b")
            daemon.env["QFLOWD_FAULT"] = f"{place}:1:kill"
            daemon.start(ready=False)
            until(lambda: not daemon.is_running, 30)
            assert daemon.wait(20) == -9, daemon.log()
            del daemon.env["QFLOWD_FAULT"]
            daemon.start()
            until(lambda: house.one("SELECT count(*) FROM qflow.commands WHERE state = 'NEW'") == 0, 30)
            house.drain(60)
            answer = house.sql(f"SELECT state, error FROM qflow.commands WHERE id = {command}")
            assert answer == [("DONE", None)], (place, action)
            states = dict(house.sql(f"SELECT task, state FROM qflow.tasks WHERE instance_id = {number}"))
            assert states == {"a": "SUCCESS", "b": state, "c": "SUCCESS", "d": "SUCCESS"}, (place, action)
            assert daemon.stop() == 0
    house.check()

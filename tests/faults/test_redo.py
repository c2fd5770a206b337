"""Rerun and skip while daemons are killed: each command is carried out once or not at all, and the flow comes to its end."""

from __future__ import annotations

import json
from itertools import zip_longest
from pathlib import Path

import pytest

from qflowd.store.inbox import COMMAND
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import Daemon, until

pytestmark = pytest.mark.fault
STEP = {"job": "step", "params": {"seconds": 0.02}}
TASKS = {
    "a": STEP,
    "b": STEP | {"after": "a"},
    "c": STEP | {"after": "a"},
    "d": STEP | {"after": ["b", "c"]},
}
PLACES = [f"{name}:{point}" for name in ("command", "finish") for point in ("begin", "before_commit", "after_commit")]
ENDS = {"rerun": "SUCCESS", "skip": "SKIPPED"}


def ask(house: House, number: int, *targets: tuple[str, str]) -> int:
    """Write commands that are there at once: actions and their tasks. Returns the id of the last."""
    row = COMMAND | {"instance_id": number, "reason": "test", "requested_by": "desk"}
    rows = [row | {"action": action, "task": task} for action, task in targets]
    return house.store.transact(lambda tx: [int(tx.one("insert_command", **each).id) for each in rows])[-1]


def test_a_daemon_killed_in_the_middle_of_a_rerun_or_a_skip_leaves_it_to_the_next(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"flow.json": json.dumps({"workflow": "flow", "tasks": TASKS})}
    side_by_side(_die_in_the_command, houses)


def _die_in_the_command(house: House) -> None:
    """Each life ends what the last one left, and is then killed at the next place."""
    daemon = house.daemon(lease="60s", processes=1)
    lives = [(action, place) for action in ENDS for place in PLACES]
    _begin_life(daemon, lives[0])
    [number] = house.submit("flow")
    house.drain(60)
    for life, following in zip_longest(lives, lives[1:]):
        action, _ = life
        _gate(daemon, life).touch()
        is_early = [("rerun", "a")] if action == "skip" else []  # what is skipped waits for a
        command = ask(house, number, *is_early, (action, "b"))
        until(lambda: not daemon.is_running, 30)
        assert daemon.wait(20) == -9, daemon.log()
        _begin_life(daemon, following)
        until(lambda: house.one("SELECT count(*) FROM qflow.commands WHERE state = 'NEW'") == 0, 30)
        house.drain(60)
        answer = house.sql(f"SELECT state, error FROM qflow.commands WHERE id = {command}")
        assert answer == [("DONE", None)], life
        states = dict(house.sql(f"SELECT task, state FROM qflow.tasks WHERE instance_id = {number}"))
        assert states == {"a": "SUCCESS", "b": ENDS[action], "c": "SUCCESS", "d": "SUCCESS"}, life
    assert daemon.stop() == 0
    house.check()


def _begin_life(daemon: Daemon, life: tuple[str, str] | None) -> None:
    """Start it; it is killed at the place of this life, once it is told to be."""
    daemon.env = {}
    if life is not None:
        daemon.env = {"QFLOWD_FAULT": f"{life[1]}:1:kill", "QFLOWD_FAULT_FROM": str(_gate(daemon, life))}
    daemon.start()


def _gate(daemon: Daemon, life: tuple[str, str]) -> Path:
    return daemon.folder / "-".join(life).replace(":", "-")

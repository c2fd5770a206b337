"""Paused instances, with daemons that are killed in the middle: nothing begins, nothing is lost."""

from __future__ import annotations

import json
import time

import pytest

from qflowd.store.inbox import COMMAND
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import Daemon, until

pytestmark = pytest.mark.fault
PART = 320  # rows of one part of a sweep; as many as usual would take tests many times as long
WIDE = 400  # tasks: more than one part, and work for some seconds
STEP = {"job": "step", "params": {"seconds": 0.025}}
GRACE_S = 0.5  # from the commit of the command to the last start
PLACES = [f"{name}:{point}" for name in ("sweep_part", "sweep") for point in ("begin", "before_commit", "after_commit")]


@pytest.fixture
def wide(houses: list[House]) -> list[House]:
    tasks = {f"t{i}": STEP for i in range(WIDE)}
    for house in houses:
        house.workflows = {"wide.json": json.dumps({"workflow": "wide", "tasks": tasks})}
    return houses


def ask(house: House, action: str, instance_id: int | None = None, **columns: str) -> None:
    """Write a command, and wait until it is DONE."""
    row = COMMAND | {"action": action, "instance_id": instance_id} | columns
    number = house.store.transact(lambda tx: int(tx.one("insert_command", **row).id))
    state = f"SELECT state FROM qflow.commands WHERE id = {number}"
    until(lambda: house.one(state) != "NEW", 30)
    assert house.one(state) == "DONE", house.sql(f"SELECT error FROM qflow.commands WHERE id = {number}")


def _daemon(house: House, name: str = "a", processes: int = 2) -> Daemon:
    return house.daemon(name, lease="60s", processes=processes, env={"QFLOWD_FAULTY_SWEEP_PART": str(PART)})


def rows(house: House, number: int) -> dict[int, int]:
    first = number << 20
    sql = f"SELECT state, COUNT(*) FROM qflow.task_instance WHERE id BETWEEN {first} AND {first + WIDE - 1} GROUP BY state"
    return dict(house.sql(sql))


def test_with_two_daemons_nothing_begins_half_a_second_after_the_pause_and_others_run(wide: list[House]) -> None:
    side_by_side(_pause_and_resume, wide)


def _pause_and_resume(house: House) -> None:
    for name in "ab":
        _daemon(house, name).start()  # heartbeats are far apart: they bring no news here
    [number] = house.submit("wide")
    until(lambda: len(house.ledger.notes("start")) > 20, 30)
    ask(house, "pause", number)
    paused_at = time.clock_gettime(time.CLOCK_BOOTTIME)
    until(lambda: not set(rows(house, number)) & {1, 3, 4}, 30, what="all that is open is held")
    [other] = house.submit(job="step")
    until(lambda: ("SUCCESS",) in house.sql(f"SELECT state FROM qflow.instances WHERE id = {other}"), 20)
    late = [note.at - paused_at for note in house.ledger.notes("start") if note.task_id >> 20 == number]
    assert max(late) <= GRACE_S
    assert house.one(f"SELECT state FROM qflow.instances WHERE id = {number}") == "PAUSED"
    ask(house, "resume", number)
    house.drain(120)
    house.check()


def test_with_two_daemons_nothing_of_a_paused_task_begins_and_its_neighbours_run(houses: list[House]) -> None:
    items = list(range(WIDE))
    tasks = {"wide": STEP | {"map": items}, "beside": STEP | {"map": items[:50]}}
    for house in houses:
        house.workflows = {"wide.json": json.dumps({"workflow": "wide", "tasks": tasks})}
    side_by_side(_pause_a_task, houses)


def _pause_a_task(house: House) -> None:
    daemons = [_daemon(house, name).start() for name in "ab"]
    numbers = house.submit("wide", count=2)
    until(lambda: len(house.ledger.notes("start")) > 20, 30)
    ask(house, "pause", workflow="wide", task="wide")
    paused_at = time.clock_gettime(time.CLOCK_BOOTTIME)
    nodes = "SELECT COUNT(*) FROM qflow.tasks WHERE task = 'wide' AND state IN ('READY', 'RESERVED', 'RUNNING')"
    until(lambda: house.one(nodes) == 0, 60, what="all that is open of the task is held")
    beside = "SELECT COUNT(*) FROM qflow.tasks WHERE task = 'beside' AND map_index IS NOT NULL AND state = 'SUCCESS'"
    until(lambda: house.one(beside) == 100, 60, what="the other task runs to its end")
    wide = dict(house.sql("SELECT id, task FROM qflow.tasks WHERE map_index IS NOT NULL"))
    late = [note.at - paused_at for note in house.ledger.notes("start") if wide[note.task_id] == "wide"]
    assert max(late) <= GRACE_S
    daemons[0].kill()
    ask(house, "trigger", numbers[0], task="wide")
    first = f"SELECT state FROM qflow.instances WHERE id = {numbers[0]}"
    until(lambda: house.one(first) == "SUCCESS", 120, what="the one that was triggered runs")
    ask(house, "resume", workflow="wide", task="wide")
    house.drain(120)
    house.check()


def test_daemons_killed_in_the_middle_of_a_sweep_leave_it_to_the_next(wide: list[House]) -> None:
    side_by_side(_die_in_the_sweep, wide)


def _die_in_the_sweep(house: House) -> None:
    """Life after life, killed at another place of the sweep: of a pause, then of its resume, then of a termination."""
    daemon = _daemon(house, processes=1).start()
    [number] = house.submit("wide")
    until(lambda: len(house.ledger.notes("start")) > 2, 30)
    assert daemon.stop() == 0
    for action, state in (("pause", 2), ("resume", 1), ("terminate", 9)):
        for place in PLACES:
            daemon.env["QFLOWD_FAULT"] = f"{place}:1:kill"
            daemon.start(ready=False)
            if place == PLACES[0]:
                ask(house, action, number)
            until(lambda: not daemon.is_running, 30)
            assert daemon.wait(20) == -9, daemon.log()
        del daemon.env["QFLOWD_FAULT"]
        daemon.start()
        until(lambda: _is_swept(house, number), 30, what=f"{action}: {rows(house, number)}")
        assert state in rows(house, number) or action == "resume"
        assert daemon.stop() == 0
    house.check()


def test_daemons_killed_between_the_steps_of_a_command_for_many_do_all_of_it_once(houses: list[House]) -> None:
    side_by_side(_die_between_steps, houses)


def _die_between_steps(house: House) -> None:
    """Held instances are started one a step; each life does a few."""
    daemon = house.daemon(lease="60s").start()
    house.submit(job="step", count=30, hold=1)
    until(lambda: house.one("SELECT COUNT(*) FROM qflow.instances WHERE state = 'READY'") == 30, 20)
    assert daemon.stop() == 0
    row = COMMAND | {"action": "start", "filter": '{"state":"READY"}'}
    house.store.transact(lambda tx: tx.one("insert_command", **row))
    for point in ("begin", "before_commit", "after_commit"):
        daemon.env["QFLOWD_FAULT"] = f"command:{point}:5:kill"
        daemon.start(ready=False)
        assert daemon.wait(20) == -9, daemon.log()
        assert house.one("SELECT is_open FROM qflow.commands") == 1
    del daemon.env["QFLOWD_FAULT"]
    daemon.start()
    until(lambda: house.one("SELECT state FROM qflow.commands") == "DONE", 20)
    house.drain()
    assert json.loads(house.one("SELECT result FROM qflow.commands"))["done"] == 30
    assert house.states() == {"SUCCESS": 30}
    assert daemon.stop() == 0
    house.check()


def _is_swept(house: House, number: int) -> bool:
    return house.one(f"SELECT intent FROM qflow.workflow_instance WHERE id = {number}") == 0

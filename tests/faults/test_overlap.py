"""Instances that take turns, with several daemons that admit, end and begin them, and are killed while they do."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from qflowd.model.ids import ORDINALS
from tests.faults.conftest import OPEN, UNANSWERED, House, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
ORDERS = """
workflow: orders
concurrency: {keyed: "{{ params.account }}"}
params: {account: {type: string}}
tasks:
  send: {job: step, params: {seconds: 0.02}}
  book: {job: step, after: send}
"""
LATEST = """
workflow: latest
concurrency: singleton(replace)
tasks:
  load: {job: step, params: {seconds: 0.2}}
"""
ACCOUNTS = ("A", "B")
# Transaction, point, and how often daemon `a` comes there before it dies.
FAULTS = [
    "begin_next:before_commit:2",
    "begin_next:after_commit:2",
    "admit_batch:before_commit:2",
    "admit_batch:after_commit:2",
    "finish:before_commit:3",
    "finish:after_commit:3",
]


def runs(house: House) -> dict[int, tuple[float, float]]:
    """When each instance did something first and last, as its jobs have noted it."""
    spans: dict[int, tuple[float, float]] = {}
    for note in house.ledger.notes():
        first, _ = spans.setdefault(note.task_id // ORDINALS, (note.at, note.at))
        spans[note.task_id // ORDINALS] = (first, note.at)
    return spans


def assert_turns(house: House, numbers: list[int]) -> None:
    """No instance did anything before the one that began before it had ended."""
    spans = runs(house)
    in_order = sorted((spans[number], number) for number in numbers if number in spans)
    for ((_, ended_at), before), ((began_at, _), after) in pairwise(in_order):
        assert ended_at <= began_at, f"instance {after} began before {before} had ended"


def test_instances_of_a_key_never_overlap_whichever_daemon_is_killed_where(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"orders.yaml": ORDERS}
    side_by_side(_take_turns, houses)


def _take_turns(house: House) -> None:
    numbers: dict[str, list[int]] = {account: [] for account in ACCOUNTS}

    def submit() -> None:
        for account in ACCOUNTS:
            numbers[account] += house.submit("orders", params=json.dumps({"account": account}))

    dying = house.daemon("a", lease="60s").start()  # makes the schema
    assert dying.stop() == 0
    for fault in FAULTS:
        dying.env["QFLOWD_FAULT"] = f"{fault}:kill"
        dying.start(ready=False)

        def is_dead() -> bool:
            if house.one(UNANSWERED) == 0 and house.one(OPEN) < 8:
                submit()
            return not dying.is_running

        until(is_dead, 30, what=f"{fault}: the daemon is dead")
        assert dying.wait() == -9, dying.log()
    del dying.env["QFLOWD_FAULT"]
    for daemon in (dying, house.daemon("b", lease="60s"), house.daemon("c", lease="60s")):
        daemon.start()
    for _ in range(10):
        submit()
    dying.kill()
    house.drain(60)
    for account in ACCOUNTS:
        assert_turns(house, numbers[account])
    assert house.states() == {"SUCCESS": 2 * sum(map(len, numbers.values()))}
    assert house.daemons["b"].stop() == house.daemons["c"].stop() == 0
    house.check()


def test_the_next_begins_when_the_daemon_that_ran_the_one_before_it_is_lost(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"orders.yaml": ORDERS.replace("0.02", "1.5")}
    side_by_side(_lose_the_holder, houses)


def _lose_the_holder(house: House) -> None:
    for name in "ab":
        house.daemon(name, lease="60s").start()
    numbers = house.submit("orders", params='{"account": "A"}')
    until(lambda: house.ledger.notes("tick"), 10)
    numbers += house.submit("orders", params='{"account": "A"}')
    until(lambda: house.one(UNANSWERED) == 0, 10)
    holder = house.one(f"SELECT daemon FROM qflow.tasks WHERE instance_id = {numbers[0]} AND task = 'send'")
    assert house.one(f"SELECT wait_reason FROM qflow.instances WHERE id = {numbers[1]}") == (
        f"queued behind instance {numbers[0]} of workflow orders, which is RUNNING"
    )
    house.daemons.pop(holder).kill()
    house.drain()
    assert_turns(house, numbers)
    assert house.states() == {"SUCCESS": 4}
    house.check()


def test_the_latest_submission_replaces_what_runs_and_the_others_that_wait(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"latest.yaml": LATEST}
    side_by_side(_replace, houses)


def _replace(house: House) -> None:
    for name in "ab":
        house.daemon(name, lease="60s").start()
    numbers: list[int] = []
    for _ in range(10):
        numbers += house.submit("latest")
        until(lambda: house.one(UNANSWERED) == 0, 10)
    house.drain()
    assert_turns(house, numbers)
    ended = dict(house.sql("SELECT id, state FROM qflow.instances"))
    assert ended.pop(numbers[-1]) == "SUCCESS"
    assert "RUNNING" not in ended.values()
    assert house.one("SELECT count(*) FROM qflow.commands WHERE requested_by = 'concurrency:latest'") >= 1
    house.check()


def test_until_idle_waits_for_what_is_queued(house: House) -> None:
    house.workflows = {"orders.yaml": ORDERS}
    daemon = house.daemon()
    daemon.start("--until-idle", ready=False)  # makes the schema, and may end before anybody looks
    assert daemon.wait() == 0
    numbers = house.submit("orders", count=8, params='{"account": "A"}')
    daemon.start("--until-idle", ready=False)
    assert daemon.wait(60) == 0
    assert dict(house.sql("SELECT state, count(*) FROM qflow.instances GROUP BY state")) == {"SUCCESS": 8}
    assert_turns(house, numbers)

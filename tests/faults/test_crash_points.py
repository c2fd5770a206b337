"""A daemon killed at a named place: before, in and after each of its transactions. The next life finds all in order."""

from __future__ import annotations

import pytest

from tests.faults.conftest import OPEN, UNANSWERED, House, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
DIAMOND = """
workflow: diamond
tasks:
  a: {job: chatty}
  b: {job: step, after: a}
  c: {job: flaky, after: a}
  d: {job: step, after: [b, c]}
"""
CHATTY = """

@job
def chatty():
    note("start")
    print("so far", "so good")
    note("end")
"""
# Transaction, point, and how often it comes there before the daemon dies.
AT_WORK = [
    *(f"admit_batch:{point}:2" for point in ("begin", "before_commit", "after_commit")),
    *(f"finish:{point}:3" for point in ("begin", "before_commit", "after_commit")),
    *(f"promote_due:{point}:2" for point in ("before_commit", "after_commit")),
    "write_logs:after_commit:1",
]
AT_START = [
    "register_daemon:after_commit:1",
    *(f"save_domain_pools:{point}:1" for point in ("before_commit", "after_commit")),
    "save_registration:before_commit:1",
    "save_registration:after_commit:1",
    "beat:begin:1",
]
TAKEN = "SELECT count(*) FROM qflow.submissions WHERE state = 'ACCEPTED'"


@pytest.fixture
def diamonds(houses: list[House]) -> list[House]:
    for house in houses:
        house.more, house.workflows = CHATTY, {"diamond.yaml": DIAMOND}
    return houses


def test_a_daemon_killed_inside_any_transaction_loses_nothing(diamonds: list[House]) -> None:
    side_by_side(_die_at_work, diamonds)


def _die_at_work(house: House) -> None:
    def submit_twice() -> None:
        taken = house.one(TAKEN)
        house.submit("diamond", count=3)
        until(lambda: house.one(TAKEN) > taken or not house.daemons["a"].is_running, 30)
        house.submit("diamond", count=3)  # comes as a second batch

    house.die_at_each(AT_WORK, submit_twice)
    assert house.states() == {"SUCCESS": 4 * len(house.submitted)}
    assert house.one("SELECT max(crashes) FROM qflow.task_instance") == 0


def test_a_daemon_killed_while_it_takes_and_claims_a_submission_loses_nothing(diamonds: list[House]) -> None:
    side_by_side(_die_at_the_door, diamonds)


def _die_at_the_door(house: House) -> None:
    daemon = house.daemon(lease="60s")
    submitted = 0

    def submit_when_a_slot_is_free() -> bool:
        nonlocal submitted
        if not house.one(UNANSWERED) and not house.one(OPEN):
            house.submit("diamond")
            submitted += 1
        return not daemon.is_running

    for point in ("begin", "before_commit", "after_commit"):
        daemon.env["QFLOWD_FAULT"] = (
            f"admit_and_claim:{point}:4:kill"  # the first are left to the service: no lanes yet
        )
        daemon.start()
        until(submit_when_a_slot_is_free, 30)
        assert daemon.wait(20) == -9, daemon.log()
    del daemon.env["QFLOWD_FAULT"]
    daemon.start()
    house.drain()
    assert house.states() == {"SUCCESS": 4 * submitted}
    assert house.one("SELECT max(crashes) FROM qflow.task_instance") == 0
    assert daemon.stop() == 0
    house.check()


def test_a_daemon_killed_while_it_starts_leaves_no_trace_that_hurts(diamonds: list[House]) -> None:
    side_by_side(_die_at_start, diamonds)


def _die_at_start(house: House) -> None:
    house.config = '[pools.fx]\nprocesses = 1\n[domains]\nfx = "fx"'
    house.workflows["diamond.yaml"] += "domain: fx\n"
    daemon = house.daemon(lease="60s")
    for fault in AT_START:
        daemon.env["QFLOWD_FAULT"] = f"{fault}:kill"
        daemon.start(ready=False)
        assert daemon.wait(20) == -9, daemon.log()
    del daemon.env["QFLOWD_FAULT"]
    daemon.start()
    house.submit("diamond", count=2)
    house.drain()
    assert house.states("pool") == {"fx": 8}
    until(lambda: len(house.sql("SELECT name FROM qflow.daemons")) == 1, 30, what="dead daemons are reaped")
    assert daemon.stop() == 0
    house.check()

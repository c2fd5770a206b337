"""A failure that waits for a person waits through the loss of every daemon, and what the person decides is done once."""

from __future__ import annotations

import json
import signal

import pytest

from tests.faults.conftest import House, side_by_side
from tests.faults.test_checkpoints import ask
from tests.support.daemon import until

pytestmark = pytest.mark.fault
JOBS = """
@job(retry="manual")
def load(symbol: str):
    note("start")
    if symbol != "AAPL" and not os.path.exists(LEDGER + ".vendor"):
        raise ConnectionError("the vendor does not answer")
    return symbol
"""
SYMBOLS = ["AAPL", "IBM", "MSFT", "NVDA"]
BARS = {"job": "load", "map": SYMBOLS, "label": "{{ item }}", "params": {"symbol": "{{ item }}"}}
WORKFLOW = {"workflow": "daily", "tasks": {"bars": BARS, "check": {"job": "step", "after": "bars", "params": {}}}}
# name of a fault: the daemon is killed there
FAULTS = [None, "finish:before_commit:1:kill", "finish:after_commit:1:kill", "finish:after_commit:2:kill"]


def test_what_waits_for_a_person_outlives_its_daemon_and_is_retried_or_skipped_by_another(houses: list[House]) -> None:
    for house in houses:
        house.more = JOBS
        house.workflows = {"daily.json": json.dumps(WORKFLOW)}
    side_by_side(_lose_daemons_while_it_waits, houses)


def _lose_daemons_while_it_waits(house: House) -> None:
    failures = "SELECT label, state, instance_state, attempts FROM qflow.failures ORDER BY label"
    waiting = [(label, "PENDING", "RUNNING", 1) for label in SYMBOLS[1:]]
    numbers = []
    for step, fault in enumerate(FAULTS):
        daemon = house.daemon(f"d{step}", env={"QFLOWD_FAULT": fault} if fault else None)
        daemon.start(ready=fault is None)  # what the last one left may kill it before it is ready
        numbers += house.submit("daily")
        if fault is None:
            until(lambda: house.sql(failures) == waiting, 30, what="three items wait for a person")
            daemon.signal(signal.SIGKILL)
        assert daemon.wait() == -signal.SIGKILL
    last = house.daemon("last").start()
    until(lambda: len(house.sql(failures)) == 3 * len(numbers), 60, what="all that failed waits")
    house.check(drained=False)
    (house.ledger.path.with_name(house.ledger.path.name + ".vendor")).touch()
    for number in numbers:
        ask(house, "skip", instance_id=number, task="bars[NVDA]", reason="not listed")
    ask(house, "retry", filter='{"error_class": "ConnectionError"}')
    house.drain(60)
    assert house.sql("SELECT DISTINCT state FROM qflow.instances") == [("SUCCESS",)]
    assert house.sql(failures) == []
    assert last.stop() == 0
    house.check()

"""What a job has saved is there again after a worker, a daemon or a person has ended its attempt."""

from __future__ import annotations

import json
import signal

import pytest

from qflowd.store.inbox import COMMAND
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
JOBS = """
import os, signal, time
from qflowd import Fail

@job(retries=5, backoff="fixed", retry_delay=0)
def download():
    page = (context().saved or 0) + 1
    note("start")
    context().save(page)
    if page == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    if page == 2:
        time.sleep(120)
    if page == 3:
        raise Fail("the vendor is down")
    return page
"""
WORKFLOW = {"workflow": "load", "tasks": {"bars": {"job": "download"}}}


def test_a_checkpoint_outlives_the_worker_the_daemon_a_pause_and_a_failure(houses: list[House]) -> None:
    for house in houses:
        house.more = JOBS
        house.workflows = {"load.json": json.dumps(WORKFLOW)}
    side_by_side(_end_every_attempt, houses)


def _end_every_attempt(house: House) -> None:
    daemon = house.daemon(processes=1).start()
    [number] = house.submit("load")
    saved = "SELECT value FROM qflow.checkpoint"
    until(lambda: house.sql(saved) == [("2",)], 30, what="the worker was lost, and the next one has saved")
    ask(house, "pause", instance_id=number)
    daemon.signal(signal.SIGKILL)
    daemon.wait()
    daemon = house.daemon("b").start()
    held = f"SELECT state FROM qflow.tasks WHERE instance_id = {number}"
    until(lambda: house.one(held) == "HELD", 30, what="the row of the daemon that was lost is held")
    assert house.one(saved) == "2"
    stands = f"SELECT state, would_start, checkpoints, checkpoint FROM qflow.breakpoints WHERE instance_id = {number}"
    assert house.sql(stands) == [("HELD", 1, 1, "2")]
    ask(house, "resume", instance_id=number)
    house.drain(30)
    assert (house.one(held), house.one(saved)) == ("FAILED", "3")
    ask(house, "retry", instance_id=number, task="bars")
    house.drain(30)
    assert house.sql(f"SELECT state, output FROM qflow.tasks WHERE instance_id = {number}") == [("SUCCESS", "4")]
    assert daemon.stop() == 0


def ask(house: House, action: str, **columns: object) -> None:
    """Write a command, and wait until it is DONE."""
    row = COMMAND | {"action": action} | columns
    number = house.store.transact(lambda tx: int(tx.one("insert_command", **row).id))
    answer = f"SELECT state, error FROM qflow.commands WHERE id = {number}"
    until(lambda: house.sql(answer)[0][0] != "NEW", 30)
    assert house.sql(answer) == [("DONE", None)]

"""Commands on limits through real daemons: all of them follow, and say why they wait."""

from __future__ import annotations

import json

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until
from tests.support.sql import run_sql

pytestmark = [pytest.mark.fault, pytest.mark.slow]
JOBS = """
@job(limits={"vendor:quotes": 1})
def quotes(seconds: float = 0.0):
    step(seconds)
"""


def ask(house: House, action: str, **args: object) -> None:
    """Write a command on the limit as ann, and wait until it is carried out."""
    text = json.dumps({"limit": "vendor:quotes", **args})
    row = f"'{action}', '{text}', 'ann', 'holiday'"
    run_sql(house.store, f"INSERT INTO qflow.commands (action, args, requested_by, reason) VALUES ({row})")
    until(lambda: house.sql("SELECT 1 FROM qflow.commands WHERE state = 'NEW'") == [], 20, what=action)
    assert house.sql("SELECT error FROM qflow.commands WHERE error IS NOT NULL") == []


def test_a_pause_holds_back_every_daemon_and_a_resume_lets_all_of_them_begin(houses: list[House]) -> None:
    side_by_side(_pause_and_resume, houses)


def _pause_and_resume(house: House) -> None:
    house.more, house.config = JOBS, '[limits]\n"vendor:quotes" = 2'
    daemons = [house.daemon(name, processes=1).start() for name in "ab"]
    ask(house, "pause_limit")
    # For longer than the two seconds after which a daemon looks that nobody has woken.
    [number, *_] = house.submit(job="quotes", params='{"seconds": 0.3}', count=10)
    reason = f"SELECT wait_reason FROM qflow.tasks WHERE instance_id = {number}"
    text = until(lambda: (rows := house.sql(reason)) and rows[0][0], 20, what="it says why it waits")
    assert text.startswith("limit vendor:quotes is paused by ann since 20")
    assert text.endswith(": holiday")
    assert house.ledger.notes() == []
    ask(house, "resume_limit")
    house.drain(30)
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    assert len({note.pid for note in house.ledger.notes("start")}) == 2, "both daemons took some"
    house.check()


def test_a_limit_that_a_command_sets_holds_for_all_and_over_a_restart(houses: list[House]) -> None:
    side_by_side(_set_and_restart, houses)


def _set_and_restart(house: House) -> None:
    house.more, house.config = JOBS, '[limits]\n"vendor:quotes" = 4'
    daemon = house.daemon("a", processes=4).start()
    ask(house, "set_limit", slots=1)
    daemon.kill()
    daemon.start()
    house.submit(job="quotes", params='{"seconds": 0.05}', count=6)
    house.drain(30)
    assert house.sql("SELECT slots, source, set_by, used FROM qflow.limits") == [(1, "command", "ann", 0)]
    ends = [(note.at, note.what) for note in house.ledger.notes("start", "end")]
    assert [what for _, what in sorted(ends)] == ["start", "end"] * 6
    assert daemon.stop() == 0
    house.check()

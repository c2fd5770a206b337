"""Tasks that run after a termination, while daemons are killed: at each step of the sweep, while they run, while they end."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until
from tests.support.sql import run_sql

pytestmark = pytest.mark.fault
DAILY = """
workflow: daily
tasks:
  load:  {job: step, params: {seconds: 600}}
  check: {job: step, after: load}
  close: {job: step, trigger_rule: always, run_on: terminate, params: {seconds: 0.3}}
"""
POINTS = [
    *(f"sweep:{point}:{number}" for point in ("begin", "before_commit", "after_commit") for number in (1, 2, 3)),
    *(f"finish:{point}:{number}" for point in ("before_commit", "after_commit") for number in (1, 2)),
]
LOADING = "SELECT count(*) FROM qflow.tasks WHERE task = 'load' AND state = 'RUNNING'"


def test_a_termination_runs_its_last_task_whenever_the_daemon_is_killed(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"daily.yaml": DAILY}
    side_by_side(_die_at_each_step, houses)


def _die_at_each_step(house: House) -> None:
    def terminate_one() -> None:
        [number] = house.submit("daily")
        # It may be killed before: when the start of `load` is written, or while instances of earlier rounds are swept.
        until(lambda: house.one(LOADING) == 1 or not house.daemons["a"].is_running, 30, what="loading")
        run_sql(house.store, f"INSERT INTO qflow.commands (action, instance_id) VALUES ('terminate', {number})")

    house.die_at_each(POINTS, terminate_one)
    ends = set(house.sql("SELECT DISTINCT task, state FROM qflow.tasks"))
    # Where `load` is stopped before the sweep has come to `check`, its end spreads.
    assert ends - {("check", "UPSTREAM_FAILED")} == {
        ("load", "CANCELLED"),
        ("check", "CANCELLED"),
        ("close", "SUCCESS"),
    }
    assert house.sql("SELECT DISTINCT state, reason FROM qflow.instances") == [("TERMINATED", "terminated")]
    # What was running when a daemon was killed runs once more, and nothing else does.
    closes = {row[0] for row in house.sql("SELECT id FROM qflow.tasks WHERE task = 'close'")}
    starts = house.ledger.starts()
    assert sum(starts[number] - 1 for number in closes) <= len(POINTS)

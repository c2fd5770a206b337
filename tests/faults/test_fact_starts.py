"""A schedule that starts on another workflow, with a daemon that is killed at each side of the commit that starts it."""

from __future__ import annotations

import pytest

from qflowd.store.migrate import migrate
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
BARS = """
workflow: bars
tasks:
  load: {job: step}
"""
NAV = """
workflow: nav
schedule: {start_on: {workflow: bars}}
tasks:
  sum: {job: step}
"""
POINTS = ["start_on_facts:before_commit:1", "start_on_facts:after_commit:1"]


def test_a_daemon_killed_as_it_starts_on_a_fact_neither_loses_nor_doubles_a_run(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"bars.yaml": BARS, "nav.yaml": NAV}
    side_by_side(_die_at_each_side, houses)


def _die_at_each_side(house: House) -> None:
    daemon = house.daemon(lease="60s")
    migrate(house.store)
    for point in POINTS:
        daemon.env["QFLOWD_FAULT"] = f"{point}:kill"
        daemon.start(ready=False)
        until(lambda: house.one("SELECT count(*) FROM qflow.schedules") == 1, 60, what="the schedule")
        house.submit("bars")
        until(lambda: not daemon.is_running, 60, what=f"killed at {point}", every_s=0.1)
        assert daemon.wait() == -9, daemon.log()
    del daemon.env["QFLOWD_FAULT"]
    daemon.start()
    until(lambda: house.one("SELECT count(*) FROM qflow.fires") == len(POINTS), 60, what="all facts have started a run")
    house.drain(90)
    assert daemon.stop() == 0
    house.check()
    runs = "SELECT workflow, count(*) FROM qflow.instances GROUP BY workflow ORDER BY workflow"
    assert house.sql(runs) == [("bars", len(POINTS)), ("nav", len(POINTS))]

"""Tasks that wait for another workflow, with a daemon that is killed at each step between its success and their end."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import count

import pytest

from tests.faults.conftest import House, side_by_side

pytestmark = pytest.mark.fault
BARS = """
workflow: bars
tasks:
  load: {job: step}
outputs: {fence: "{{ load.output.fence }}"}
"""
NAV = """
workflow: nav
tasks:
  bars: {wait_for: {workflow: bars}}
  sum: {job: step, after: bars, when: "{{ bars.output.outputs.fence > 0 }}"}
"""
POINTS = ["register_waits:after_commit:1", "meet_by_success:before_commit:1", "meet_by_success:after_commit:1"]
OPEN_WAITS = "SELECT count(*) FROM qflow.waiter w JOIN qflow.task_instance t ON t.id = w.task_id AND t.fence = w.fence"


def test_a_daemon_killed_at_any_step_forgets_nobody_who_waits(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"bars.yaml": BARS, "nav.yaml": NAV}
    side_by_side(_die_at_each_step, houses)


def _die_at_each_step(house: House) -> None:
    days = (str(date(2026, 11, 20) + timedelta(number)) for number in count())

    def submit() -> None:
        day = next(days)
        house.submit("nav", business_date=day)
        house.submit("bars", business_date=day)

    house.die_at_each(POINTS, submit)
    assert house.states() == {"SUCCESS": len(house.submitted) * 3 // 2}
    assert house.one(OPEN_WAITS) == 0

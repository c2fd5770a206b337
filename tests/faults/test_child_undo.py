"""A saga whose tasks have started instances, with daemons that are killed at each step of undoing these."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side
from tests.faults.test_saga import LOAD, left

pytestmark = pytest.mark.fault
MARKET = """
workflow: market
saga: {retries: 2}
params: {market: {type: string}}
tasks:
  bars: {job: load, params: {name: "{{ params.market }}-bars"}}
  news: {job: load, after: bars, params: {name: "{{ params.market }}-news"}}
"""
NIGHTLY = """
workflow: nightly
saga: true
tasks:
  all: {workflow: market, map: [us, hk], params: {market: "{{ item }}-{{ instance.id }}"}}
  cn: {workflow: market, after: all, params: {market: "cn-{{ instance.id }}"}}
  report: {job: load, after: cn, params: {name: "report-{{ instance.id }}", fails: true}}
"""
POINTS = [
    *(f"undo_children:{point}:{number}" for point in ("begin", "before_commit", "after_commit") for number in (1, 2)),
    *(f"command:{point}:1" for point in ("before_commit", "after_commit")),
    *(f"compensate:{point}:{number}" for point in ("before_commit", "after_commit") for number in (1, 2)),
    *(f"finish:{point}:{number}" for point in ("before_commit", "after_commit") for number in (5, 9)),
]


def test_a_daemon_killed_at_any_step_undoes_every_instance_all_the_same(houses: list[House]) -> None:
    for house in houses:
        house.more = LOAD
        house.workflows = {"market.yaml": MARKET, "nightly.yaml": NIGHTLY}
    side_by_side(_die_at_each_step, houses)


def _die_at_each_step(house: House) -> None:
    house.die_at_each(POINTS, lambda: house.submit("nightly"))
    assert left(house) == []
    states = "SELECT workflow, state, saga_state, count(*) FROM qflow.instances GROUP BY workflow, state, saga_state"
    assert sorted(house.sql(states)) == [
        ("market", "SUCCESS", "COMPENSATED", 3 * len(house.submitted)),
        ("nightly", "FAILED", "COMPENSATED", len(house.submitted)),
    ]
    asked = "SELECT action, state, count(*) FROM qflow.commands GROUP BY action, state"
    assert house.sql(asked) == [("compensate", "DONE", 3 * len(house.submitted))]
    assert house.one("SELECT count(*) FROM qflow.child WHERE is_open = 1") == 0

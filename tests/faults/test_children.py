"""Instances that tasks have started, with daemons that are killed at each step of it."""

from __future__ import annotations

from itertools import zip_longest

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
LOAD = """
workflow: load
params: {market: {type: string}}
tasks:
  bars: {job: step, params: {seconds: 0.02}}
  check: {job: step, after: bars}
outputs: {market: "{{ params.market }}", written: "{{ check.output.fence }}"}
"""
NIGHTLY = """
workflow: nightly
tasks:
  us: {workflow: load, params: {market: US}}
  hk: {workflow: load, after: us, params: {market: HK}}
  report: {job: step, after: [us, hk]}
"""
ABOVE = """
workflow: above
tasks:
  nightly: {workflow: nightly}
"""
STARTS = [
    f"start_children:{point}:{number}" for point in ("begin", "before_commit", "after_commit") for number in (1, 2, 3)
]
FINISHES = [f"finish:{point}:{number}" for point in ("before_commit", "after_commit") for number in (2, 3, 4, 5, 6)]
# By turns: what is running in ten lives that end before they have finished anything is blamed for it.
POINTS = [point for pair in zip_longest(STARTS, FINISHES) for point in pair if point]
STARTED = "SELECT count(*) FROM qflow.submissions WHERE trigger_type = 'workflow'"
OPEN_LINKS = "SELECT count(*) FROM qflow.child WHERE is_open = 1"


@pytest.fixture
def nightly(houses: list[House]) -> list[House]:
    for house in houses:
        house.workflows = {"load.yaml": LOAD, "nightly.yaml": NIGHTLY, "above.yaml": ABOVE}
    return houses


def test_a_daemon_killed_at_any_step_starts_none_twice_and_forgets_no_parent(nightly: list[House]) -> None:
    side_by_side(_die_at_each_step, nightly)


def _die_at_each_step(house: House) -> None:
    house.die_at_each(POINTS, lambda: house.submit("nightly"))
    assert house.states() == {"SUCCESS": (3 + 2 * 2) * len(house.submitted)}
    assert (house.one(STARTED), house.one(OPEN_LINKS)) == (2 * len(house.submitted), 0)


def test_two_daemons_share_parents_and_children_and_one_of_them_is_killed(nightly: list[House]) -> None:
    side_by_side(_share, nightly)


def _share(house: House) -> None:
    house.lose_one_of_two("above", 5, lambda: house.one(STARTED) > 8)
    assert house.states() == {"SUCCESS": 5 * (1 + 3 + 2 * 2)}
    assert (house.one(STARTED), house.one(OPEN_LINKS)) == (5 * 3, 0)


def test_a_daemon_killed_while_it_passes_a_termination_on_leaves_no_child_behind(nightly: list[House]) -> None:
    for house in nightly:
        house.workflows["load.yaml"] = LOAD.replace("seconds: 0.02", "seconds: 60")
    side_by_side(_terminate, nightly)


def _terminate(house: House) -> None:
    daemon = house.daemon(lease="60s")
    daemon.start()
    [number] = house.submit("above")
    until(lambda: house.one("SELECT count(*) FROM qflow.tasks WHERE state = 'RUNNING'") == 1, 30)
    daemon.kill()
    daemon.wait()
    for point in ("before_commit", "after_commit"):
        daemon.env["QFLOWD_FAULT"] = f"tell_child:{point}:1:kill"
        daemon.start(ready=False)
        if point == "before_commit":
            house.sql(f"INSERT INTO qflow.commands (action, instance_id) VALUES ('terminate', {number})")
        assert daemon.wait(30) == -9, daemon.log()
    del daemon.env["QFLOWD_FAULT"]
    daemon.start()
    house.drain(60)
    states = house.sql("SELECT state, count(*) FROM qflow.instances GROUP BY state")
    assert dict(states) == {"TERMINATED": 3}
    assert house.one("SELECT count(*) FROM qflow.commands WHERE action = 'terminate'") == 3
    assert daemon.stop() == 0
    house.check()


def test_run_until_idle_waits_for_what_tasks_have_started(nightly: list[House]) -> None:
    side_by_side(_run_until_idle, nightly)


def _run_until_idle(house: House) -> None:
    daemon = house.daemon()
    daemon.start()
    assert daemon.stop() == 0
    [number] = house.submit("above")
    daemon.start("--until-idle", ready=False)
    assert daemon.wait(60) == 0, daemon.log()
    assert house.one(f"SELECT state FROM qflow.instances WHERE id = {number}") == "SUCCESS"


def test_a_pause_reaches_every_level_though_daemons_are_killed_while_they_pass_it_on(nightly: list[House]) -> None:
    for house in nightly:
        house.workflows["load.yaml"] = LOAD.replace("seconds: 0.02", "seconds: 1")
    side_by_side(_pause, nightly)


def _pause(house: House) -> None:
    daemon = house.daemon(lease="60s")
    daemon.start()
    [number] = house.submit("above")
    until(lambda: house.one("SELECT count(*) FROM qflow.tasks WHERE state = 'RUNNING'") == 1, 30)
    for action, state in (("pause", "PAUSED"), ("resume", "RUNNING")):
        daemon.kill()
        daemon.wait()
        daemon.env["QFLOWD_FAULT"] = "tell_child:after_commit:1:kill"
        daemon.start(ready=False)
        house.sql(f"INSERT INTO qflow.commands (action, instance_id) VALUES ('{action}', {number})")
        assert daemon.wait(30) == -9, daemon.log()
        del daemon.env["QFLOWD_FAULT"]
        daemon.start()
        until(lambda state=state: house.one(f"SELECT count(*) FROM qflow.instances WHERE state = '{state}'") == 3, 30)
    house.drain(60)
    assert house.states() == {"SUCCESS": 1 + 3 + 2 * 2}
    assert daemon.stop() == 0
    house.check()

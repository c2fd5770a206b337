"""Spawned tasks whose daemons and workers are killed: each appears once, with the success of the task that spawned it."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side

pytestmark = pytest.mark.fault
SPAWNING = """
workflow: spawning
tasks:
  scan: {job: scan, params: {depth: 1}, retries: 3, retry_delay: 0}
  report: {job: step, after: scan}
"""
JOBS = """

@job
def scan(depth: int):
    note("start")
    here = context()
    loads = [here.spawn("scan" if depth and not i else "flaky", {"depth": 0} if depth and not i else {}, name=f"f{i}",
             retries=3, retry_delay=0) for i in range(4)]
    here.spawn("killer", after=loads[:2], name="merge")
    note("end")


@job
def killer():
    note("start")
    if context().attempt == 1 and context().fence < 3:
        os.kill(os.getpid(), 9)
    note("end")
"""
ROWS = 2 + 5 + 5  # of the plan, of its first task, of the spawned task that spawns too
POINTS = [
    f"finish:{point}:{number}" for point in ("begin", "before_commit", "after_commit") for number in (1, 2, 3, 5, 7)
]


@pytest.fixture
def spawning(houses: list[House]) -> list[House]:
    for house in houses:
        house.more, house.workflows = JOBS, {"spawning.yaml": SPAWNING}
    return houses


def test_a_daemon_killed_at_any_step_spawns_everything_once(spawning: list[House]) -> None:
    side_by_side(_die_at_each_step, spawning)


def _die_at_each_step(house: House) -> None:
    house.die_at_each(POINTS, lambda: house.submit("spawning"))
    _check(house, len(house.submitted))


def test_two_daemons_share_what_is_spawned_and_one_of_them_is_killed(spawning: list[House]) -> None:
    side_by_side(_share, spawning)


def _share(house: House) -> None:
    done = "SELECT count(*) FROM qflow.tasks WHERE kind = 'spawned' AND state = 'SUCCESS'"
    house.lose_one_of_two("spawning", 6, lambda: house.one(done) > 6)
    _check(house, 6)


def _check(house: House, instances: int) -> None:
    assert house.states() == {"SUCCESS": ROWS * instances}
    twice = "SELECT count(*) FROM (SELECT instance_id, label FROM qflow.tasks WHERE kind = 'spawned' GROUP BY instance_id, label HAVING count(*) > 1) x"
    assert house.one(twice) == 0

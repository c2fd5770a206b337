"""Maps whose daemons and workers are killed: at each step of the expansion, while items run, while they end."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side

pytestmark = pytest.mark.fault
MAPPED = """
workflow: mapped
tasks:
  universe: {job: universe}
  bars: {job: flaky, after: universe, map: "{{ universe.output }}", max_parallel: 7, label: "s{{ item }}"}
  literal: {job: step, map: [a, b, c]}
  check: {job: step, after: [bars, literal]}
"""
EACH = """
workflow: mapped
tasks:
  universe: {job: universe}
  bars: {job: flaky, after: universe, map: "{{ universe.output }}", max_parallel: 7, label: "s{{ item }}"}
  factors: {job: step, after: {bars: each}, max_parallel: 3}
  signals: {job: flaky, after: {factors: each, bars: each}}
  check: {job: step, after: signals}
"""
UNIVERSE = """

@job
def universe():
    note("start")
    note("end")
    return list(range(20))


@job
def killer():
    note("start")
    if context().attempt == 1 and context().fence < 3:
        os.kill(os.getpid(), 9)
    note("end")
    return {"fence": context().fence}
"""
ROWS = 4 + 20 + 3
POINTS = [
    *(f"expand_maps:{point}:{number}" for point in ("begin", "before_commit", "after_commit") for number in (1, 2)),
    *(f"finish:{point}:{number}" for point in ("before_commit", "after_commit") for number in (2, 4, 6)),
]
ENDED_ITEMS = "SELECT count(*) FROM qflow.tasks WHERE map_index IS NOT NULL AND state = 'SUCCESS'"


@pytest.fixture
def mapped(houses: list[House]) -> list[House]:
    for house in houses:
        house.more, house.workflows = UNIVERSE, {"mapped.yaml": MAPPED}
    return houses


def test_a_daemon_killed_at_any_step_of_a_map_loses_no_item_and_makes_none_twice(mapped: list[House]) -> None:
    side_by_side(_die_at_each_step, mapped)


def _die_at_each_step(house: House) -> None:
    house.die_at_each(POINTS, lambda: house.submit("mapped"))
    assert house.states() == {"SUCCESS": ROWS * len(house.submitted)}
    assert house.one("SELECT max(crashes) FROM qflow.task_instance") == 0
    assert house.one("SELECT count(*) FROM qflow.tasks WHERE task = 'bars' AND label IS NOT NULL") == 20 * len(
        house.submitted
    )


def test_items_that_kill_their_workers_run_again_and_the_map_ends(mapped: list[House]) -> None:
    for house in mapped:
        house.workflows = {"mapped.yaml": MAPPED.replace("job: flaky", "job: killer")}
    side_by_side(_kill_workers, mapped)


def _kill_workers(house: House) -> None:
    daemon = house.daemon()
    daemon.start()
    house.submit("mapped", count=2)
    house.drain(60)
    assert house.states() == {"SUCCESS": 2 * ROWS}
    assert daemon.stop() == 0
    house.check()


def test_two_daemons_share_the_items_and_one_of_them_is_killed(mapped: list[House]) -> None:
    side_by_side(_share, mapped)


def _share(house: House) -> None:
    house.lose_one_of_two("mapped", 6, lambda: house.one(ENDED_ITEMS) > 10)
    assert house.states() == {"SUCCESS": 6 * ROWS}


def test_a_daemon_killed_at_any_step_of_maps_behind_maps_loses_no_item(mapped: list[House]) -> None:
    for house in mapped:
        house.workflows = {"mapped.yaml": EACH}
    side_by_side(_die_behind_each, mapped)


def _die_behind_each(house: House) -> None:
    house.die_at_each(POINTS, lambda: house.submit("mapped"))
    assert house.states() == {"SUCCESS": (5 + 3 * 20) * len(house.submitted)}


def test_two_daemons_share_maps_behind_maps_and_one_of_them_is_killed(mapped: list[House]) -> None:
    for house in mapped:
        house.workflows = {"mapped.yaml": EACH}
    side_by_side(_share_each, mapped)


def _share_each(house: House) -> None:
    house.lose_one_of_two("mapped", 6, lambda: house.one(ENDED_ITEMS) > 10)
    assert house.states() == {"SUCCESS": 6 * (5 + 3 * 20)}

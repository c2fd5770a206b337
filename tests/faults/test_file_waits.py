"""Tasks that wait for files, with a daemon that is killed between the look that sees them and the end of the wait."""

from __future__ import annotations

from itertools import count

import pytest

from tests.faults.conftest import House, side_by_side

pytestmark = pytest.mark.fault
LOAD = """
workflow: load
params: {number: {type: integer}}
tasks:
  bars: {wait_for: {file: "BOX/bars_{{ params.number }}_*.csv", stable: 100ms}}
  load: {job: step, after: bars, when: "{{ bars.output[0].size == 1 }}"}
"""
POINTS = ["meet_seen:before_commit:1", "meet_seen:after_commit:1"]


def test_a_daemon_killed_at_any_step_forgets_no_file(houses: list[House]) -> None:
    for house in houses:
        house.workflows = {"load.yaml": LOAD.replace("BOX", str(house.folder / "in"))}
        house.config = f'[waits]\nfolders = ["{house.folder}"]\n'
    side_by_side(_die_at_each_step, houses)


def _die_at_each_step(house: House) -> None:
    numbers, box = count(), house.folder / "in"
    box.mkdir()

    def deliver() -> None:
        number = next(numbers)
        house.submit("load", params=f'{{"number": {number}}}')
        (box / f"bars_{number}_1.csv").write_text("x")

    house.die_at_each(POINTS, deliver)
    assert house.states() == {"SUCCESS": len(house.submitted) * 2}
    assert house.one("SELECT count(*) FROM qflow.file_wait WHERE found IS NULL") == 0

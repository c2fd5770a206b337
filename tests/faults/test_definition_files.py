"""A daemon killed while it stores a changed task definition, and what is made of it: the next life does it once."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side

pytestmark = pytest.mark.fault
BARS = "task_type: bars\njob: step\nretries: {retries}\n"
DAILY = "workflow: daily\ntitle: number {retries}\ntasks:\n  load: {{task: us_bars}}\n"
FILES = {"bars.yaml": BARS, "us_bars.yaml": "task: us_bars\ntype: bars\n", "daily.yaml": DAILY}
VERSIONS = "SELECT count(*) FROM qflow.versions WHERE workflow = 'daily'"


def files(number: int) -> dict[str, str]:
    return {name: text.format(retries=number) for name, text in FILES.items()}


def test_a_daemon_killed_while_definitions_change_neither_loses_the_change_nor_stores_it_twice(
    houses: list[House],
) -> None:
    for house in houses:
        house.workflows = files(1)
    side_by_side(_die_while_definitions_change, houses)


def _die_while_definitions_change(house: House) -> None:
    daemon = house.daemon(lease="60s")
    daemon.start()
    assert daemon.stop() == 0
    for number, point in enumerate(("begin", "before_commit", "after_commit"), 2):
        for name, text in files(number).items():
            (daemon.folder / "workflows" / name).write_text(text, "utf-8")
        daemon.env["QFLOWD_FAULT"] = f"store_definitions:{point}:1:kill"
        daemon.start(ready=False)
        assert daemon.wait(20) == -9, daemon.log()
        assert house.one(VERSIONS) == (number if point == "after_commit" else number - 1)
        del daemon.env["QFLOWD_FAULT"]
        daemon.start()
        assert house.one(VERSIONS) == number
        assert house.one("SELECT title FROM qflow.workflows") == f"number {number}"
        house.submit("daily")
        house.drain()
        assert daemon.stop() == 0
    assert house.states() == {"SUCCESS": 3}
    house.check()

"""Breakers through real daemons: the task that tries is killed with its daemon, again and again, and nothing is stuck."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, family, side_by_side
from tests.support.daemon import Daemon, until

pytestmark = [pytest.mark.fault, pytest.mark.slow]
KILLS, TASKS = 3, 8
JOBS = """
import pathlib

@job(limits={"vendor:quotes": 1}, retries=1000, retry_delay="100ms", backoff="fixed")
def quotes(vendor: str):
    note("start")
    state = pathlib.Path(vendor).read_text()
    if state == "down":
        raise ConnectionError("the vendor hung up")
    if state == "slow":
        note("slow")
        spend(60)
"""
NOOP = '@job\ndef noop():\n    note("start")\n'
CONFIG = (
    '[limits]\n"vendor:quotes" = {slots = 4, breaker = {failures = "3/min", open = "1s", on = ["ConnectionError"]}}'
)
STATE = "SELECT breaker_state FROM qflow.limits"


def test_a_breaker_lets_one_task_try_and_whoever_kills_it_never_stays_stuck(houses: list[House]) -> None:
    side_by_side(_kill_who_tries, houses)


def _kill_who_tries(house: House) -> None:
    house.more, house.config = JOBS, CONFIG
    vendor = house.folder / "vendor"
    vendor.write_text("down")
    daemons = [house.daemon(name).start() for name in "ab"]
    house.submit(job="quotes", params=f'{{"vendor": "{vendor}"}}', count=TASKS)
    reasons = "SELECT DISTINCT wait_reason FROM qflow.tasks WHERE state = 'READY'"
    text = until(
        lambda: next((text for (text,) in house.sql(reasons) if text and "is open since" in text), None),
        20,
        what="tasks say that the breaker is open",
        every_s=0.02,
    )
    assert text.startswith("the breaker of limit vendor:quotes is open since 20")
    assert "3/min failures, the last of task " in text
    assert text.endswith(": ConnectionError: the vendor hung up")
    held = "SELECT COUNT(*) FROM qflow.tasks WHERE state IN ('RESERVED', 'RUNNING')"
    until(lambda: house.one(held) == 0, 20, what="what began before the breaker opened has ended", every_s=0.02)
    vendor.write_text("slow")
    for kill in range(1, KILLS + 1):
        until(lambda kill=kill: len(house.ledger.notes("slow")) >= kill, 30, what=f"try {kill} of a task")  # type: ignore[misc]
        tries = house.ledger.notes("slow")
        assert len(tries) == kill, "one at a time"
        assert house.one(STATE) == "HALF_OPEN"
        if kill == KILLS:
            vendor.write_text("up")
        _daemon_of(daemons, tries[-1].pid).kill()
        for daemon in daemons:
            if not daemon.is_running:
                daemon.start()
    house.drain(40)
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    house.check()
    assert house.states() == {"SUCCESS": TASKS}
    assert house.sql("SELECT used, breaker_state, probe FROM qflow.limits JOIN qflow.limit_key USING (name, used)") == [
        (0, "CLOSED", None)
    ]
    assert house.logs().count("the breaker of limit vendor:quotes has opened") == 1
    assert house.logs().count("the breaker of limit vendor:quotes has closed") == 1


DAILY = """
workflow: daily
params: {vendor: {type: string}}
tasks:
  bars: {job: quotes, retry_delay: 50ms}
  archive: {job: noop, after: {bars: {on: breaker_open}}}
  check: {job: noop, after: [bars, archive], trigger_rule: any_success}
"""


def test_one_of_both_runs_whoever_is_killed_while_the_breaker_opens_and_closes(houses: list[House]) -> None:
    side_by_side(_kill_while_it_opens, houses)


def _kill_while_it_opens(house: House) -> None:
    house.more, house.config, house.workflows = JOBS + NOOP, CONFIG, {"daily.yaml": DAILY}
    vendor = house.folder / "vendor"
    daemons = [house.daemon(name).start() for name in "ab"]
    until(lambda: house.sql("SELECT 1 FROM qflow.workflows"), 20, what="the workflow is stored")
    for turn in range(2 * KILLS):
        vendor.write_text("down" if turn % 2 else "up")
        before = len(house.submitted)
        house.submit(workflow="daily", params=f'{{"vendor": "{vendor}"}}', count=TASKS)
        ended = f"SELECT COUNT(*) FROM qflow.instances WHERE finished_at IS NOT NULL AND id > {before}"
        # At least one, so that the first ones succeed before the vendor is down.
        until(lambda ended=ended, turn=turn: house.one(ended) >= max(1, turn), 30, what="some have ended")  # type: ignore[misc]
        daemons[turn % 2].kill()
        daemons[turn % 2].start()
    vendor.write_text("up")
    house.drain(60)
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    house.check()
    states = house.sql("SELECT instance_id, task, state, reason FROM qflow.tasks ORDER BY instance_id")
    of_instance: dict[int, dict[str, tuple[str, str | None]]] = {}
    for number, task, state, reason in states:
        of_instance.setdefault(number, {})[task] = state, reason
    ran, fell_back = (
        {"bars": ("SUCCESS", None), "archive": ("SKIPPED", None)},
        {
            "bars": ("SKIPPED", "breaker_open"),
            "archive": ("SUCCESS", None),
        },
    )
    check = {"check": ("SUCCESS", None)}
    assert all(tasks in (ran | check, fell_back | check) for tasks in of_instance.values()), of_instance
    assert {tasks["bars"] for tasks in of_instance.values()} == {ran["bars"], fell_back["bars"]}
    assert house.one("SELECT used FROM qflow.limits") == 0


def _daemon_of(daemons: list[Daemon], worker: int) -> Daemon:
    [daemon] = [each for each in daemons if worker in family(each.pid)]
    return daemon

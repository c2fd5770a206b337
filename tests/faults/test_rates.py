"""Rates and pauses through real daemons: what the ledger says began, and when."""

from __future__ import annotations

import signal

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = [pytest.mark.fault, pytest.mark.slow]
MOST, WINDOW_S = 6, 3.0
JOBS = """
from qflowd import RetryLater

@job(limits={"vendor:quotes": 1})
def quotes():
    note("start")

@job(limits={"vendor:quotes": 1})
def refused():
    note("start")
    if context().saved is None:
        context().save(True)
        raise RetryLater(2, limit="vendor:quotes", reason="429")

@job(limits={"vendor:quotes": 1})
def mistyped():
    raise RetryLater(3600, limit="vendor:quote")
"""
CONFIG = f'[limits]\n"vendor:quotes" = {{rate = "{MOST}/{WINDOW_S:g}s"}}'


def test_no_window_sees_more_starts_than_the_rate_whoever_is_killed(houses: list[House]) -> None:
    side_by_side(_kill_and_count, houses)


def _kill_and_count(house: House) -> None:
    house.more, house.config = JOBS, CONFIG
    daemons = [house.daemon(name).start() for name in "ab"]
    house.submit(job="quotes", count=4 * MOST)
    until(lambda: len(house.ledger.notes("start")) > MOST, 30, what="the second window")
    daemons[0].signal(signal.SIGKILL)
    daemons[0].wait()
    house.drain(60)
    assert daemons[1].stop() == 0
    starts = sorted(note.at for note in house.ledger.notes("start"))
    # A daemon takes a task a moment before it begins.
    spans = [last - first for first, last in zip(starts, starts[MOST:], strict=False)]
    assert min(spans) > WINDOW_S - 0.5, starts
    assert house.one("SELECT used FROM qflow.limits") == 0


def test_a_refusal_of_the_vendor_pauses_all_that_need_it(houses: list[House]) -> None:
    side_by_side(_refuse, houses)


def _refuse(house: House) -> None:
    house.more, house.config = JOBS, '[limits]\n"vendor:quotes" = 1'
    daemons = [house.daemon(name, processes=1).start() for name in "ab"]
    [refused] = house.submit(job="refused")
    until(lambda: house.ledger.notes("start"), 20, what="it has begun")
    until(lambda: house.one("SELECT resumes_at FROM qflow.limits") is not None, 20, what="the limit is paused")
    waiting = house.submit(job="quotes", count=3)
    reason = f"SELECT wait_reason FROM qflow.tasks WHERE instance_id = {waiting[0]}"
    text = until(lambda: (rows := house.sql(reason)) and rows[0][0], 20, what="it says why it waits")
    assert text.startswith("limit vendor:quotes is paused until ")
    assert text.endswith(": 429")
    house.drain(30)
    assert [daemon.stop() for daemon in daemons] == [0, 0]
    first, *others = (note.at for note in house.ledger.notes("start"))
    assert min(others) - first > 1.9
    assert house.sql(f"SELECT state, attempt FROM qflow.tasks WHERE instance_id = {refused}") == [("SUCCESS", 1)]


def test_a_pause_of_a_limit_that_does_not_exist_pauses_nothing_and_the_task_says_so(houses: list[House]) -> None:
    side_by_side(_mistype, houses)


def _mistype(house: House) -> None:
    house.more, house.config = JOBS, '[limits]\n"vendor:quotes" = 1'
    daemon = house.daemon().start()
    [mistyped] = house.submit(job="mistyped")
    reason = f"SELECT wait_reason FROM qflow.tasks WHERE instance_id = {mistyped} AND state = 'PENDING'"
    text = until(lambda: (rows := house.sql(reason)) and rows[0][0], 20, what="it says why it waits")
    assert text.endswith(": nothing is paused: there is no limit 'vendor:quote'; did you mean vendor:quotes?")
    [other] = house.submit(job="quotes")
    ended = f"SELECT state FROM qflow.instances WHERE id = {other}"
    until(lambda: house.sql(ended) == [("SUCCESS",)], 20, what="what needs the limit runs")
    assert house.sql("SELECT name, resumes_at FROM qflow.limits") == [("vendor:quotes", None)]
    assert daemon.stop() == 0

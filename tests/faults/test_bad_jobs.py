"""Jobs that misbehave: each ends with a clear error in the views, while the daemon lives and all other work is done."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from tests.faults.conftest import House, family, is_alive, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault
BAD = """
import ctypes
import signal
import subprocess

STUBBORN = "trap '' TERM; while :; do sleep 0.1; done; : {mark}"


@job
def exits():
    note("start")
    os._exit(3)


@job
def segfaults():
    note("start")
    ctypes.string_at(0)


@job(timeout="1s")
def stubborn():
    note("start")
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for new_session in (False, True, True):
        subprocess.Popen(["sh", "-c", STUBBORN], start_new_session=new_session)
    while True:
        pass


@job
def leaves_children():
    note("start")
    for _ in range(3):
        subprocess.Popen(["sh", "-c", STUBBORN], start_new_session=True)
    return "done"


@job(memory="150MB")
def greedy():
    note("start")
    kept = []
    while True:
        kept.append(b"x" * (8 << 20))
        time.sleep(0.01)


@job
def unspeakable():
    note("start")
    return object()


@job
def endless_text():
    note("start")
    return "x" * (17 << 20)


@job
def loud():
    note("start")
    line = "all work and no play " * 50
    for _ in range(100_000):
        print(line)
    os.write(1, b"raw " * (1 << 20))
    return "still here"

"""
VIEW = "SELECT t.job, t.state, t.reason, t.error, t.attempt FROM qflow.tasks t WHERE t.job <> 'step' ORDER BY t.id"


@pytest.fixture
def bad_houses(houses: list[House], tmp_path: Path) -> list[House]:
    for house in houses:
        house.more = BAD.replace("{mark}", str(house.folder))
    return houses


def test_jobs_that_misbehave_end_with_a_clear_error_and_harm_nobody(bad_houses: list[House]) -> None:
    side_by_side(_misbehave, bad_houses)


def _misbehave(house: House) -> None:
    daemon = house.daemon(lease="30s").start()
    pid = daemon.pid
    jobs = ["exits", "segfaults", "stubborn", "leaves_children", "greedy", "unspeakable", "endless_text", "loud"]
    house.submit(job="step", count=30)
    for job in jobs:
        house.submit(job=job)
        house.submit(job="step", count=10)
    house.drain(60)
    rows = {row[0]: row[1:] for row in house.sql(VIEW)}
    _expect(rows, "exits", "FAILED", "poison", "exit code 3")
    _expect(rows, "segfaults", "FAILED", "poison", "SIGSEGV")
    _expect(rows, "stubborn", "FAILED", "timeout", "longer than its timeout of 1 s")
    _expect(rows, "greedy", "FAILED", "memory", "memory limit of 150 MB: took")
    _expect(rows, "unspeakable", "FAILED", "error", "JSON")
    _expect(rows, "endless_text", "FAILED", "error", "16")
    peak, error = house.sql("SELECT peak_memory_mb, error FROM qflow.attempts WHERE reason = 'memory'")[0]
    assert abs(int(re.search(r"it had (\d+) MB", error)[1]) - peak) <= 1, "one meaning of MB everywhere"
    assert rows["leaves_children"][0] == rows["loud"][0] == "SUCCESS"
    starts = house.ledger.starts()
    assert max(starts.values()) <= 3
    assert sum(count == 3 for count in starts.values()) == 2, "only what is poison is started three times"
    assert house.one("SELECT count(*) FROM qflow.tasks WHERE job = 'step' AND state = 'SUCCESS'") == 110
    number = house.one("SELECT id FROM qflow.tasks WHERE job = 'loud'")
    cut = f"SELECT count(*) FROM qflow.logs WHERE task_id = {number} AND message LIKE '%is not kept%'"
    until(lambda: house.one(cut), 10, what="the log says that it is cut")
    assert house.one(f"SELECT sum(length(message)) FROM qflow.logs WHERE task_id = {number}") <= 2 << 20
    until(lambda: not _marked(house), 3, what="no child of a job is left")
    assert daemon.is_running
    assert daemon.pid == pid
    assert daemon.stop() == 0
    house.check()


def _expect(rows: dict[str, Any], job: str, state: str, reason: str, error: str) -> None:
    assert rows[job][:2] == (state, reason), rows[job]
    assert error in rows[job][2], rows[job]


def _marked(house: House) -> list[int]:
    """Processes that a job of this house left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                text = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if b"trap" in text and str(house.folder).encode() in text:
                found.append(int(entry.name))
    return found


def test_large_results_and_many_of_them_fit_on_every_database(houses: list[House]) -> None:
    for house in houses:
        house.more = """
@job
def returns(size: int):
    return "é" * size
"""
    side_by_side(_return_much, houses)


def _return_much(house: House) -> None:
    daemon = house.daemon(lease="30s").start()
    house.submit(job="returns", params='{"size": 7000000}')  # 14 MB of UTF-8
    house.submit(job="returns", params='{"size": 1000000}', count=10)
    house.submit(job="returns", params='{"size": 60000}', count=400)  # 48 MB: more than a packet of any server holds
    house.drain(60)
    assert house.states() == {"SUCCESS": 411}
    assert daemon.stop() == 0
    house.check()


def test_killed_workers_and_a_killed_nursery_cost_a_start_and_nothing_else(houses: list[House]) -> None:
    side_by_side(_kill_workers, houses)


def _kill_workers(house: House) -> None:
    daemon = house.daemon(lease="30s").start()
    nursery, *workers = until(lambda: (f := family(daemon.pid)) and len(f) == 3 and f, 10)
    os.kill(workers[0], 9)  # idle
    until(lambda: len(family(daemon.pid)) == 3, 5, what="another one comes")
    house.submit(job="step", count=30, params='{"seconds": 0.1}')
    for goal in (4, 10):
        until(lambda goal=goal: len(house.ledger.notes("end")) >= goal, 10)  # type: ignore[misc]
        _, *workers = family(daemon.pid)
        os.kill(workers[0], 9)  # busy
    until(lambda: len(house.ledger.notes("end")) >= 16, 10)
    os.kill(nursery, 9)
    house.drain()
    assert house.states() == {"SUCCESS": 30}
    assert house.ledger.extra_starts() <= 4
    assert {row[0] for row in house.sql("SELECT reason FROM qflow.attempts WHERE state = 'FAILED'")} <= {"lost"}
    assert not is_alive(nursery)
    assert daemon.stop() == 0
    house.check()


def test_a_polite_stop_lets_end_what_runs_and_gives_back_the_rest(houses: list[House]) -> None:
    side_by_side(_stop_politely, houses)


def _stop_politely(house: House) -> None:
    daemon = house.daemon().start()
    house.submit(job="step", count=60, params='{"seconds": 0.02}')
    house.submit(job="step", count=4, params='{"seconds": 1}', priority=10)
    until(lambda: len(house.ledger.notes("end")) >= 4, 10)
    assert daemon.stop() == 0
    starts, ends = house.ledger.starts(), house.ledger.notes("end")
    assert len(ends) == len(starts) == house.states().get("SUCCESS")
    assert house.states().keys() <= {"SUCCESS", "READY"}
    assert not house.sql("SELECT 1 FROM qflow.task_instance WHERE state = 1 AND (attempt > 0 OR crashes > 0)")
    house.check(drained=False)
    daemon.start()
    house.drain()
    assert house.ledger.extra_starts() == 0
    assert daemon.stop() == 0
    house.check()


def test_a_second_term_ends_it_now_and_costs_no_attempt(houses: list[House]) -> None:
    side_by_side(_stop_now, houses)


def _stop_now(house: House) -> None:
    daemon = house.daemon(grace="60s").start()
    house.submit(job="step", count=2, params='{"seconds": 60}')
    until(lambda: len(house.ledger.starts()) == 2, 10)
    daemon.signal(15)
    until(lambda: house.one("SELECT state FROM qflow.daemon") == 2, 5, what="it drains")
    daemon.signal(15)
    assert daemon.wait(5) == 0
    assert house.states() == {"READY": 2}
    assert not house.sql("SELECT 1 FROM qflow.task_instance WHERE attempt > 0 OR crashes > 0")
    house.check(drained=False)

"""The database goes away and comes back: the daemon waits, no process is restarted, nothing is lost or run again in vain."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import GetServer
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until
from tests.support.servers import Server

pytestmark = pytest.mark.fault
DONE = "SELECT count(*) FROM qflow.tasks WHERE state = 'SUCCESS'"
SERVERS = ["postgres", "mariadb"]
CHAIN = "workflow: chain\ntasks:\n  a: {job: step}\n  b: {job: step, after: a}\n  c: {job: step, after: b}\n"


Place = tuple[Server, House]


@pytest.fixture
def places(get_server: GetServer, make_house: Callable[..., House]) -> list[Place]:
    """A house on each kind of server; all are tried at once, for most of the time is waiting."""
    found = []
    for kind in SERVERS:
        with contextlib.suppress(pytest.skip.Exception):
            server = get_server(kind)
            house = make_house(server.create_database(), folder=kind, workflows={"chain.yaml": CHAIN})
            found.append((server, house))
    return found


def test_restarts_of_the_server_under_load_cost_no_task(places: list[Place]) -> None:
    side_by_side(_restart, places)


def _restart(place: Place) -> None:
    server, house = place
    daemon = house.daemon(lease="30s").start()
    pid = daemon.pid
    house.submit(job="step", count=150, params='{"seconds": 0.05}')
    house.submit("chain", count=20)
    for mode, goal in (("fast", 40), ("immediate", 100)):
        until(lambda goal=goal: house.one(DONE) >= goal, 20)  # type: ignore[misc]
        house.store.disconnect()
        server.restart(mode)
        back_at = time.clock_gettime(time.CLOCK_BOOTTIME)
    house.drain()
    assert (daemon.is_running, daemon.pid) == (True, pid)
    assert house.states() == {"SUCCESS": 210}
    assert house.ledger.extra_starts() <= 8  # claims whose reply was lost are given back, results are kept
    again = min(note.at for note in house.ledger.notes("start") if note.at > back_at)
    assert again - back_at <= 3.0
    assert daemon.stop() == 0
    house.check()


def test_a_server_that_hangs_for_some_seconds_costs_no_attempt(places: list[Place]) -> None:
    side_by_side(_hang, places)


def _hang(place: Place) -> None:
    server, house = place
    daemon = house.daemon(lease="30s").start()
    house.submit(job="step", count=20, params='{"seconds": 0.5}')
    until(lambda: house.one(DONE) >= 2, 20)
    house.store.disconnect()
    pids = [server.pid, *_children(server.pid)]
    until(lambda: len(house.ledger.notes("start")) > len(house.ledger.notes("end")), 10, what="a step under way")
    _signal(pids, signal.SIGSTOP)
    before = len(house.ledger.notes("end"))
    time.sleep(6)  # that is the fault
    _signal(pids, signal.SIGCONT)
    assert len(house.ledger.notes("end")) >= before + 1  # what was under way ended meanwhile
    house.drain()
    assert house.ledger.extra_starts() == 0
    assert daemon.stop() == 0
    house.check()


def test_a_daemon_waits_for_a_database_that_is_down_at_its_start(places: list[Place]) -> None:
    side_by_side(_wait, places)


def _wait(place: Place) -> None:
    server, house = place
    server.stop("immediate")
    daemon = house.daemon().start(ready=False)
    until(lambda: "cannot reach" in daemon.log(), 20)
    assert daemon.is_running
    server.start()
    [number] = until(lambda: _try(lambda: house.submit(job="log", params='{"message": "at last"}')), 20)
    house.drain()
    assert house.one(f"SELECT state FROM qflow.instances WHERE id = {number}") == "SUCCESS"
    assert daemon.stop() == 0
    house.check()


def test_sessions_that_are_killed_at_work_cost_nothing(places: list[Place]) -> None:
    side_by_side(_kill, places)


def _kill(place: Place) -> None:
    server, house = place
    daemon = house.daemon(lease="30s").start()
    house.submit("chain", count=150)
    for goal in (60, 150, 240):
        until(lambda goal=goal: house.one(DONE) >= goal, 20)  # type: ignore[misc]
        house.store.disconnect()
        _kill_sessions(server)
    house.drain()
    assert house.states() == {"SUCCESS": 450}
    assert daemon.stop() == 0
    house.check()


def _kill_sessions(server: Server) -> None:
    if server.kind == "postgres":
        server.admin("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'test%'")
        return
    rows = server.admin("SELECT id FROM information_schema.processlist WHERE id <> connection_id() AND db = 'qflow'")
    for (number,) in rows:
        _try(lambda number=number: server.admin(f"KILL {number}"))  # type: ignore[misc]


def _try(work: Callable[[], object]) -> object:
    """What it returns; None where it fails for now."""
    try:
        return work()
    except Exception:  # noqa: BLE001 - each driver says "not yet" in its own way
        return None


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # a session that has just ended
            os.kill(pid, number)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_told_twice_a_daemon_ends_without_the_database_and_the_next_takes_back_at_once(places: list[Place]) -> None:
    side_by_side(_tell_twice, places)


def _tell_twice(place: Place) -> None:
    server, house = place
    daemon = house.daemon(lease="60s").start()
    house.submit(job="step", count=2, params='{"seconds": 2}')
    until(lambda: len(house.ledger.starts()) == 2, 10)
    house.store.disconnect()
    server.stop("immediate")
    daemon.signal(signal.SIGTERM)
    until(lambda: len(house.ledger.notes("end")) == 2, 10, what="what runs may end")
    assert daemon.is_running, "it waits for the database, to write what it knows"
    daemon.signal(signal.SIGTERM)
    daemon.wait(10)
    server.start()
    daemon.start()
    house.drain(10)
    assert house.ledger.extra_starts() == 2
    assert daemon.stop() == 0
    house.check()

"""The database goes away and comes back: the daemon waits, no process is restarted, nothing is lost or run again in vain."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from qflowd.model.ids import instance_of
from tests.conftest import GetServer
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until
from tests.support.outages import hanging, stopped
from tests.support.servers import MAKERS, Server

pytestmark = pytest.mark.fault
DONE = "SELECT count(*) FROM qflow.tasks WHERE state = 'SUCCESS'"
SERVERS = ["postgres", "mariadb"]
CHAIN = "workflow: chain\ntasks:\n  a: {job: step}\n  b: {job: step, after: a}\n  c: {job: step, after: b}\n"
LINES = 60
TALK = f"""
@job
def talk():
    note("start")
    for number in range({LINES}):
        print(number)
        spend(0.1)
    note("end")
"""
Place = tuple[Server, House]
Outage = Callable[[Server], contextlib.AbstractContextManager[None]]


@pytest.fixture
def places(get_server: GetServer, make_house: Callable[..., House]) -> list[Place]:
    """A house on each kind of server; all are tried at once, for most of the time is waiting."""
    found = []
    for kind in SERVERS:
        with contextlib.suppress(pytest.skip.Exception):
            server = get_server(kind)
            house = make_house(server.create_store(), folder=kind, workflows={"chain.yaml": CHAIN})
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


@pytest.fixture
def outages(places: list[Place], make_house: Callable[..., House]) -> Iterator[list[tuple[Outage, Place]]]:
    """Each kind of server twice, so that one can hang while another is stopped."""
    with contextlib.ExitStack() as stack:
        found: list[tuple[Outage, Place]] = []
        for server, house in places:
            other = stack.enter_context(MAKERS[server.kind](durable=server.durable))
            found += [
                (hanging, (server, house)),
                (stopped, (other, make_house(other.create_store(), f"{server.kind}-2"))),
            ]
        yield found
        for _, (_, house) in found:
            house.close()


def test_ten_seconds_without_the_database_cost_no_attempt_and_no_line_of_output(
    outages: list[tuple[Outage, Place]],
) -> None:
    side_by_side(_do_without, outages)


def _do_without(case: tuple[Outage, Place]) -> None:
    outage, (server, house) = case
    house.more = TALK
    daemon = house.daemon(lease="30s").start()
    talkers = house.submit(job="talk", count=2)
    house.submit(job="step", count=20)
    until(lambda: house.one("SELECT count(DISTINCT task_id) FROM qflow.logs") == 2, 20, what="both are heard")
    house.store.disconnect()
    with outage(server):
        time.sleep(10)  # that is the fault
        ended = {instance_of(note.task_id) for note in house.ledger.notes("end")}
        assert ended >= set(talkers), "what was under way ended meanwhile"
    house.drain()
    assert house.states() == {"SUCCESS": 22}
    assert house.ledger.extra_starts() == 0
    for number in talkers:
        until(lambda number=number: _said(house, number) == list(range(LINES)), 5)  # type: ignore[misc]
    assert daemon.stop() == 0
    house.check()


def _said(house: House, number: int) -> list[int]:
    """What a talker printed."""
    rows = house.sql(f"SELECT message FROM qflow.logs WHERE instance_id = {number} AND stream = 'stdout' ORDER BY id")
    return [int(text) for (text,) in rows]


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

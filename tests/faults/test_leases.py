"""Leases: whoever cannot be reached is taken over, whatever it holds; whoever is only slow is not."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import pytest

from tests.conftest import GetServer
from tests.faults.conftest import INNODB_S, House, side_by_side
from tests.support.daemon import until
from tests.support.proxy import Proxy
from tests.support.servers import Server
from tests.support.sql import run_sql

pytestmark = pytest.mark.fault
HELD_S = 6.0  # twice the lease
MARKED = "marked this daemon dead"
Place = tuple[Server, House]


@pytest.fixture
def places(get_server: GetServer, make_house: Callable[..., House]) -> Iterator[list[Place]]:
    """A house on each kind of server: databases with row locks and sessions."""
    found = []
    for kind in ("postgres", "mariadb"):
        with contextlib.suppress(pytest.skip.Exception):
            server = get_server(kind)
            found.append((server, make_house(server.create_store(), folder=kind)))
    yield found
    for _, house in found:
        house.close()


def test_a_daemon_frozen_in_a_transaction_holds_up_nobody(places: list[Place]) -> None:
    side_by_side(_freeze_in_a_transaction, places)


def _freeze_in_a_transaction(place: Place) -> None:
    _, house = place
    gate = house.folder / "gate"
    frozen = house.daemon("a", is_neighbour=False, env={"QFLOWD_FAULT": f"finish:before_commit:1:pause:{gate}"}).start()
    house.submit(job="step")
    until(lambda: house.ledger.notes("end") and house.is_somebody_writing(), 20, every_s=INNODB_S)
    frozen.freeze()
    other = house.daemon("b", is_neighbour=False).start()
    house.submit(job="step", count=5)
    house.drain(25)
    assert house.states() == {"SUCCESS": 6}
    gate.touch()
    frozen.thaw()
    until(lambda: MARKED in frozen.log(), 10)
    assert (frozen.stop(), other.stop()) == (0, 0)
    house.check()


def test_a_client_that_keeps_rows_locked_stops_neither_heartbeats_nor_what_else_there_is_to_take_over(
    places: list[Place],
) -> None:
    side_by_side(_lock_rows, places)


def _lock_rows(place: Place) -> None:
    server, house = place
    dying = house.daemon("a", processes=3).start()
    house.submit(job="step", count=3, params='{"seconds": 60}')
    until(lambda: len(house.ledger.notes("start")) == 3, 20)
    [(locked,)] = house.sql("SELECT MIN(id) FROM qflow.task_instance")
    stranger = house.store.dialect.connect()
    stranger.begin()
    stranger.script(f"SELECT 1 FROM qflow.task_instance WHERE id = {locked} FOR UPDATE")
    [(session,)] = stranger.script(f"SELECT {'pg_backend_pid' if server.kind == 'postgres' else 'connection_id'}()")
    dying.kill()
    other = house.daemon("b", processes=3).start()
    until(lambda: len(house.ledger.notes("start")) == 5, 20, what="what nobody has locked runs again")
    until(lambda: f"session {session} " in other.log(), 10, what="who holds the third is named")
    seen = house.one("SELECT MAX(seen_at) FROM qflow.daemon WHERE name = 'b'")
    until(lambda: house.one("SELECT MAX(seen_at) FROM qflow.daemon WHERE name = 'b'") != seen, 5, what="beats go on")
    stranger.rollback()
    stranger.close()
    until(lambda: len(house.ledger.notes("start")) == 6, 20)
    assert MARKED not in other.log()
    other.kill()


def test_a_server_that_hangs_for_longer_than_the_lease_makes_nobody_dead(places: list[Place]) -> None:
    side_by_side(_hang, places)


def _hang(place: Place) -> None:
    server, house = place
    daemons = [house.daemon(name, is_neighbour=False, processes=2).start() for name in "abcd"]
    house.submit(job="step", count=90, params='{"seconds": 0.3}')
    until(lambda: len(house.ledger.notes("end")) >= 8, 20)
    house.store.disconnect()
    with _frozen(server):
        time.sleep(HELD_S)  # that is the fault
    house.drain(60)
    assert house.states() == {"SUCCESS": 90}
    assert MARKED not in house.logs()
    assert "has not answered the heartbeat" in house.logs()
    lost = set(house.sql("SELECT task_id, fence FROM qflow.attempts WHERE reason = 'lost'"))
    starts = sorted((note.task_id, note.fence) for note in house.ledger.notes("start"))
    # A worker may be killed after the start of an attempt, and before the job can note it.
    again = {start for start, following in pairwise(starts) if start[0] == following[0]}
    assert again == lost & set(starts), "a lost attempt left no row"
    assert [daemon.stop() for daemon in daemons] == [0] * 4
    house.check()


@contextlib.contextmanager
def _frozen(server: Server) -> Iterator[None]:
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    pids = [server.pid, *map(int, children)]
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def test_a_network_that_swallows_everything_is_left_for_new_connections(places: list[Place]) -> None:
    side_by_side(_swallow, places)


def _swallow(place: Place) -> None:
    server, house = place
    with Proxy(server.port) as proxy:
        url = house.url.replace(f":{server.port}", f":{proxy.port}")
        daemon = house.daemon(url=url).start()
        house.submit(job="step")
        house.drain()
        proxy.swallow()
        house.submit(job="step")
        house.drain(30)
        assert "and reconnecting" in daemon.log()
        assert daemon.stop() == 0
    house.check()


def test_an_open_write_transaction_on_sqlite_costs_no_running_task(
    sqlite_url: str, make_house: Callable[..., House]
) -> None:
    house = make_house(sqlite_url)
    daemons = [house.daemon(name, processes=2).start() for name in "abcd"]
    house.submit(job="step", count=90, params='{"seconds": 0.3}')
    house.submit(job="step", count=2, params='{"seconds": 8}')
    until(lambda: len(house.ledger.notes("end")) >= 8, 20)
    file = house.store.dialect.file
    house.store.disconnect()
    tool = apsw.Connection(str(file))
    tool.set_busy_timeout(10_000)
    tool.execute("BEGIN IMMEDIATE")
    until(lambda: f"process {os.getpid()} " in house.logs(), 3 * HELD_S, what="who holds the lock is named")
    tool.execute("ROLLBACK")
    tool.close()
    house.drain(60)
    assert house.states() == {"SUCCESS": 92}
    assert house.ledger.extra_starts() == 0
    assert MARKED not in house.logs()
    assert [daemon.stop() for daemon in daemons] == [0] * 4
    house.check()


SLOW = "import os\nimport time\nif 'QFLOWD_CREW' not in os.environ:\n    time.sleep(7)\n"


def test_a_daemon_whose_plugins_take_long_to_import_is_not_declared_dead(house: House) -> None:
    other = house.daemon("b").start()
    slow = house.daemon("a", is_neighbour=False, plugins={"slow.py": SLOW}).start()
    assert MARKED not in slow.log()
    assert "is dead" not in other.log()
    house.submit(job="step", count=20)
    house.drain()
    assert (slow.stop(), other.stop()) == (0, 0)
    house.check()


def test_a_clock_that_jumps_ahead_makes_nobody_dead(house: House) -> None:
    daemons = [house.daemon(name, is_neighbour=False).start() for name in "ab"]
    beats = "SELECT count(DISTINCT seen_at) FROM qflow.daemon"
    first = house.one("SELECT MIN(seen_at) FROM qflow.daemon")

    def is_long_over() -> bool:
        run_sql(
            house.store, "UPDATE qflow.daemon SET lease_ends_at = started_at"
        )  # as if its clock had gone on by hours
        return bool(
            house.one(beats) == 2 and house.one("SELECT MIN(seen_at) FROM qflow.daemon") >= first + _seconds(house, 5)
        )

    until(is_long_over, 30)
    assert "is dead" not in house.logs()
    assert [daemon.stop() for daemon in daemons] == [0, 0]


def _seconds(house: House, seconds: int) -> Any:
    """As what is added to an instant of an internal table."""
    return seconds * 1_000_000 if house.store.dialect.file else timedelta(seconds=seconds)

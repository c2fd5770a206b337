"""A daemon that stops for longer than its lease: its workers die before others take over, and what it brings late is refused."""

from __future__ import annotations

import time

import pytest

from qflowd.engine.membership.registration import mark_gone
from tests.faults.conftest import House, family, is_alive, side_by_side
from tests.support.daemon import until

pytestmark = pytest.mark.fault


def test_a_frozen_daemon_is_fenced_and_comes_back_as_another(houses: list[House]) -> None:
    side_by_side(_freeze, houses)


def _freeze(house: House) -> None:
    frozen = house.daemon("a", is_neighbour=False).start()
    numbers = house.submit(job="step", params='{"seconds": 5}') + house.submit(job="step", params='{"seconds": 1.5}')
    until(lambda: len(house.ledger.starts()) == 2, 10)
    workers = family(frozen.pid)
    house.freeze(frozen)
    other = house.daemon("b", is_neighbour=False).start()  # of another host, as far as lock files go
    # The short one ends while its daemon is frozen; nobody hears of it, so it runs again, as the other does.
    until(lambda: set(house.ledger.starts().values()) == {2}, 15, what="taken over")
    assert not [pid for pid in _workers(workers) if is_alive(pid)], "workers outlived the lease"
    frozen.thaw()
    until(lambda: "registers again" in frozen.log(), 10, what="the zombie knows")
    more = house.submit(job="step", count=40, params='{"seconds": 0.1}')
    house.drain()
    assert house.states() == {"SUCCESS": 42}
    assert house.ledger.extra_starts() == 2, "accepted work ran again"
    assert {note.task_id >> 20 for note in house.ledger.notes("end")} == {*numbers, *more}
    names = [name for (name,) in house.sql("SELECT name FROM qflow.daemons ORDER BY name")]
    assert names == ["a", "b"]
    busy = {note.pid for note in house.ledger.notes("start") if note.task_id >> 20 in more}
    assert busy & set(family(frozen.pid)), "the daemon that came back does nothing"
    for daemon in (frozen, other):
        assert daemon.stop() == 0
    house.check()


def _workers(pids: list[int]) -> list[int]:
    """All but the nursery, which is the first child."""
    return pids[1:]


def test_a_daemon_frozen_for_less_than_its_lease_continues_as_if_nothing_had_been(houses: list[House]) -> None:
    side_by_side(_blink, houses)


def _blink(house: House) -> None:
    daemon = house.daemon(lease="30s").start()
    house.submit(job="step", count=60, params='{"seconds": 0.05}')
    for goal in (10, 20, 30):
        until(lambda goal=goal: len(house.ledger.notes("end")) >= goal, 10)  # type: ignore[misc]
        daemon.freeze()
        time.sleep(0.5)  # that is the fault
        daemon.thaw()
    house.drain()
    assert house.ledger.extra_starts() == 0
    assert daemon.stop() == 0
    house.check()


def test_a_daemon_that_thaws_days_after_it_was_marked_dead_claims_nothing_under_its_old_name(
    houses: list[House],
) -> None:
    side_by_side(_thaw_days_later, houses)


def _thaw_days_later(house: House) -> None:
    frozen = house.daemon("a", is_neighbour=False).start()
    old = house.one("SELECT id FROM qflow.daemons")
    house.freeze(frozen)
    until(lambda: not house.sql("SELECT id FROM qflow.daemons"), 10, what="its lease is over")
    house.store.transact(lambda tx: mark_gone(tx, old))
    days_ago = house.store.dialect.renderer.templates["clock_plus"].format(-3 * 86400)
    house.sql(f"UPDATE qflow.daemon SET seen_at = {days_ago}, lease_ends_at = {days_ago}")
    house.submit(job="step", count=40)  # nobody else is there to take it
    frozen.thaw()
    house.drain()
    assert house.states() == {"SUCCESS": 40}
    assert house.ledger.extra_starts() == 0
    assert "registers again" in frozen.log()
    assert {owner for (owner,) in house.sql("SELECT DISTINCT daemon FROM qflow.tasks")} == {"a"}
    assert not house.sql(f"SELECT id FROM qflow.task_instance WHERE owner = {old}")
    assert frozen.stop() == 0
    house.check()

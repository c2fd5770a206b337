"""A saga under kills: whatever dies, and in whichever transaction, what a failed instance did is undone in the end."""

from __future__ import annotations

import os
import signal

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until
from tests.support.ledger import Note

pytestmark = pytest.mark.fault
LOADS = """
workflow: loads
saga: {retries: 2}
tasks:
  one: {job: load, params: {name: one}}
  two: {job: load, after: one, params: {name: "{{ one.output.name }}-two"}}
  three: {job: load, after: one, params: {name: three}}
  check: {job: step, after: [two, three]}
  four: {job: load, after: check, params: {name: four, fails: true}}
"""
LOAD = """
import pathlib

MARKET = pathlib.Path(LEDGER).parent / "market"


@job
def load(name: str, fails: bool = False) -> dict:
    note("start")
    MARKET.mkdir(exist_ok=True)
    (MARKET / name).touch()
    note("end")
    if fails:
        raise RuntimeError("the vendor's file is broken")
    return {"fence": context().fence, "name": name}


@load.compensation(retry_delay="0s")
def unload(name: str, output: dict) -> dict:
    note("undo " + name)
    if context().attempt == 1 and name == "three":
        raise RuntimeError("the first attempt fails")
    assert output is None or output["name"] == name
    (MARKET / name).unlink(missing_ok=True)
    note("end")
    return {"fence": context().fence}
"""
AT_WORK = [
    *(f"compensate:{point}:1" for point in ("begin", "before_commit", "after_commit")),
    *(f"finish:{point}:{number}" for point in ("begin", "before_commit", "after_commit") for number in (3, 5, 6)),
]


@pytest.fixture
def loads(houses: list[House]) -> list[House]:
    for house in houses:
        house.more, house.workflows = LOAD, {"loads.yaml": LOADS}
    return houses


def left(house: House) -> list[str]:
    """What is in the market that no instance should have left there."""
    return sorted(path.name for path in (house.folder / "market").iterdir())


def check(house: House) -> None:
    """Everything was undone, each task before those it depended on."""
    assert left(house) == []
    assert house.sql("SELECT DISTINCT state, saga_state FROM qflow.instances") == [("FAILED", "COMPENSATED")]
    order = "SELECT instance_id, task, state, finished_at FROM qflow.compensations"
    ended = {(instance, task): (state, at) for instance, task, state, at in house.sql(order)}
    assert {task for _, task in ended} == {"one", "two", "three", "four"}
    assert {state for state, _ in ended.values()} == {"SUCCESS"}
    for number in {instance for instance, _ in ended}:
        times = [ended[number, task][1] for task in ("four", "two", "one")]
        assert times == sorted(times)
    house.check()


def test_a_daemon_killed_inside_any_transaction_undoes_all_the_same(loads: list[House]) -> None:
    side_by_side(_die_at_work, loads)


def _die_at_work(house: House) -> None:
    house.die_at_each(AT_WORK, lambda: house.submit("loads"))
    check(house)


def test_workers_that_are_killed_while_they_undo_are_replaced(loads: list[House]) -> None:
    side_by_side(_kill_workers, loads)


def _kill_workers(house: House) -> None:
    house.more = LOAD.replace('    note("undo " + name)\n', '    note("undo " + name)\n    spend(0.3)\n')
    daemon = house.daemon()
    daemon.start()
    house.submit("loads")
    for begun in range(3):  # the worker of one compensation after the other
        undoing = until(lambda begun=begun: _undoing(house)[begun:], 30)  # type: ignore[misc]
        os.kill(undoing[0].pid, signal.SIGKILL)
    house.drain()
    assert daemon.stop() == 0
    check(house)
    assert house.one("SELECT count(*) FROM qflow.attempts WHERE reason = 'lost'") == 3


def _undoing(house: House) -> list[Note]:
    """The first run of each compensation that has begun, in the order in which they did."""
    first: dict[int, Note] = {}
    for note in house.ledger.notes():
        if note.what.startswith("undo "):
            first.setdefault(note.task_id, note)
    return list(first.values())


WAITS = """
workflow: waits
saga: true
timeout: 3s
tasks:
  one: {job: load, params: {name: one}}
  two: {job: reserve, after: one, params: {name: two}, compensate: unload}
"""
RESERVE = """
from qflowd import Defer


@job
def reserve(name: str) -> None:
    note("start")
    (MARKET / name).touch()
    note("end")
    raise Defer(3600, reason="the exchange has not published yet")

"""


def test_a_task_that_put_itself_off_until_the_timeout_is_undone(houses: list[House]) -> None:
    for house in houses:
        house.more = LOAD + RESERVE
        house.workflows = {"waits.yaml": WAITS}
    side_by_side(_wait_too_long, houses)


def _wait_too_long(house: House) -> None:
    daemon = house.daemon()
    daemon.start()
    house.submit("waits")
    house.drain()
    assert daemon.stop() == 0
    assert left(house) == []
    assert dict(house.sql("SELECT task, state FROM qflow.compensations")) == {"one": "SUCCESS", "two": "SUCCESS"}
    assert house.sql("SELECT state, saga_state, reason FROM qflow.instances") == [("FAILED", "COMPENSATED", "timeout")]
    house.check()

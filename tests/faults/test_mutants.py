"""The harness can fail: with a rule of the engine taken away, the same scenarios end in violations.

A mutant is a `sitecustomize.py` on the daemon's path; the package itself knows nothing of it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import GetServer
from tests.faults.conftest import House
from tests.support.daemon import ROOT, Daemon, until
from tests.support.invariants import violations

pytestmark = pytest.mark.fault
ONE_BEAT = """
from qflowd.engine.membership.heartbeat import Heartbeat
beat = Heartbeat.tick
Heartbeat.tick = lambda self: (beat(self), 3600.0)[1]
"""
NO_FENCE_IN_FINISH = """
from qflowd.store.catalog import Catalog
load = Catalog.load.__func__
def mutated(cls, renderer):
    catalog = load(cls, renderer)
    statement = catalog["finish_tasks"]
    changed = statement.sql.replace("AND t.fence = d.fence", "")
    assert changed != statement.sql
    statement.sql = changed
    return catalog
Catalog.load = classmethod(mutated)
"""
COUNTS_ONCE = """
from qflowd.engine import kinds
arrivals = kinds.arrivals
def once(ended, holds):
    found = arrivals(ended, holds)
    return found._replace(rows=[(key, 1, min(gain, 1), min(bad, 1)) for key, _, gain, bad in found.rows])
kinds.arrivals = once
"""
NO_SELF_FENCE = """
from qflowd.workers.processes import Processes
Processes.keep_alive = lambda self, until_us: None
"""
FAN_IN = "workflow: fan\ntasks:\n" + "".join(f"  p{i}: {{job: step}}\n" for i in range(8))
FAN_IN += "  end: {job: step, after: [p0, p1, p2, p3, p4, p5, p6, p7]}\n"


Scenario = Callable[[House], list[str]]


@pytest.fixture
def compare(get_server: GetServer, make_house: Callable[..., House], tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Play a scenario in two houses at once, of which one breeds mutants: what it finds must be in that one alone."""
    with contextlib.ExitStack() as stack:

        def play(scenario: Scenario, kind: str, mutation: str, seen: tuple[str, ...], **keys: Any) -> None:
            server = get_server(kind)
            houses = []
            for name, text in (("sound", ""), ("mutant", mutation)):
                url = server.create_store()
                stack.callback(server.drop_database, url)
                houses.append(make_house(url, folder=name, **keys))
                (tmp_path / name / "python").mkdir()
                (tmp_path / name / "python" / "sitecustomize.py").write_text(text, "utf-8")
            with ThreadPoolExecutor(2) as threads:
                sound, mutant = threads.map(scenario, houses)
            assert not sound
            assert [line for line in mutant if line.startswith(seen)], f"nobody noticed: {mutant}"
            for house in houses:
                house.close()

        yield play


def breed(daemon: Daemon, more: str = "") -> Daemon:
    """Make a daemon one of its house's kind; `more` is changed in all of them."""
    folder = daemon.folder.parent / "python"
    custom = folder / "sitecustomize.py"
    custom.write_text(more + custom.read_text("utf-8"), "utf-8")
    daemon.env["PYTHONPATH"] = f"{folder}:{ROOT}"
    return daemon


def test_a_result_that_comes_after_the_lease_is_refused_by_the_fence_alone(compare: Callable[..., None]) -> None:
    compare(_come_late, "postgres", NO_FENCE_IN_FINISH, ("I4", "I5"))


def _come_late(house: House) -> list[str]:
    """The zombie's heart beats once, and its first commit of results waits until another daemon has done the work."""
    zombie = breed(house.daemon("a", is_neighbour=False), ONE_BEAT)
    gate = house.folder / "gate"
    zombie.env["QFLOWD_FAULT"] = f"finish:begin:1:pause:{gate}"
    zombie.start()
    house.submit(job="step", count=4, params='{"seconds": 0.05}')
    until(lambda: len(house.ledger.notes("end")) >= 2, 10)
    house.daemon("b", is_neighbour=False).start()
    house.drain()
    fences = "SELECT id, done_fence FROM qflow.task_instance ORDER BY id"
    before = house.sql(fences)
    gate.touch()
    until(lambda: "came too late" in zombie.log() or house.sql(fences) != before, 15, what="the late commit")
    zombie.kill()
    return [*violations(house.store, drained=True), *house.strangers()]


def test_parents_that_end_together_count_each(compare: Callable[..., None]) -> None:
    compare(_end_together, "sqlite", COUNTS_ONCE, ("I3", "I4"), workflows={"fan.yaml": FAN_IN})


def _end_together(house: House) -> list[str]:
    daemon = breed(house.daemon()).start()
    house.submit("fan", count=20)
    parents = "SELECT count(*) FROM qflow.tasks WHERE task <> 'end' AND state = 'SUCCESS'"
    until(lambda: house.one(parents) == 160, 20)
    assert daemon.stop() == 0
    return list(violations(house.store))


def test_workers_of_a_frozen_daemon_die_before_others_take_over(compare: Callable[..., None]) -> None:
    compare(_outlive, "sqlite", NO_SELF_FENCE, ("I9",))


def _outlive(house: House) -> list[str]:
    frozen = breed(house.daemon("a", is_neighbour=False)).start()
    house.submit(job="step", params='{"seconds": 6}')
    until(house.ledger.starts, 10)
    house.freeze(frozen)
    house.daemon("b", is_neighbour=False).start()
    until(lambda: set(house.ledger.starts().values()) == {2}, 15)
    ticks = len(house.ledger.notes("tick"))
    until(lambda: len(house.ledger.notes("tick")) > ticks + 10, 15)
    return house.ledger.overlaps()

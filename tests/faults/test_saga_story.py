"""Three loads write partitions of a real market table in PostgreSQL, MariaDB and SQLite; the third fails, and all are undone.

Daemons die at named places of their transactions, workers at any step of a job: the tables are byte-equal to before.
"""

from __future__ import annotations

import contextlib
import json
import random
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from tests.conftest import KINDS, GetServer
from tests.faults.conftest import House, side_by_side
from tests.faults.market import Market, bars_of
from tests.support.daemon import Daemon, until

pytestmark = pytest.mark.fault
HERE = Path(__file__).parent
BARS = HERE / "bars_2008.csv"
STORY = """
workflow: loads
saga: {retries: 2}
tasks:
  aapl: {job: load, params: {kind: postgres, symbol: AAPL, month: "2008-09"}}
  ibm: {job: load, params: {kind: mariadb, symbol: IBM, month: "2008-10"}}
  msft: {job: load, after: [aapl, ibm], params: {kind: sqlite, symbol: MSFT, month: "2008-10", fails: true}}
"""
STEPS = [f"load-{kind}-{i}" for kind in KINDS for i in range(1, 6)] + [
    f"restore-{kind}-{i}" for kind in KINDS for i in range(1, 4)
]
DEATHS = [
    *(f"finish:{point}:{i}" for point in ("begin", "before_commit", "after_commit") for i in range(1, 7)),
    *(f"compensate:{point}:1" for point in ("begin", "before_commit", "after_commit")),
    *(f"claim:{point}:{i}" for point in ("before_commit", "after_commit") for i in range(1, 5)),
    *(f"admit_and_claim:{point}:1" for point in ("begin", "before_commit", "after_commit")),
    "write_logs:after_commit:1",
]
LIVES = 4  # of a daemon, in each of which it may be killed
MOST_DIE = 4  # workers of one instance


@pytest.fixture
def places(houses: list[House], get_server: GetServer) -> Iterator[list[tuple[House, dict[str, str]]]]:
    """A house on each database, each with market tables of its own in all three."""
    if len(houses) < len(KINDS):
        pytest.skip("the story needs all databases")
    with contextlib.ExitStack() as stack:
        found = []
        for house in houses:
            urls = {}
            for kind in KINDS:
                server = get_server(kind)
                urls[kind] = server.create_database(f"market_{house.folder.name}")
                stack.callback(server.drop_database, urls[kind])
                with contextlib.closing(Market(kind, urls[kind])) as market:
                    market.create(bars_of(BARS))
            found.append((house, urls))
        yield found


def test_after_a_few_kills_the_tables_are_as_before(places: list[tuple[House, dict[str, str]]]) -> None:
    side_by_side(lambda place: _story(*place, is_enough=lambda kills: kills >= 5), places)


@pytest.mark.long
def test_after_two_hundred_kills_the_tables_are_as_before(places: list[tuple[House, dict[str, str]]]) -> None:
    side_by_side(lambda place: _story(*place, is_enough=lambda kills: kills >= 200), places)


def _story(house: House, urls: dict[str, str], is_enough: Callable[[int], bool]) -> None:
    house.workflows = {"loads.yaml": STORY}
    daemon = house.daemon(lease="60s", plugins={"market.py": (HERE / "market.py").read_text("utf-8")})
    daemon.write("market.json", json.dumps(urls))
    shutil.copy(BARS, daemon.folder)
    (daemon.folder / "die").mkdir()
    before = _dump(urls)
    daemon.start()
    assert daemon.stop() == 0  # the schema is there, and so is the workflow
    kills = 0
    for seed in count():
        kills += _play(house, daemon, random.Random(seed))
        assert _dump(urls) == before, f"seed {seed}"
        if is_enough(kills):
            break
    print(f"{house.folder.name}: {kills} kills, {seed + 1} instances")
    assert house.sql("SELECT DISTINCT state, saga_state FROM qflow.instances") == [("FAILED", "COMPENSATED")]
    undone = house.sql("SELECT task, state, count(*) FROM qflow.compensations GROUP BY task, state ORDER BY task")
    assert undone == [(task, "SUCCESS", seed + 1) for task in ("aapl", "ibm", "msft")]
    house.check()


def _dump(urls: dict[str, str]) -> bytes:
    """All market tables, as bytes."""
    dumps = []
    for kind, url in urls.items():
        with contextlib.closing(Market(kind, url)) as market:
            dumps.append(market.dump())
    return b"".join(dumps)


def _deadly_steps(chance: random.Random) -> list[str]:
    """Steps at which workers die, no more than two of one task."""
    chosen: dict[str, list[str]] = {}
    for name in chance.sample(STEPS, chance.randint(0, MOST_DIE)):
        chosen.setdefault(name[:-2], []).append(name)
    return [name for names in chosen.values() for name in names[:2]]


def _play(house: House, daemon: Daemon, chance: random.Random) -> int:
    """One instance from its submission to its end, through several lives of the daemon. Returns how much was killed."""
    dying = daemon.folder / "die"
    planned = _deadly_steps(chance)
    for name in planned:
        (dying / name).touch()
    house.submit("loads")
    kills = 0
    for fault in chance.sample(DEATHS, LIVES):
        daemon.env["QFLOWD_FAULT"] = f"{fault}:kill"
        daemon.start(ready=False)
        until(lambda: not daemon.is_running or house.is_drained(), 60, what=f"{fault}: {daemon.log()[-2000:]}")
        if daemon.is_running:
            break
        kills += 1
    else:
        del daemon.env["QFLOWD_FAULT"]
        daemon.start()
        house.drain(60)
    if daemon.is_running:
        daemon.kill()
        daemon.env.pop("QFLOWD_FAULT", None)
    left = list(dying.iterdir())
    for file in left:
        file.unlink()
    return kills + len(planned) - len(left)

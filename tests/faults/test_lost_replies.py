"""A COMMIT that is applied and whose reply is lost: the client sees an error, and the work is done all the same."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from tests.conftest import GetServer
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until
from tests.support.proxy import Proxy

pytestmark = pytest.mark.fault
FAN = """
workflow: fan
tasks:
  a: {job: step}
  b: {job: step, after: a}
  c: {job: step, after: a}
  d: {job: step, after: [b, c]}
"""
EVERY_SECOND = 'workflow: tick\nschedule: {cron: "* * * * * *"}\ntasks:\n  tock: {job: step}\n'


# What a client says in the transaction whose reply is to be lost; PostgreSQL and MySQL name the columns differently.
LOST = {
    "admission": "INSERT INTO qflow.workflow_instance",
    "claim": "id, node, fence",
    "finish": "done_fence = t.fence",
    "close": "open_closers = i.open_closers - d.closed",
    "fire": "INSERT INTO qflow.schedule_fire",
}
Place = tuple[House, Proxy]


@pytest.fixture
def places(get_server: GetServer, make_house: Callable[..., House]) -> Iterator[list[Place]]:
    """On each kind of server a house whose daemon speaks through a proxy; the test itself does not."""
    with contextlib.ExitStack() as stack:
        found = []
        for kind in ("postgres", "mariadb"):
            with contextlib.suppress(pytest.skip.Exception):
                server = get_server(kind)
                proxy = stack.enter_context(Proxy(server.port))
                url = server.create_store()
                house = make_house(url, folder=kind, workflows={"fan.yaml": FAN, "tick.yaml": EVERY_SECOND})
                house.daemon(url=url.replace(f":{server.port}", f":{proxy.port}"), lease="30s")
                found.append((house, proxy))
        yield found
        for house, _ in found:
            house.close()


def test_a_lost_reply_neither_repeats_nor_loses_anything(places: list[Place]) -> None:
    side_by_side(_lose_replies, places)


def _lose_replies(place: Place) -> None:
    house, proxy = place
    [daemon] = house.daemons.values()
    daemon.start()
    fans = []
    for words in LOST.values():
        for _ in range(2):
            before = proxy.lost
            proxy.lose_reply(words)
            fans += house.submit("fan", count=2)
            until(lambda before=before: proxy.lost > before, 10, what=f"a lost reply to {words}")  # type: ignore[misc]
            open_fans = f"SELECT count(*) FROM qflow.submissions s LEFT JOIN qflow.instances i ON i.id = s.id WHERE s.id >= {fans[0]} AND s.workflow = 'fan' AND i.finished_at IS NULL"
            until(lambda open_fans=open_fans: house.one(open_fans) == 0, 15, what=f"all fans after {words}")  # type: ignore[misc]
    (daemon.folder / "workflows" / "tick.yaml").unlink()
    assert daemon.stop() == 0
    assert house.ledger.extra_starts() == 0
    assert set(house.states()) <= {"SUCCESS", "READY", "PENDING"}
    fires = house.sql("SELECT fire_at, instance_id FROM qflow.fires ORDER BY fire_at")
    assert len({instance for _, instance in fires}) == len(fires) >= 3
    assert all((later - before).total_seconds() == 1.0 for (before, _), (later, _) in pairwise(fires))
    assert len(fires) == house.one("SELECT count(*) FROM qflow.submissions WHERE trigger_type = 'cron'")
    house.check(drained=False)


def test_a_network_that_cuts_all_connections_again_and_again_costs_nothing(places: list[Place]) -> None:
    side_by_side(_cut, places)


def _cut(place: Place) -> None:
    house, proxy = place
    [daemon] = house.daemons.values()
    daemon.start()
    house.submit("fan", count=30)
    done = "SELECT count(*) FROM qflow.tasks WHERE task <> 'tock' AND state = 'SUCCESS'"
    for goal in (10, 40, 80):
        until(lambda goal=goal: house.one(done) >= goal, 20)  # type: ignore[misc]
        proxy.cut()
    until(lambda: house.one(done) == 120, 20)
    assert daemon.stop() == 0
    assert house.ledger.extra_starts() <= 3 * 4
    house.check(drained=False)

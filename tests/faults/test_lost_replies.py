"""A COMMIT that is applied and whose reply is lost: the client sees an error, and the work is done all the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.faults.conftest import House
from tests.support.daemon import until
from tests.support.proxy import Proxy
from tests.support.servers import Server

pytestmark = pytest.mark.fault
FAN = """
workflow: fan
tasks:
  a: {job: step}
  b: {job: step, after: a}
  c: {job: step, after: a}
  d: {job: step, after: [b, c]}
"""
EVERY_SECOND = 'workflow: tick\nschedule: {cron: "* * * * * *"}\ntasks:\n  a: {job: step}\n'


@pytest.fixture(params=["postgres", "mariadb"])
def server(request: pytest.FixtureRequest, get_server: Callable[[str], Server]) -> Server:
    return get_server(request.param)


@pytest.fixture
def proxy(server: Server) -> Iterator[Proxy]:
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def proxied(server: Server, proxy: Proxy, make_house: Callable[..., House]) -> House:
    """Its daemon speaks through the proxy; the test itself does not."""
    url = server.create_database()
    house = make_house(url, workflows={"fan.yaml": FAN})
    house.daemon(url=url.replace(f":{server.port}", f":{proxy.port}"), lease="30s")
    return house


LOST = {
    "admission": ("INSERT INTO qflow.workflow_instance",),
    "claim": ("id, node, fence",),
    "finish": ("done_fence = t.fence",),
    "close": ("SET", "open_closers = i.open_closers - d.closed"),
}


@pytest.mark.parametrize("what", LOST)
def test_a_lost_reply_neither_repeats_nor_loses_anything(proxied: House, proxy: Proxy, what: str) -> None:
    house = proxied
    [daemon] = house.daemons.values()
    daemon.start()
    words = LOST[what]
    if house.store.dialect.name == "mysql":
        words = tuple(word.replace("open_closers = i", "i.open_closers = i") for word in words)
    for round_ in range(1, 4):
        proxy.lose_reply(*words)
        house.submit("fan", count=2)
        until(lambda round_=round_: proxy.lost == round_, 10, what="a lost reply")  # type: ignore[misc]
        house.drain(15)
    assert house.states() == {"SUCCESS": 24}
    assert house.ledger.extra_starts() == 0
    assert daemon.stop() == 0
    house.check()


def test_a_lost_reply_to_a_fire_fires_once(server: Server, proxied: House, proxy: Proxy) -> None:
    house = proxied
    [daemon] = house.daemons.values()
    daemon.write("workflows/tick.yaml", EVERY_SECOND)
    daemon.start()
    for round_ in range(1, 4):
        proxy.lose_reply("INSERT INTO qflow.schedule_fire")
        until(lambda round_=round_: proxy.lost == round_, 10, what="a lost reply")  # type: ignore[misc]
    fires = house.sql("SELECT fire_at, instance_id FROM qflow.fires ORDER BY fire_at")
    assert len({instance for _, instance in fires}) == len(fires) >= 3
    assert all((later[0] - before[0]).total_seconds() == 1.0 for before, later in zip(fires, fires[1:], strict=False))
    assert daemon.stop() == 0
    submitted = house.one("SELECT count(*) FROM qflow.submissions WHERE trigger_type = 'cron'")
    assert submitted == house.one("SELECT count(*) FROM qflow.fires")
    house.check(drained=False)

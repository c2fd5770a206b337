"""How often the hub looks at what: all looks together take a twentieth of the time, and cheap ones wait for nobody."""

import time
from collections import Counter
from types import SimpleNamespace

import pytest

from qflowd.api.live.hub import SHARE, Hub, Subscriber, share_of
from qflowd.api.live.topic import Data, Topic
from tests.support.daemon import until


def settled(costs_s: list[float], period_s: float = 1.0) -> list[float]:
    """The shares of topics after many looks at each, in turn."""
    shares = [0.0] * len(costs_s)
    for _ in range(50):
        for index, cost_s in enumerate(costs_s):
            shares[index] = share_of(cost_s, period_s, sum(shares) - shares[index], len(costs_s))
    return shares


def test_cheap_looks_are_made_every_period():
    assert settled([0.002, 0.003, 0.001]) == [0.002, 0.003, 0.001]


def test_a_look_that_takes_long_has_all_that_is_left():
    *cheap, costly = settled([0.002, 0.003, 0.2])
    assert cheap == [0.002, 0.003]
    assert costly == pytest.approx(SHARE - 0.005)


@pytest.mark.parametrize("topics", [1, 2, 5, 50])
def test_many_looks_that_take_long_share_what_there_is(topics):
    shares = settled([0.2] * topics)
    assert sum(shares) == pytest.approx(SHARE, rel=0.02)
    assert min(shares) >= SHARE / topics * 0.999


def test_who_comes_late_gets_an_equal_part():
    assert share_of(0.2, 1.0, others=SHARE, topics=2) == SHARE / 2


class Standing(Topic):
    """A topic in a database that stands still for half a second during its third look."""

    kind, period_s = "standing", 0.01

    def __init__(self) -> None:
        super().__init__(SimpleNamespace(tenant="desk"), "standing", "all")  # type: ignore[arg-type]
        self.looks = 0

    def look(self) -> Data:
        self.looks += 1
        if self.looks == 3:
            time.sleep(0.5)
        return {"looks": self.looks}

    def changes(self, before: Data, now: Data) -> Data | None:
        return now if now != before else None


def test_one_look_that_took_long_keeps_nobody_waiting():
    hub, topic, told = Hub(), Standing(), Counter[str]()
    hub.subscribe([topic], Subscriber(lambda: told.update(["woken"])))
    until(lambda: topic.looks > 10, 2, what="looks as before: twenty times as long would be ten seconds")
    hub.close()
    hub.join(5)
    assert told["woken"] > 10

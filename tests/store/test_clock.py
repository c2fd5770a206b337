"""The daemon's clock follows the server's, and only as far as a reading is certain."""

from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from qflowd.store.clock import CLOCK_S, DbClock, boottime
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store

MANY = 5000  # takes more than some milliseconds


def test_a_server_that_tells_whole_milliseconds_does_not_set_the_clock_back():
    clock = DbClock()
    before = clock.at(0.0)
    for _ in range(MANY):
        asked_at = boottime()
        now = datetime.now(UTC)
        clock.learn(now - timedelta(microseconds=now.microsecond % 1000), asked_at)
    assert before - clock.at(0.0) < timedelta(microseconds=100)


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_server_that_is_away_by_an_hour_is_followed(hours):
    clock = DbClock()
    asked_at = boottime()
    clock.learn(datetime.now(UTC) + timedelta(hours=hours), asked_at)
    assert abs(clock.now() - datetime.now(UTC) - timedelta(hours=hours)) < timedelta(minutes=5)


def test_whoever_follows_the_databases_clock_asks_it_at_first_and_a_minute_later(database_url):
    with closing(Store(database_url, follows_clock=True)) as store:
        migrate(store)
        for wait_s, is_asked in ((0.0, False), (CLOCK_S - 1, False), (CLOCK_S + 1, True)):
            store._clock_at = boottime() - wait_s
            store.clock.learn(datetime.now(UTC) + timedelta(hours=1), boottime())
            now = store.transact(lambda tx: tx.now)
            assert (abs(now - datetime.now(UTC)) < timedelta(minutes=5)) is is_asked
    with closing(Store(database_url, follows_clock=True)) as store:
        store.clock.learn(datetime.now(UTC) + timedelta(hours=1), boottime())
        assert abs(store.read(lambda tx: tx.now) - datetime.now(UTC)) < timedelta(minutes=5)
    with closing(Store(database_url)) as store:
        store.clock.learn(datetime.now(UTC) + timedelta(hours=1), boottime())
        assert store.read(lambda tx: tx.now) - datetime.now(UTC) > timedelta(minutes=5)
        store.ask_clock()
        assert abs(store.read(lambda tx: tx.now) - datetime.now(UTC)) < timedelta(minutes=5)

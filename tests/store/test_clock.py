"""The daemon's clock follows the server's, and only as far as a reading is certain."""

from datetime import UTC, datetime, timedelta

import pytest

from qflowd.store.clock import DbClock, boottime

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

"""Breakers: what counts, and how many of what counts are recent."""

from __future__ import annotations

import pytest

from qflowd.config import from_settings
from qflowd.config.records import LimitConfig
from qflowd.model.breaker import Breaker, read_breaker
from qflowd.model.errors import InvalidConfig
from qflowd.model.states import Reason


def limit(**keys: object) -> LimitConfig:
    return from_settings({"limits": {"vendor": keys}}).limits["vendor"]


def test_a_breaker_may_be_written_as_its_failures_alone_and_is_stored_whole():
    breaker = limit(breaker="5/min").breaker
    assert breaker == Breaker("5/min", 60.0, ("error", "timeout"))
    written = limit(breaker={"failures": "3/10s", "open": "5m", "on": ["ConnectionError", "timeout"]}).breaker
    assert written == Breaker("3/10s", 300.0, ("ConnectionError", "timeout"))
    assert read_breaker(written.text) == written
    assert limit(slots=2, breaker=False).breaker is None


@pytest.mark.parametrize(
    ("on", "reason", "error", "counts"),
    [
        (("error",), Reason.ERROR, "ValueError: bad row", True),
        (("error",), Reason.TIMEOUT, "ran longer than its timeout of 5 s", False),
        (("ConnectionError",), Reason.ERROR, "ConnectionError: refused", True),
        (("ConnectionError",), Reason.ERROR, "requests.exceptions.ConnectionError: refused", True),
        (("requests.exceptions.ConnectionError",), Reason.ERROR, "requests.exceptions.ConnectionError: refused", True),
        (("ConnectionError",), Reason.ERROR, "ValueError: ConnectionError", False),
        (("timeout", "ConnectionError"), Reason.TIMEOUT, None, True),
        (("error",), Reason.TERMINATED, "it was terminated while it ran", False),
    ],
)
def test_reasons_and_names_of_exceptions_decide_what_counts(on, reason, error, counts):
    assert Breaker("5/min", on=on).counts(reason, error) is counts


def test_failures_older_than_the_window_do_not_count_and_no_more_are_kept_than_open_it():
    breaker = Breaker("3/10s")
    assert breaker.recent([0, 1_000_000, 9_000_000], 10_500_000) == [1_000_000, 9_000_000]
    assert breaker.recent(list(range(100, 110)), 200) == [107, 108, 109]


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("often", "limits.vendor.breaker: failures: 'often' is not a rate; write it like 200/min, 8000/day or 5/10s"),
        ("0/min", "rate '0/min': the number must be from 1 to 1000000000"),
        ("2000/min", "'2000/min': at most 1000 failures can be counted"),
        ({"open": "1m"}, "limits.vendor.breaker: failures: is missing"),
        ({"failures": "5/min", "on": ["timout"]}, "'timout' is neither one of error, timeout, memory, lost, poison nor the name of an exception"),
        ({"failures": "5/min", "on": []}, "on: names nothing"),
        ({"failures": "5/min", "opens": "1m"}, "opens: unknown key"),
        (True, "limits.vendor.breaker: failures: must be a string, not true or false"),
    ],
)  # fmt: skip
def test_a_breaker_that_cannot_be_is_refused_with_the_reason(written, fault):
    with pytest.raises(InvalidConfig) as refused:
        limit(breaker=written)
    assert fault in str(refused.value)

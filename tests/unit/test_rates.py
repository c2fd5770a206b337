"""Rates: what people write, and a plain model of what any window may hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.model.rates import Rate, Spent, parse_rate

S = 1_000_000


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("200/min", Rate(200, 60 * S)),
        ("8000/day", Rate(8000, 86400 * S)),
        ("5 / 10s", Rate(5, 10 * S)),
        ("3/s", Rate(3, S)),
        ("3/1h30m", Rate(3, 5400 * S)),
    ],
)
def test_a_rate_is_read_as_it_is_meant(text: str, rate: Rate) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("200", "is not a rate; write it like 200/min"),
        ("0/min", "the number must be from 1 to 1000000000"),
        ("200/ms", "'ms' is not a unit of time; use s, min, h, day or a duration such as 10s"),
        ("200/fortnight", "'fortnight' is not a unit of time; use s, min, h, day or a duration such as 10s"),
        ("5/10ms", "no clock can meet it; the time must be from 1s to 31d"),
        ("5/0s", "is not a unit of time"),
        ("5/40d", "no clock can meet it"),
        ("-5/min", "is not a rate"),
    ],
)
def test_a_rate_that_cannot_be_met_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"rate") as caught:
        parse_rate(text)
    assert says in str(caught.value)


steps = st.lists(st.tuples(st.integers(0, 30 * S), st.integers(1, 4), st.booleans()), max_size=60)


@given(most=st.integers(1, 10), window_s=st.sampled_from([1, 7, 60]), steps=steps)
def test_no_window_holds_more_than_the_rate(most: int, window_s: int, steps: list[tuple[int, int, bool]]) -> None:
    rate, spent, now = Rate(most, window_s * S), list[tuple[int, int]](), 1_700_000_000 * S
    kept: list[tuple[int, int]] = []  # when, how many: what really ran
    for wait, tokens, is_given_back in steps:
        now += wait
        taken = min(tokens, rate.free(spent, now))
        if taken:
            spent = rate.spend(spent, taken, now)
            if is_given_back:
                spent = rate.refund(spent, taken, now)
            else:
                kept.append((now, taken))
        assert sum(count for at, count in kept if at > now - rate.window_us) <= most


@given(most=st.integers(1, 5), waits=st.lists(st.integers(0, 5 * S), min_size=1, max_size=20))
def test_at_the_instant_that_is_named_it_is_free_and_not_before(most: int, waits: list[int]) -> None:
    rate, now = Rate(most, 7 * S), 1_700_000_000 * S
    spent: Spent = []
    for wait in waits:
        now += wait
        if rate.free(spent, now):
            spent = rate.spend(spent, 1, now)
    at = rate.frees_us(spent, 1, now)
    assert rate.free(spent, at) >= 1
    assert at == now or rate.free(spent, at - 1) < 1

"""Waits between attempts."""

from itertools import pairwise

import pytest

from qflowd.model.retry import retry_delay
from qflowd.model.workflow import Settings


def delays(settings, chance=0.5):
    return [retry_delay(settings, attempt, chance) for attempt in range(2, 8)]


def test_a_fixed_delay_stays():
    assert delays(Settings(retry_delay=5.0)) == [5.0] * 6


def test_a_fixed_delay_is_not_cut_by_the_cap_of_exponential_ones():
    assert delays(Settings(retry_delay=3600.0)) == [3600.0] * 6


def test_an_exponential_delay_doubles_up_to_the_cap():
    assert delays(Settings(retry_delay=1.0, backoff="exponential", retry_max_delay=10.0, jitter=0.0)) == [
        1,
        2,
        4,
        8,
        10,
        10,
    ]


@pytest.mark.parametrize(("chance", "delay"), [(0.0, 8.0), (0.5, 10.0), (1.0, 12.0)])
def test_jitter_spreads_to_both_sides(chance, delay):
    assert retry_delay(Settings(retry_delay=10.0, jitter=0.2), 2, chance) == pytest.approx(delay)


def test_jitter_never_goes_over_the_cap():
    settings = Settings(retry_delay=1.0, backoff="exponential", retry_max_delay=10.0, jitter=1.0)
    assert all(delay <= 10.0 for delay in delays(settings, 1.0))
    assert all(first <= second for first, second in pairwise(delays(settings, 1.0)))


def test_a_thousand_attempts_do_not_overflow():
    assert retry_delay(Settings(backoff="exponential", jitter=0.0), 1001, 0.5) == 600.0

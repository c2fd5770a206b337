"""Quantiles of durations are values that occurred."""

import pytest

from qflowd.api.resources.stats import quantile


@pytest.mark.parametrize(
    ("values", "share", "expected"),
    [
        ([], 0.5, None),
        ([None], 0.5, None),
        ([3.0], 0.95, 3.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([3.0, None, 1.0, 2.0], 0.5, 2.0),
        (list(range(1, 101)), 0.95, 95),
        (list(range(1, 101)), 1.0, 100),
    ],
)
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(values, share, expected):
    assert quantile(values, share) == expected

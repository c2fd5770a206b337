"""Durations and sizes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qflowd.model.durations import (
    LARGEST_BYTES,
    LONGEST_S,
    format_duration,
    format_size,
    parse_delay,
    parse_duration,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("500ms", 0.5), ("2d", 172800), ("1.5h", 5400), ("90", 90), (90, 90), (0.25, 0.25)],
)
def test_usual_texts_become_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "0", 0, -1, "-5m", "10 min", "30m1h", "1m1m", "1h 30m", True, None, [], "nan", float("inf"), 10**400, "٣m"],
)
def test_other_texts_are_refused_as_durations(text):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize("value", [0, "0", "0s", "0.0s"])
def test_a_delay_may_be_none_at_all(value):
    assert parse_delay(value) == 0


@pytest.mark.parametrize("value", [False, "", -1, "soon"])
def test_a_delay_is_a_duration_all_the_same(value):
    with pytest.raises(ValueError, match="is not a duration"):
        parse_delay(value)


@given(st.floats(1e-6, LONGEST_S))
def test_a_duration_survives_being_written(seconds):
    assert parse_duration(format_duration(seconds)) == seconds


def test_a_duration_is_written_as_people_would():
    assert [format_duration(s) for s in (0.5, 90, 5400, 86400.25)] == ["500ms", "1m30s", "1h30m", "1d250ms"]


@pytest.mark.parametrize(
    ("text", "size"), [("512MB", 512 << 20), ("8G", 8 << 30), ("64KiB", 65536), ("1.5 G", 3 << 29), ("7", 7), (7, 7)]
)
def test_usual_texts_become_bytes(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0", "MB", "-1G", "1P", 1.5, True, None, "99999T"])
def test_other_texts_are_refused_as_sizes(text):
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@given(st.integers(1, LARGEST_BYTES))
def test_a_size_survives_being_written(size):
    assert parse_size(format_size(size)) == size

"""Instants and dates as people write them."""

from datetime import UTC, date, datetime

import pytest

from qflowd.model.instants import format_instant, parse_date, parse_instant

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-11-20T12:00:00Z", "2026-11-20 12:00", " 2026-11-20T20:00:00+08:00 "])
def test_an_instant_may_be_written_in_several_ways(text) -> None:
    assert parse_instant(text) == NOON


@pytest.mark.parametrize("text", ["", "soon", "1795168800", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-12:00"])
def test_what_is_not_an_instant_is_told_by_what_to_write(text) -> None:
    with pytest.raises(ValueError, match="is not an instant; write it like 2026-11-20T09:30:00Z"):
        parse_instant(text)


def test_a_date_is_read_alone() -> None:
    assert parse_date(" 2026-11-20 ") == date(2026, 11, 20)
    with pytest.raises(ValueError, match="'2026-02-30' is not a date"):
        parse_date("2026-02-30")


def test_what_is_shown_can_be_read_again() -> None:
    assert format_instant(NOON) == "2026-11-20T12:00:00Z"
    assert parse_instant(format_instant(NOON)) == NOON

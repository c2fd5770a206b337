"""Parts of a day open when clocks say so, also on days on which clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from qflowd.calendars.hours import parse_hours
from qflowd.calendars.openings import is_open, next_opening
from tests.support.clock import CLOCK_CHANGES

STEP = timedelta(minutes=5)  # of which the ends of all windows are multiples


@pytest.mark.parametrize(
    "window", ["01:30-01:45", "00:30-01:15", "02:30-03:15", "20:50-02:35", "00:00-00:10 01:10-01:20 12:00-13:00"]
)
@pytest.mark.parametrize(
    ("zone", "day"),
    [
        *CLOCK_CHANGES,
        ("Australia/Lord_Howe", "2026-04-04"),  # by half an hour
        ("America/Santiago", "2026-04-04"),  # at midnight
        ("Asia/Shanghai", "2026-11-20"),
    ],
)
def test_the_next_opening_is_the_first_instant_at_which_clocks_show_a_time_of_a_part(
    window: str, zone: str, day: str
) -> None:
    parts, clocks = parse_hours(window), ZoneInfo(zone)
    begin = datetime.fromisoformat(f"{day}T00:00").replace(tzinfo=clocks).astimezone(UTC)
    steps = [begin + number * STEP for number in range(3 * 24 * 12)]
    opening, checked = None, 0
    for at in reversed(steps):
        if is_open(parts, at, clocks):
            opening = at
        elif opening is not None:
            assert next_opening(parts, at, clocks) == opening, at.astimezone(clocks)
            checked += 1
    assert checked > 12 * 12

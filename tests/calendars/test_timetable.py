"""When schedules fire by the clock on days of a calendar: what is skipped at one go belongs to no session."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, time, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

import pytest

import qflowd
from qflowd.calendars import timetable
from qflowd.calendars.session_days import parse_session_days
from qflowd.model import cron
from qflowd.model.workflow import Schedule
from tests.support.clock import CLOCK_CHANGES

SEPTEMBER = datetime(2026, 9, 20, tzinfo=UTC)


@pytest.mark.parametrize("days", ["", "first session of week", "last session of month"])
@pytest.mark.parametrize(
    ("name", "zone"),
    [("SHFE.ag", "Asia/Shanghai"), ("SHFE.rb", "Asia/Shanghai"), ("XNYS", "Asia/Shanghai"), ("CN", "America/New_York")],
)
def test_each_instant_of_the_clock_that_belongs_to_a_session_fires(name: str, zone: str, days: str) -> None:
    calendar, until = qflowd.calendar(name), SEPTEMBER + timedelta(days=30)
    wanted = parse_session_days(days) if days else None
    expected = []
    for at in takewhile(lambda at: at <= until, cron.fires("*/30 * * * *", zone, SEPTEMBER)):
        day = calendar.trade_date(at)
        if day is not None and (wanted is None or wanted.has(calendar, day)):
            expected.append((at, day))
    schedule = Schedule("*/30 * * * *", zone, calendar=name, days=days)
    assert list(takewhile(lambda fire: fire.at <= until, timetable.fires(schedule, SEPTEMBER))) == expected
    assert expected


@pytest.mark.parametrize("start", ["12:05", "20:50"])
def test_a_window_that_begins_before_the_night_is_of_its_session_after_a_skipped_time(start: str) -> None:
    night = Schedule(
        "50 * * * *", "Asia/Shanghai", calendar="SHFE.ag", days="first session of week", window=f"{start}-02:35"
    )
    first = next(timetable.fires(night, datetime(2026, 11, 16, 8, tzinfo=UTC)))
    hour, minute = (12, 50) if start == "12:05" else (20, 50)
    assert first.at == datetime(2026, 11, 20, hour - 8, minute, tzinfo=UTC)
    assert str(first.business_date) == "2026-11-23"


@pytest.mark.parametrize(
    "schedule",
    [
        Schedule("* * * * * *", "Asia/Shanghai", calendar="XSHG", days="last session of year"),
        Schedule("* * * * * *", "Asia/Shanghai", calendar="XSHG", days="last session of year", window="00:00-01:00"),
    ],
)
def test_a_clock_of_every_second_comes_to_the_last_session_of_a_year_without_counting_them(schedule: Schedule) -> None:
    with steps_of_the_clock() as asked:
        first = next(timetable.fires(schedule, datetime(2026, 1, 5, tzinfo=UTC)))
    assert first.at == datetime(2026, 12, 30, 16, tzinfo=UTC)
    assert len(asked) < 10


@pytest.mark.parametrize(("zone", "day"), CLOCK_CHANGES)
@pytest.mark.parametrize(
    "window", ["09:30-11:30 13:00-15:00", "20:50-02:35", "01:30-01:45", "02:30-03:15", "00:30-01:15"]
)
def test_what_lies_outside_of_a_window_is_left_out_at_one_go_also_when_clocks_change(
    window: str, zone: str, day: str
) -> None:
    schedule, begin = Schedule("*/5 * * * *", zone, window=window), datetime.fromisoformat(f"{day}T00:00Z")
    parts = [tuple(time.fromisoformat(end) for end in part.split("-")) for part in window.split()]
    expected = []
    for at in takewhile(lambda at: at <= begin + timedelta(days=3), cron.fires("*/5 * * * *", zone, begin)):
        now = at.astimezone(ZoneInfo(zone)).time()
        if any(a <= now <= b if a <= b else now >= a or now <= b for a, b in parts):
            expected.append(at)
    assert expected
    with steps_of_the_clock() as asked:
        found = timetable.fires_until(schedule, begin, begin + timedelta(days=3), 1000)
    assert [fire.at for fire in found] == expected
    assert len(asked) < 864 / 2


@contextmanager
def steps_of_the_clock() -> Iterator[list[datetime]]:
    """The instants that were asked of the clock."""
    asked = []
    walk = cron.fires

    def counted(*arguments):
        for at in walk(*arguments):
            asked.append(at)
            yield at

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cron, "fires", counted)
        yield asked

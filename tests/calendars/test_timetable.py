"""When schedules fire by the clock on days of a calendar: what is skipped at one go belongs to no session."""

from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile

import pytest

import qflowd
from qflowd.calendars import timetable
from qflowd.calendars.session_days import parse_session_days
from qflowd.model import cron
from qflowd.model.workflow import Schedule

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


def test_a_clock_of_every_second_comes_to_the_last_session_of_a_year_without_counting_them() -> None:
    schedule = Schedule("* * * * * *", "Asia/Shanghai", calendar="XSHG", days="last session of year")
    asked = []
    walk = cron.fires

    def counted(*arguments):
        for at in walk(*arguments):
            asked.append(at)
            yield at

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cron, "fires", counted)
        [first] = islice(timetable.fires(schedule, datetime(2026, 1, 5, tzinfo=UTC)), 1)
    assert first.at == datetime(2026, 12, 30, 16, tzinfo=UTC)
    assert len(asked) < 10

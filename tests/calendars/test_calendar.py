"""What a calendar says of days and instants: those that ship, whose own days `test_bundled_days.py` compares."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

import qflowd
from qflowd import InvalidRequest, NotFound, OutsideCalendar
from tests.support.clock import BEIJING, beijing


def test_sessions_are_counted_from_the_first_to_the_last_day_both_included() -> None:
    shanghai = qflowd.calendar("XSHG")
    found = shanghai.sessions("2020-01-02", "2026-11-20")
    assert (len(found), found[0], found[-1]) == (1668, date(2020, 1, 2), date(2026, 11, 20))
    assert shanghai.sessions("2026-10-01", "2026-10-07") == []
    assert shanghai.sessions("2026-11-20", "2026-11-20") == [date(2026, 11, 20)]


def test_the_session_after_and_before_a_day_whether_it_is_one_or_not() -> None:
    shanghai = qflowd.calendar("XSHG")
    friday, saturday, monday = date(2026, 11, 20), date(2026, 11, 21), date(2026, 11, 23)
    assert shanghai.next_session(friday) == shanghai.next_session(saturday) == monday
    assert shanghai.prev_session(monday) == shanghai.prev_session(saturday) == friday
    assert shanghai.next_session(friday, 5) == date(2026, 11, 27)
    assert shanghai.prev_session("2026-10-08") == date(2026, 9, 30)  # before the National Day


def test_the_sessions_of_a_period_and_the_last_of_a_month() -> None:
    shanghai = qflowd.calendar("XSHG")
    assert shanghai.sessions_of("week", "2026-09-25") == [date(2026, 9, day) for day in (21, 22, 23, 24)]  # Mid-Autumn
    assert shanghai.sessions_of("month", "2026-10-03")[0] == date(2026, 10, 8)
    assert shanghai.sessions_of("quarter", "2026-11-01")[-1] == date(2026, 12, 31)
    assert len(shanghai.sessions_of("year", "2025-07-01")) == 243
    assert shanghai.month_end_session("2026-10-01") == date(2026, 10, 30)
    assert shanghai.month_end_session("2026-10-31") == date(2026, 10, 30)


def test_the_nth_session_of_a_period_is_counted_from_either_end() -> None:
    shanghai = qflowd.calendar("XSHG")
    week = [shanghai.nth_session("week", "2026-09-25", n) for n in (1, 4, 5, -1, -4, -5)]
    assert week == [date(2026, 9, 21), date(2026, 9, 24), None, date(2026, 9, 24), date(2026, 9, 21), None]
    assert shanghai.nth_session("quarter", "2026-12-31", 1) == date(2026, 10, 8)
    with pytest.raises(InvalidRequest, match="n is 0"):
        shanghai.nth_session("month", "2026-10-01", 0)


def test_hours_with_their_break_in_utc() -> None:
    session = qflowd.calendar("XSHG").session("2026-11-20")
    assert session.parts == (
        (datetime(2026, 11, 20, 1, 30, tzinfo=UTC), datetime(2026, 11, 20, 3, 30, tzinfo=UTC)),
        (datetime(2026, 11, 20, 5, 0, tzinfo=UTC), datetime(2026, 11, 20, 7, 0, tzinfo=UTC)),
    )
    assert session.breaks == ((session.parts[0][1], session.parts[1][0]),)
    assert (session.open_at, session.close_at) == (session.parts[0][0], session.parts[1][1])
    assert session.night is None
    assert not session.is_half


@pytest.mark.parametrize(
    ("name", "day", "close"),
    [("XHKG", "2024-12-24", "12:00"), ("XNYS", "2026-11-27", "13:00"), ("XNAS", "2024-07-03", "13:00")],
)
def test_a_half_day_ends_early(name: str, day: str, close: str) -> None:
    calendar = qflowd.calendar(name)
    session = calendar.session(day)
    assert session.is_half
    assert session.close_at is not None
    assert f"{session.close_at.astimezone(ZoneInfo(calendar.timezone)):%H:%M}" == close


def test_hours_that_changed_hold_from_their_day_on() -> None:
    tokyo = qflowd.calendar("XTKS")
    zone = ZoneInfo(tokyo.timezone)
    closes = [tokyo.session(day).close_at for day in ("2024-11-01", "2024-11-05")]
    assert [f"{close.astimezone(zone):%H:%M}" for close in closes if close] == ["15:00", "15:30"]


def test_hours_follow_the_daylight_saving_of_the_exchange() -> None:
    new_york = qflowd.calendar("XNYS")
    winter, summer = new_york.session("2026-03-06").open_at, new_york.session("2026-03-09").open_at
    assert (winter, summer) == (datetime(2026, 3, 6, 14, 30, tzinfo=UTC), datetime(2026, 3, 9, 13, 30, tzinfo=UTC))


def test_equal_instants_have_equal_trade_dates_whatever_their_zone() -> None:
    new_york = qflowd.calendar("XNYS")
    close = datetime(2026, 11, 20, 21, 0, tzinfo=UTC)
    for zone in ("UTC", "Asia/Shanghai", "America/New_York", "Pacific/Kiritimati"):
        assert new_york.trade_date(close.astimezone(ZoneInfo(zone))) == date(2026, 11, 20)


def test_without_nights_an_instant_belongs_to_the_session_of_its_day() -> None:
    shanghai = qflowd.calendar("XSHG")
    assert shanghai.trade_date(beijing("2026-11-20T00:00")) == date(2026, 11, 20)
    assert shanghai.trade_date(beijing("2026-11-20T23:59:59")) == date(2026, 11, 20)
    assert shanghai.trade_date(beijing("2026-11-21T10:00")) is None


def test_is_open_is_true_from_the_opening_until_the_close_but_not_in_the_break() -> None:
    shanghai = qflowd.calendar("XSHG")
    times = ("09:29:59", "09:30", "11:29:59", "11:30", "13:00", "14:59:59", "15:00")
    assert [shanghai.is_open(beijing(f"2026-11-20T{at}")) for at in times] == [
        False,
        True,
        True,
        False,
        True,
        True,
        False,
    ]
    assert not shanghai.is_open(beijing("2026-11-21T10:00"))


def test_what_lies_outside_is_refused_and_never_guessed() -> None:
    shanghai = qflowd.calendar("XSHG")
    after = shanghai.last + timedelta(days=1)
    for ask in (
        lambda: shanghai.is_session(after),
        lambda: shanghai.sessions("2026-01-01", after),
        lambda: shanghai.next_session(shanghai.last),
        lambda: shanghai.prev_session(shanghai.first),
        lambda: shanghai.sessions_of("month", after),
        lambda: shanghai.trade_date(datetime(2049, 10, 1, 9, tzinfo=BEIJING)),
    ):
        with pytest.raises(OutsideCalendar, match=r"calendar XSHG (is known to|begins on) "):
            ask()
    with pytest.raises(
        OutsideCalendar, match="begins on 1990-12-19, and session 99999 before 2026-11-30 lies before that"
    ):
        shanghai.prev_session("2026-11-30", 99999)


def test_a_calendar_that_nobody_has_is_named_with_what_comes_near() -> None:
    with pytest.raises(NotFound, match="there is no calendar 'XSGH'; did you mean XSHG"):
        qflowd.calendar("XSGH")


def test_what_cannot_be_meant_is_refused_with_what_can() -> None:
    shanghai = qflowd.calendar("XSHG")
    with pytest.raises(InvalidRequest, match="no session on 2026-11-21; next_session"):
        shanghai.session("2026-11-21")
    with pytest.raises(InvalidRequest, match="'20261120x' is not a date"):
        shanghai.is_session("20261120x")
    with pytest.raises(InvalidRequest, match="is an instant, not a day; trade_date"):
        shanghai.is_session(datetime(2026, 11, 20, tzinfo=UTC))
    with pytest.raises(InvalidRequest, match="has no time zone"):
        shanghai.trade_date(datetime(2026, 11, 20, 9))  # noqa: DTZ001 - that is what is refused
    with pytest.raises(InvalidRequest, match="n is 0; it counts sessions from 1"):
        shanghai.next_session("2026-11-20", 0)


def test_work_days_have_no_hours() -> None:
    china = qflowd.calendar("CN")
    assert china.kind == "workday"
    make_up = date(2026, 2, 14)  # a Saturday on which offices work and exchanges rest
    assert china.is_session(make_up)
    assert not qflowd.calendar("XSHG").is_session(make_up)
    session = china.session(make_up)
    assert (session.parts, session.open_at, session.close_at) == ((), None, None)


@pytest.mark.parametrize(
    ("name", "instant", "fault"),
    [
        ("XSHG", datetime(9999, 12, 31, 23, tzinfo=UTC), "is past that horizon"),
        ("XNYS", datetime(1, 1, 1, tzinfo=UTC), "begins on 1990-01-01"),
    ],
)
def test_an_instant_that_local_clocks_cannot_show_is_outside(name: str, instant: datetime, fault: str) -> None:
    with pytest.raises(OutsideCalendar, match=fault):
        qflowd.calendar(name).trade_date(instant)

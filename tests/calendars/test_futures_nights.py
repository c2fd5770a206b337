"""Nights and hours of China's futures exchanges, whose files `calendars/FUTURES.md` explains: instants known from notices."""

from collections import Counter
from datetime import date

import pytest

import qflowd
from qflowd import NotFound, resources
from qflowd.calendars import bundled, calendar_file
from tests.support.clock import BEIJING, beijing

EXCHANGES = ("SHFE", "INE", "DCE", "CZCE", "CFFEX", "GFEX")
LATE = date(2019, 12, 26)  # the trade date whose night began late


def night_of(name: str, day: str) -> str:
    """The night of a trade date in Beijing's time; "" without one."""
    if (night := qflowd.calendar(name).session(day).night) is None:
        return ""
    begin, end = (instant.astimezone(BEIJING) for instant in night)
    return f"{begin:%m-%d %H:%M}-{end:%H:%M}"


def hours_of(name: str, day: str) -> str:
    parts = qflowd.calendar(name).session(day).parts
    return " ".join("-".join(f"{instant.astimezone(BEIJING):%H:%M}" for instant in part) for part in parts)


def file_of(exchange: str) -> calendar_file.CalendarFile:
    return calendar_file.parse((resources.folder("calendars") / f"{exchange}.json").read_bytes())


def test_friday_night_belongs_to_monday() -> None:
    rebar = qflowd.calendar("SHFE.rb")
    monday = date(2026, 11, 23)
    assert rebar.trade_date(beijing("2026-11-20T20:59:59")) == date(2026, 11, 20)
    assert rebar.trade_date(beijing("2026-11-20T21:00")) == monday
    assert rebar.trade_date(beijing("2026-11-20T21:05")) == monday
    assert rebar.trade_date(beijing("2026-11-23T09:05")) == monday
    assert rebar.is_open(beijing("2026-11-20T22:59:59"))
    assert not rebar.is_open(beijing("2026-11-20T23:00"))
    assert night_of("SHFE.rb", "2026-11-23") == "11-20 21:00-23:00"


def test_gold_is_traded_until_half_past_two_on_saturday_as_on_other_days() -> None:
    gold = qflowd.calendar("SHFE.au")
    assert gold.trade_date(beijing("2026-11-21T02:29")) == date(2026, 11, 23)
    assert gold.is_open(beijing("2026-11-21T02:29"))
    assert gold.trade_date(beijing("2026-11-21T02:31")) is None
    assert not gold.is_open(beijing("2026-11-21T02:31"))
    assert gold.trade_date(beijing("2026-11-25T02:29")) == date(2026, 11, 25)
    assert not gold.is_open(beijing("2026-11-25T02:31"))


def test_the_evening_before_a_holiday_has_no_night() -> None:
    for name in ("SHFE.rb", "INE.sc", "DCE.m", "CZCE.TA"):
        calendar = qflowd.calendar(name)
        assert calendar.prev_session("2026-10-08") == date(2026, 9, 30)
        assert calendar.trade_date(beijing("2026-09-30T21:05")) is None
        assert not calendar.is_open(beijing("2026-09-30T21:05"))
        assert night_of(name, "2026-10-08") == ""
        assert night_of(name, "2026-10-09").startswith("10-08 21:00-")


def test_a_holiday_on_a_sunday_took_a_night_in_2015() -> None:
    for name, other in (("SHFE.cu", "01:00"), ("DCE.j", "23:30"), ("CZCE.SR", "23:30")):
        assert night_of(name, "2015-09-25") == f"09-24 21:00-{other}"
        assert night_of(name, "2015-09-28") == ""
        assert not qflowd.calendar(name).is_open(beijing("2015-09-25T21:05"))
        assert night_of(name, "2015-09-29") == f"09-28 21:00-{other}"


@pytest.mark.parametrize("name", ["SHFE.ag", "SHFE.fu", "INE.nr", "DCE.i", "DCE.pp", "CZCE.MA", "CZCE.OI"])
def test_there_were_no_nights_from_february_to_may_of_2020(name: str) -> None:
    calendar = qflowd.calendar(name)
    assert night_of(name, "2020-01-23").startswith("01-22 21:00-")
    assert {calendar.session(day).night for day in calendar.sessions("2020-02-03", "2020-05-06")} == {None}
    assert not calendar.is_open(beijing("2020-02-03T21:05"))
    assert night_of(name, "2020-05-07").startswith("05-06 21:00-")


def test_one_night_began_an_hour_and_a_half_late() -> None:
    begun = {name: night_of(name, str(LATE)) for name in ("SHFE.au", "SHFE.zn", "SHFE.rb", "DCE.c", "CZCE.FG")}
    assert begun == {
        "SHFE.au": "12-25 22:30-02:30",
        "SHFE.zn": "12-25 22:30-01:00",
        "SHFE.rb": "12-25 22:30-23:00",
        "DCE.c": "12-25 22:30-23:00",
        "CZCE.FG": "12-25 22:30-23:00",
    }
    assert night_of("SHFE.au", "2019-12-27") == "12-26 21:00-02:30"


@pytest.mark.parametrize(
    ("name", "before", "day", "night"),
    [
        ("SHFE.au", "", "2013-07-08", "07-05 21:00-02:30"),
        ("SHFE.al", "", "2013-12-23", "12-20 21:00-01:00"),
        ("SHFE.ru", "", "2014-12-29", "12-26 21:00-23:00"),
        ("SHFE.hc", "", "2014-12-29", "12-26 21:00-01:00"),
        ("SHFE.hc", "04-28 21:00-01:00", "2016-05-04", "05-03 21:00-23:00"),
        ("SHFE.fu", "", "2018-07-17", "07-16 21:00-23:00"),
        ("DCE.p", "", "2014-07-07", "07-04 21:00-02:30"),
        ("DCE.y", "", "2014-12-29", "12-26 21:00-02:30"),
        ("DCE.y", "05-07 21:00-02:30", "2015-05-11", "05-08 21:00-23:30"),
        ("DCE.y", "03-28 21:00-23:30", "2019-04-01", "03-29 21:00-23:00"),
        ("DCE.eg", "", "2019-04-01", "03-29 21:00-23:00"),
        ("CZCE.CF", "", "2014-12-15", "12-12 21:00-23:30"),
        ("CZCE.ZC", "", "2015-06-12", "06-11 21:00-23:30"),
        ("CZCE.CF", "12-10 21:00-23:30", "2019-12-12", "12-11 21:00-23:00"),
    ],
)
def test_a_change_of_nights_holds_from_its_trade_date_on(name: str, before: str, day: str, night: str) -> None:
    calendar = qflowd.calendar(name)
    earlier = [str(calendar.prev_session(day, n)) for n in (1, 2, 3)]
    latest = next((found for found in (night_of(name, each) for each in earlier) if found), "")
    assert (latest, night_of(name, day)) == (before, night)


def test_products_without_nights_belong_to_the_day_in_the_evening_too() -> None:
    for name in ("SHFE.wr", "INE.ec", "DCE.jd", "DCE.lh", "DCE.lg", "CZCE.AP", "CZCE.UR", "CFFEX.IF", "GFEX.lc"):
        calendar = qflowd.calendar(name)
        assert calendar.trade_date(beijing("2026-11-20T21:05")) == date(2026, 11, 20)
        assert not calendar.is_open(beijing("2026-11-20T21:05"))
        assert {calendar.session(day).night for day in calendar.sessions("2026-01-05", "2026-12-30")} == {None}


@pytest.mark.parametrize(
    ("name", "day", "hours"),
    [
        ("SHFE.rb", "2026-11-20", "09:00-10:15 10:30-11:30 13:30-15:00"),
        ("GFEX.si", "2022-12-22", "09:00-10:15 10:30-11:30 13:30-15:00"),
        ("CFFEX.IF", "2015-12-31", "09:15-11:30 13:00-15:15"),
        ("CFFEX.IF", "2016-01-04", "09:30-11:30 13:00-15:00"),
        ("CFFEX.T", "2020-07-17", "09:15-11:30 13:00-15:15"),
        ("CFFEX.T", "2020-07-20", "09:30-11:30 13:00-15:15"),
        ("CFFEX", "2020-07-17", "09:30-11:30 13:00-15:00"),
    ],
)
def test_hours_of_the_day(name: str, day: str, hours: str) -> None:
    assert hours_of(name, day) == hours


def test_an_unknown_product_is_named_with_what_comes_near() -> None:
    with pytest.raises(NotFound, match=r"there is no calendar 'SHFE\.RB'; did you mean SHFE\.rb"):
        qflowd.calendar("SHFE.RB")


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_a_file_has_each_product_once_and_nights_that_are_those_of_a_group(exchange: str) -> None:
    file = file_of(exchange)
    products = Counter(product for group in file.groups.values() for product in group.products.split())
    assert products
    assert set(products.values()) == {1}
    upper = exchange in {"CZCE", "CFFEX"}
    assert all(product == (product.upper() if upper else product.lower()) for product in products)
    assert file.nights in [group.nights for group in file.groups.values()]
    assert sorted(products) == bundled.products(exchange)


@pytest.mark.parametrize("exchange", EXCHANGES)
def test_nights_change_on_sessions_and_the_days_are_those_of_shanghai(exchange: str) -> None:
    file, calendar, shanghai = file_of(exchange), qflowd.calendar(exchange), qflowd.calendar("XSHG")
    changes = {day for group in file.groups.values() for day in group.nights}
    assert {day for day in changes if not shanghai.is_session(day)} == set()
    assert calendar.last == shanghai.last
    assert calendar.sessions(calendar.first, calendar.last) == shanghai.sessions(calendar.first, calendar.last)

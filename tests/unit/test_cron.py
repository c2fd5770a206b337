"""Cron: what is refused, and when it fires around changes of daylight saving; cronsim is the oracle."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from qflowd.calendars import timetable
from qflowd.model import cron
from qflowd.model.workflow import Schedule

NEW_YORK = "America/New_York"


def next_fires(text, zone, after, count):
    return [fire.at for fire in timetable.next_fires(Schedule(text, zone), after, count)]


def missed_fires(text, zone, after, until, limit):
    return [fire.at for fire in timetable.latest_fires(Schedule(text, zone), after, until, limit)]


def local(fires, zone):
    return [fire.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M%z") for fire in fires]


def at(text, zone="UTC"):
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has 1 field;"),
        ("* * * *", "4 fields"),
        ("0 0 0 1 1 ? 2027", "7 fields"),
        ("@reboot", "@daily"),
        ("60 * * * *", "use 0 to 59"),
        ("0 24 * * *", r"the hour cannot be '24'; use 0 to 23$"),
        ("0 0 0 * *", "use 1 to 31"),
        ("0 0 * 13 *", "use 1 to 12"),
        ("0 0 * * 8", "use 0 to 7"),
        ("*/0 * * * *", "cannot be 0; use 1 to 59"),
        ("*/70 * * * *", r"the step of the minute cannot be 70; use 1 to 59$"),
        ("50-10/5 * * * *", "write the values out"),
        ("0,,5 * * * *", "the minute cannot be "),
        ("-1 * * * *", "the minute cannot be "),
        ("1-2-3 * * * *", "the minute cannot be "),
        ("*-5 * * * *", "the minute cannot be "),
        ("? * * * *", "the minute cannot be "),
        ("٣ * * * *", "the minute cannot be "),
        ("H * * * *", "random times"),
        ("R * * * *", "random times"),
        ("0 0 LW * *", "last working day of a month cannot be written"),
        ("0 0 L-3 * *", "the day of the month cannot be 'l-3'"),
        ("0 0 * * 5L", "written L5"),
        ("0 0 * * 1#6", "the weekday cannot be '1#6'"),
        ("0 0 * * 1/2", "two ways"),
        ("0 0 * * 0-0", "one day or all seven"),
        ("0 0 * * 7-0", "one day or all seven"),
        ("0 0 */2 * 1", "write the days out"),
        ("0 0 1 * */2", "write the days out"),
        ("0 0 1 * 5#1", "combined with another day field"),
        ("0 0 L * 1", "combined with another day field"),
        ("0 0 30 2 *", "never fires"),
        ("0 0 31 4,6 *", "never fires"),
        (5, "has 1 field;"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_the_reason(text, reason):
    with pytest.raises(ValueError, match=reason):
        cron.check(text)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("0 17 * * 1-5", "2026-01-01T17:00:00"),
        ("  0   17 * * mon-FRI ", "2026-01-01T17:00:00"),
        ("*/10 * * * * *", "2026-01-01T00:00:10"),
        ("30 0 17 * * ?", "2026-01-01T17:00:30"),
        ("0 0 ? * 7", "2026-01-04T00:00:00"),
        ("0 0 * * FRI-SUN", "2026-01-02T00:00:00"),
        ("0 22-2 * * *", "2026-01-01T01:00:00"),
        ("0 0 L * *", "2026-01-31T00:00:00"),
        ("0 0 * * 5#2", "2026-01-09T00:00:00"),
        ("0 0 * * L5", "2026-01-30T00:00:00"),
        ("0 0 3W * *", "2026-01-02T00:00:00"),
        ("0 0 13 * 5", "2026-01-02T00:00:00"),
        ("@daily", "2026-01-02T00:00:00"),
        ("@Hourly", "2026-01-01T01:00:00"),
        ("0 0 29 2 *", "2028-02-29T00:00:00"),
    ],
)
def test_what_is_accepted_fires_as_crontab_would(text, first):
    assert next_fires(cron.check(text), "UTC", at("2026-01-01"), 1) == [at(first)]


@pytest.mark.parametrize("text", ["0 0 17 ? * 2-6", "0 30 9 ? * 2#1", "0 0 12 ? * 6,7", "0 0 12 ? * L6"])
def test_six_fields_with_a_question_mark_and_numbers_as_weekdays_are_quartz_and_refused(text):
    with pytest.raises(ValueError, match=r"Quartz.*mon-fri"):
        cron.check(text)


@pytest.mark.parametrize(
    "text", ["0 0 9 1 * ?", "0 0 9 ? * mon-fri", "0 0 9 ? * fri#2", "0 9 ? * 1-5", "0 0 9 * * 1-5"]
)
def test_what_is_read_alike_everywhere_or_has_five_fields_is_accepted(text):
    assert cron.check(text) == text


def test_the_hint_for_the_last_weekday_names_days_not_numbers_of_another_program():
    with pytest.raises(ValueError, match="the last Friday of a month is written L5, the last Sunday L0"):
        cron.check("0 0 17 * * 6L")


@pytest.mark.parametrize("name", ["Asia/Shanhai", "", "../etc/passwd", "/etc/localtime", None, 8, "Asia"])
def test_an_unknown_time_zone_is_refused(name):
    with pytest.raises(ValueError, match="is not a time zone"):
        cron.check_timezone(name)


def test_a_fixed_time_that_is_shown_twice_fires_once_at_the_first():
    fires = next_fires("30 1 * * *", NEW_YORK, at("2026-10-31", NEW_YORK), 3)
    assert local(fires, NEW_YORK) == ["10-31 01:30-0400", "11-01 01:30-0400", "11-02 01:30-0500"]


def test_a_fixed_time_that_is_left_out_fires_at_the_end_of_the_gap():
    fires = next_fires("15,45 2 * * *", NEW_YORK, at("2026-03-08", NEW_YORK), 2)
    assert local(fires, NEW_YORK) == ["03-08 03:00-0400", "03-09 02:15-0400"]


def test_repeated_jobs_run_by_elapsed_time():
    fires = next_fires("*/30 * * * *", NEW_YORK, at("2026-11-01T00:59", NEW_YORK), 5)
    assert {later - earlier for earlier, later in pairwise(fires)} == {timedelta(minutes=30)}
    fires = next_fires("*/30 * * * *", NEW_YORK, at("2026-03-08T01:00", NEW_YORK), 2)
    assert local(fires, NEW_YORK) == ["03-08 01:30-0500", "03-08 03:00-0400"]


def test_a_day_that_a_country_left_out_is_made_up_for_once():
    fires = next_fires("0 9 * * *", "Pacific/Apia", at("2011-12-29T10:00", "Pacific/Apia"), 2)
    assert local(fires, "Pacific/Apia") == ["12-31 00:00+1400", "12-31 09:00+1400"]


# The oracle differs on purpose nowhere in this table: three zones, both changes, six expressions.
@pytest.mark.parametrize(
    "expression", ["30 1 * * *", "30 2 * * *", "0 3 * * *", "*/15 * * * *", "0 * * * *", "*/20 2 * * *"]
)
@pytest.mark.parametrize(
    ("zone", "begin"),
    [
        (NEW_YORK, "2026-03-07"),
        (NEW_YORK, "2026-10-31"),
        ("Europe/Berlin", "2026-03-28"),
        ("Europe/Berlin", "2026-10-24"),
        ("Australia/Sydney", "2026-04-04"),
        ("Australia/Sydney", "2026-10-03"),
    ],
)
def test_daylight_saving_agrees_with_the_oracle(expression, zone, begin):
    start = at(begin, zone)
    oracle = CronSim(expression, start)
    end = start + timedelta(days=3)
    expected = []
    while (fire := next(oracle)) < end:
        expected.append(fire.astimezone(UTC))
    found = missed_fires(expression, zone, start, end - timedelta(seconds=1), 10_000)
    assert found == sorted(set(expected))
    assert found == next_fires(expression, zone, start, len(found))


def test_what_a_stopped_daemon_missed_is_found_again():
    start, end = at("2026-10-31T23:30", NEW_YORK), at("2026-11-01T02:30", NEW_YORK)
    assert local(missed_fires("30 1 * * *", NEW_YORK, start, end, 10), NEW_YORK) == ["11-01 01:30-0400"]
    assert len(missed_fires("0 * * * *", NEW_YORK, start, end, 10)) == 4
    assert local(missed_fires("0 * * * *", NEW_YORK, start, end, 2), NEW_YORK) == [
        "11-01 01:00-0500",
        "11-01 02:00-0500",
    ]
    assert missed_fires("0 12 * * *", NEW_YORK, start, end, 10) == []
    noon = at("2026-10-31T12:00", NEW_YORK)
    assert missed_fires("0 12 * * *", NEW_YORK, start - timedelta(days=400), end, 1) == [noon]


def test_a_window_is_open_at_its_begin_and_closed_at_its_end():
    start = at("2026-01-01T00:00")
    assert missed_fires("0 0 * * *", "UTC", start, start + timedelta(days=1), 9) == [start + timedelta(days=1)]


ITEM = {
    name: st.one_of(
        st.just("*"),
        st.integers(low, high).map(str),
        st.tuples(st.integers(low, high), st.integers(low, high)).map(lambda pair: f"{min(pair)}-{max(pair)}"),
        st.integers(2, high // 2).map(lambda step: f"*/{step}"),
        st.lists(st.integers(low, high), min_size=1, max_size=3).map(lambda numbers: ",".join(map(str, numbers))),
    )
    for name, low, high in (("minute", 0, 59), ("hour", 0, 23), ("day", 1, 28), ("month", 1, 12), ("weekday", 0, 7))
}


@settings(max_examples=80)
@given(st.tuples(*ITEM.values()).map(" ".join), st.integers(0, 3 * 365 * 86400))
def test_any_plain_expression_agrees_with_the_oracle(expression, start):
    try:
        cron.check(expression)
    except ValueError:
        return
    start = at("2024-01-01") + timedelta(seconds=start)
    oracle = CronSim(expression, start)
    found = next_fires(expression, "UTC", start, 5)
    assert found == [next(oracle) for _ in range(5)]
    assert missed_fires(expression, "UTC", start, found[-1], 100) == found


@pytest.mark.parametrize(
    ("around", "listed"),
    [
        *(
            (f"0 0 * * {low}-{high}", f"0 0 * * {','.join(str(d % 7) for d in range(low, high + 8))}")
            for low in range(2, 7)
            for high in range(low)
        ),
        *((f"0 0 * * {low}-7", f"0 0 * * {','.join(str(d % 7) for d in range(low, 8))}") for low in range(7)),
        ("0 22-2 * * *", "0 22,23,0,1,2 * * *"),
        ("50-10 0 * * *", f"{','.join(map(str, [*range(50, 60), *range(11)]))} 0 * * *"),
        ("0 0 1 nov-feb *", "0 0 1 11,12,1,2 *"),
        ("0 0 28-3 * *", "0 0 28,29,30,31,1,2,3 * *"),
    ],
)
def test_a_range_over_the_end_means_what_it_says(around, listed):
    start = at("2026-01-01")
    assert next_fires(cron.check(around), "UTC", start, 40) == next_fires(listed, "UTC", start, 40)

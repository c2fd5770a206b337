"""Schedules by the sessions of a calendar, on a set clock: when they fire, for which day, and where they stop."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

import qflowd
from qflowd.define.builders import TaskBuilder, WorkflowBuilder
from qflowd.define.workflow_file import parse
from qflowd.engine.calendars.replanning import replan
from qflowd.engine.definitions.schedules import IDLE_S
from qflowd.engine.definitions.workflow_store import canonical
from qflowd.model.errors import InvalidWorkflow
from tests.support.clock import BEIJING
from tests.support.desk import Desk

NEW_YORK, HONG_KONG = map(ZoneInfo, ("America/New_York", "Asia/Hong_Kong"))
FRIDAY = datetime(2026, 11, 20, 12, tzinfo=BEIJING)


@pytest.fixture
def desk(lab):
    return Desk(lab)


def fired(desk, zone):
    """Local times of what has fired, and the business dates of the submissions."""
    dates = [str(row[0])[:10] for row in desk.sql("SELECT business_date FROM qflow.submissions ORDER BY id")]
    return [(f"{at.astimezone(zone):%m-%d %H:%M}", day) for at, day in zip(desk.fires(), dates, strict=True)]


def fire_next(desk, times):
    """Let the clock come to what is next, so many times."""
    for _ in range(times):
        desk.tick(desk.schedule().next_fire_at)


@pytest.mark.parametrize(
    ("schedule", "begin", "zone", "expected"),
    [
        (
            "{at: close+30m, calendar: XSHG}",
            FRIDAY,
            BEIJING,
            [("11-20 15:30", "2026-11-20"), ("11-23 15:30", "2026-11-23"), ("11-24 15:30", "2026-11-24")],
        ),
        (  # over the National Day
            "{at: open-10m, calendar: XSHG}",
            datetime(2026, 9, 30, 12, tzinfo=BEIJING),
            BEIJING,
            [("10-08 09:20", "2026-10-08"), ("10-09 09:20", "2026-10-09"), ("10-12 09:20", "2026-10-12")],
        ),
        (  # half days move the close: Christmas Eve and New Year's Eve of 2025
            "{at: close+30m, calendar: XHKG, days: last session of year}",
            datetime(2024, 6, 1, tzinfo=HONG_KONG),
            HONG_KONG,
            [("12-31 12:30", "2024-12-31"), ("12-31 12:30", "2025-12-31")],
        ),
        (  # the day after Thanksgiving closes at 13:00; Thanksgiving has no session
            "{at: close+1h, calendar: XNYS}",
            datetime(2026, 11, 25, 12, tzinfo=NEW_YORK),
            NEW_YORK,
            [("11-25 17:00", "2026-11-25"), ("11-27 14:00", "2026-11-27"), ("11-30 17:00", "2026-11-30")],
        ),
        (  # Friday's night is Monday's
            "{at: night_open-15m, calendar: SHFE.rb}",
            FRIDAY,
            BEIJING,
            [("11-20 20:45", "2026-11-23"), ("11-23 20:45", "2026-11-24")],
        ),
        (  # the evening before a holiday has no night
            "{at: night_open-15m, calendar: SHFE.rb}",
            datetime(2026, 9, 29, 12, tzinfo=BEIJING),
            BEIJING,
            [("09-29 20:45", "2026-09-30"), ("10-08 20:45", "2026-10-09")],
        ),
        (  # a clock, on days with a session alone; no session makes no run
            "{cron: '0 17 * * *', timezone: Asia/Shanghai, calendar: XSHG}",
            FRIDAY,
            BEIJING,
            [("11-20 17:00", "2026-11-20"), ("11-23 17:00", "2026-11-23")],
        ),
        (  # the zone that nobody names is the exchange's; 05:00 in Beijing is yesterday's session in New York
            "{cron: '0 5 * * *', timezone: Asia/Shanghai, calendar: XNYS}",
            FRIDAY,
            BEIJING,
            [("11-21 05:00", "2026-11-20"), ("11-24 05:00", "2026-11-23")],
        ),
        (
            "{cron: '5 21 * * *', calendar: SHFE.rb}",
            FRIDAY,
            BEIJING,
            [("11-20 21:05", "2026-11-23"), ("11-23 21:05", "2026-11-24")],
        ),
        (
            "{at: close, calendar: XSHG, days: last session of month}",
            FRIDAY,
            BEIJING,
            [("11-30 15:00", "2026-11-30"), ("12-31 15:00", "2026-12-31")],
        ),
        (
            "{cron: '0 8 * * *', calendar: XSHG, days: 2nd session of week}",
            datetime(2026, 10, 5, tzinfo=BEIJING),
            BEIJING,
            [("10-09 08:00", "2026-10-09"), ("10-13 08:00", "2026-10-13")],
        ),
        (  # a recorder's window: before the night it is for the day of the night, in the day session for that day
            "{cron: '50,20 * * * *', calendar: SHFE.rb, window: 08:50-15:20 20:50-02:35}",
            datetime(2026, 11, 20, 14, 55, tzinfo=BEIJING),
            BEIJING,
            [("11-20 15:20", "2026-11-20"), ("11-20 20:50", "2026-11-23"), ("11-20 21:20", "2026-11-23")],
        ),
        (  # over midnight, and over the weekend
            "{cron: '30 * * * *', calendar: SHFE.au, window: 20:50-02:35}",
            datetime(2026, 11, 21, 0, 0, tzinfo=BEIJING),
            BEIJING,
            [
                ("11-21 00:30", "2026-11-23"),
                ("11-21 01:30", "2026-11-23"),
                ("11-21 02:30", "2026-11-23"),
                ("11-23 21:30", "2026-11-24"),
            ],
        ),
        (  # no night before the National Day: neither its beginning nor what comes before it
            "{cron: '55 20,21 * * *', calendar: SHFE.au, window: 20:50-02:35}",
            datetime(2026, 9, 29, 12, tzinfo=BEIJING),
            BEIJING,
            [("09-29 20:55", "2026-09-30"), ("09-29 21:55", "2026-09-30"), ("10-08 20:55", "2026-10-09")],
        ),
        (  # a window without a calendar
            "{cron: '0 */3 * * *', timezone: Asia/Shanghai, window: 22:00-06:00}",
            FRIDAY,
            BEIJING,
            [
                ("11-21 00:00", "2026-11-21"),
                ("11-21 03:00", "2026-11-21"),
                ("11-21 06:00", "2026-11-21"),
                ("11-22 00:00", "2026-11-22"),
            ],
        ),
        (  # a make-up Saturday is a working day
            "{cron: '0 9 * * *', calendar: CN}",
            datetime(2026, 2, 13, 12, tzinfo=BEIJING),
            BEIJING,
            [("02-14 09:00", "2026-02-14"), ("02-24 09:00", "2026-02-24")],
        ),
    ],
)
def test_a_schedule_fires_by_sessions_and_for_their_days(desk, schedule, begin, zone, expected):
    desk.clock.time = begin.astimezone(UTC)
    desk.define(schedule)
    fire_next(desk, len(expected))
    assert fired(desk, zone) == expected


def test_a_schedule_by_session_takes_the_calendar_of_its_workflow_and_a_clock_does_not(desk):
    desk.clock.time = FRIDAY.astimezone(UTC)
    desk.define("{at: close}", calendar="XHKG")
    assert (desk.schedule().calendar, desk.schedule().timezone) == ("XHKG", "Asia/Hong_Kong")
    desk.define("{cron: '0 17 * * *'}", calendar="XHKG")
    assert (desk.schedule().calendar, desk.schedule().timezone) == ("", "UTC")


def test_a_workflow_that_a_program_makes_is_stored_with_its_schedule_by_session():
    workflow = WorkflowBuilder("w").with_sessions("XSHG", "close").with_task(TaskBuilder("a", "work")).build()
    assert (workflow.schedule.at, workflow.schedule.calendar) == ("close", "XSHG")
    assert parse(canonical(workflow), "json", "w").schedule == workflow.schedule


def test_blanks_are_not_stored(desk):
    desk.clock.time = FRIDAY.astimezone(UTC)
    blanks = " " * 80
    desk.define(f"{{at: 'close{blanks}+ 30m', calendar: XSHG, days: 'last{blanks}session of month'}}")
    assert desk.schedule().times == "close+30m, last session of month"


def test_what_was_missed_is_what_the_calendar_has(desk):
    desk.clock.time = FRIDAY.astimezone(UTC)
    desk.define("{at: close+30m, calendar: XSHG, catchup: all(2)}")
    desk.tick(datetime(2026, 11, 26, 3, tzinfo=UTC))  # Thursday before the close: four sessions later
    assert fired(desk, BEIJING) == [("11-24 15:30", "2026-11-24"), ("11-25 15:30", "2026-11-25")]
    assert desk.schedule().next_fire_at == datetime(2026, 11, 26, 7, 30, tzinfo=UTC)


def test_past_the_horizon_a_schedule_holds_and_says_so(desk):
    shanghai = qflowd.calendar("XSHG")
    last = shanghai.sessions_of("month", shanghai.last)[-1]
    close = shanghai.session(last).close_at
    desk.clock.time = close - timedelta(minutes=1)
    desk.define("{at: close, calendar: XSHG}")
    assert desk.tick(close) == IDLE_S
    assert desk.fires() == [close]
    row = desk.schedule()
    assert row.next_fire_at is None
    assert row.wait_reason == "what comes next is past the horizon of calendar XSHG; update qflowd"
    assert desk.tick(close + timedelta(days=400)) == IDLE_S
    assert desk.fires() == [close]


def test_a_daemon_that_begins_plans_by_what_it_knows_of_the_calendar(desk):
    desk.clock.time = FRIDAY.astimezone(UTC)
    desk.define("{at: close, calendar: XSHG}")
    wanted, overdue = desk.schedule().next_fire_at, FRIDAY - timedelta(hours=1)
    # By an older release it was past the horizon, or on a day that has become a holiday.
    for stored, expected in ((None, wanted), (FRIDAY + timedelta(days=30), wanted), (overdue, overdue)):
        store_next_fire(desk, stored)
        desk.store.transact(replan)
        assert desk.schedule().next_fire_at == expected


def test_a_schedule_by_a_calendar_that_this_release_does_not_have_delays_no_other(desk):
    desk.clock.time = FRIDAY.astimezone(UTC)
    desk.define("{at: close, calendar: XSHG}", key="shanghai")
    desk.define("{at: close, calendar: XHKG}", key="hong_kong")
    desk.sql("UPDATE qflow.schedule SET calendar = 'XMARS' WHERE calendar = 'XHKG'")
    desk.tick(datetime(2026, 11, 20, 7, tzinfo=UTC))
    desk.tick(datetime(2026, 11, 20, 8, tzinfo=UTC))
    assert error_of(desk, "hong_kong") is None  # a daemon that has it may be about to fire
    desk.tick(datetime(2026, 11, 20, 8, 2, tzinfo=UTC))
    assert [row[0] for row in desk.sql("SELECT workflow FROM qflow.submissions")] == ["shanghai"]
    assert (
        error_of(desk, "hong_kong")
        == "schedule 'close' by calendar XMARS: there is no calendar 'XMARS'; did you mean XNAS?"
    )


def test_what_a_newer_release_has_planned_is_left_to_it(desk):
    last = datetime.combine(qflowd.calendar("XSHG").last, time(23), BEIJING)
    beyond = last + timedelta(days=4)
    desk.clock.time = last.astimezone(UTC)
    desk.define("{at: close, calendar: XSHG, catchup: all(5)}")
    store_next_fire(desk, beyond)
    desk.tick()
    assert desk.schedule().next_fire_at == beyond
    assert desk.tick(beyond) < IDLE_S
    assert error_of(desk) is None  # a daemon that knows it may fire it at this moment
    assert desk.tick(beyond + timedelta(minutes=2)) == IDLE_S
    assert (desk.fires(), desk.schedule().next_fire_at) == ([], beyond)
    assert "past that horizon" in error_of(desk)


def error_of(desk, key="daily"):
    [[error]] = desk.sql(f"SELECT error FROM qflow.workflows WHERE workflow = '{key}'")
    return error


@pytest.mark.parametrize("column", ["session_time", "session_days", "timezone"])
def test_a_schedule_in_words_that_this_release_does_not_know_delays_no_other(desk, column):
    desk.clock.time = FRIDAY.astimezone(UTC)
    desk.define("{at: open, calendar: XSHG, days: last session of month}")
    desk.sql(f"UPDATE qflow.schedule SET {column} = 'XNEW', cron = '' WHERE calendar = 'XSHG'")
    desk.define("{at: close, calendar: XHKG}", key="good")
    close = FRIDAY.replace(hour=16)
    desk.tick(close)
    assert desk.fires() == [close]


def store_next_fire(desk, at):
    [[number]] = desk.sql("SELECT definition_id FROM qflow.schedule")
    plan = {"next_fire_at": at, "held_at": None, "facts_since_at": None}
    desk.store.transact(lambda tx: tx.run("set_next_fire", definition_id=number, name="cron", **plan))


def test_the_view_says_when_in_words(desk):
    desk.clock.time = FRIDAY.astimezone(UTC)
    desk.define("{at: close+30m, calendar: XSHG, days: last session of month}")
    row = desk.schedule()
    assert (row.cron, row.timezone, row.calendar) == ("", "Asia/Shanghai", "XSHG")
    assert (row.session_time, row.session_days) == ("close+30m", "last session of month")
    assert row.times == "close+30m, last session of month"
    desk.define("{cron: '0 17 * * *', calendar: XSHG}")
    assert desk.schedule().times == "0 17 * * *"


@pytest.mark.parametrize(
    ("schedule", "fault"),
    [
        ("{at: close, calendar: XSHG, window: 09:00-12:00}", "schedule.window: is for cron; `at` says when"),
        (
            "{cron: '0,30 3-20 1 * mon', window: 20:50-02:35}",
            "schedule.window: holds no time of day of '0,30 3-20 1 * mon', so it would never fire",
        ),
        ("{cron: '@daily', window: 00:30-01:00}", "schedule.window: holds no time of day of '@daily'"),
        ("{cron: '0 1 * * *', window: 9-12}", "schedule.window: '9' is not a time of day; write hours as 09:30-11:30"),
        ("{cron: '0 1 * * *', window: 20:50-02:35 01:00-03:00}", "a part begins before the one before it has ended"),
        ("{cron: '0 9 * * *', window: 08:50-15:20 20:50-10:00}", "the last part runs into the first of the next day"),
        ("{at: close+30m, calendar: XSGH}", "schedule.calendar: there is no calendar 'XSGH'; did you mean XSHG"),
        ("{at: close+30m}", "schedule.at: needs a calendar beside it, such as calendar: XSHG"),
        ("{cron: '0 1 * * *', days: last session of month}", "schedule.days: needs a calendar beside it"),
        ("{at: close+30m, calendar: null}", "schedule.at: needs a calendar beside it, such as calendar: XSHG"),
        ("{at: null, calendar: XSHG}", "schedule.cron: is missing; write cron, or at beside a calendar"),
        ("{calendar: XSHG}", "schedule.cron: is missing; write cron, or at beside a calendar"),
        ("{cron: '0 1 * * *', at: close, calendar: XSHG}", "schedule.at: stands beside cron; one of the two says when"),
        ("{at: shut+30m, calendar: XSHG}", "'shut+30m' is not a time of a session; write it like close+30m"),
        ("{at: close+30, calendar: XSHG}", '30 has no unit; write "30m" for minutes'),
        (f"{{at: close+{'0' * 60}30m, calendar: XSHG}}", "at most 64 are allowed"),
        ("{at: close+25h, calendar: XSHG}", "'close+25h' leaves the session: an offset is less than 24h"),
        ("{at: night_open, calendar: CFFEX}", "schedule.at: CFFEX has no night sessions, so it would never fire"),
        ("{at: close, calendar: CN}", "schedule.at: CN has days without hours; use cron beside calendar: CN"),
        ("{at: close, calendar: XSHG, timezone: UTC}", "schedule.timezone: is that of the calendar, Asia/Shanghai"),
        (
            "{at: close, calendar: XSHG, days: 0th session of week}",
            "names no sessions; write it like first session of month",
        ),
        ("{at: close, calendar: XSHG, days: mondays}", "'mondays' names no sessions; write it like"),
        (
            "{cron: '0 9 * * sun', calendar: XSHG}",
            "schedule.cron: '0 9 * * sun' never fires: none of its times is on a session of XSHG",
        ),
        (
            "{at: close, calendar: XSHG, days: 9th session of week}",
            "schedule.days: '9th session of week' never fires: XSHG has no such session at these times",
        ),
    ],
)
def test_a_fault_in_a_schedule_by_session_is_named(desk, schedule, fault):
    with pytest.raises(InvalidWorkflow) as raised:
        desk.define(schedule)
    assert fault in str(raised.value)

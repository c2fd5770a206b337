"""Commands on schedules, on a set clock: on and off, fire now, another time than the file says; and what was missed."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

import qflowd
from qflowd.calendars.calendar_book import CalendarBook
from qflowd.engine.calendars.replanning import replan
from qflowd.engine.definitions.due_fires import MOST_MISSED
from tests.support.clock import BEIJING, MONDAY
from tests.support.desk import Desk
from tests.support.services import admit_all

TWO = '{morning: "0 9 * * *", evening: "0 21 * * *"}'


@pytest.fixture
def desk(lab):
    desk = Desk(lab)
    desk.lab = lab
    return desk


def at(hour, minute=0):
    return MONDAY + timedelta(hours=hour, minutes=minute)


def define(desk, schedules, head=""):
    desk.store_text(f"workflow: daily\n{head}schedules: {schedules}\ntasks: {{a: {{job: j}}}}\n")


def done(desk, action, args=None, **more):
    state, result = desk.lab.command(action, workflow="daily", args=None if args is None else json.dumps(args), **more)
    assert state == "DONE", result
    return result


def refused(desk, action, args=None):
    state, error = desk.lab.command(action, workflow="daily", args=None if args is None else json.dumps(args))
    assert state == "REJECTED"
    return error


def rows(desk, columns="name, enabled, times, source"):
    return [tuple(row) for row in desk.sql(f"SELECT {columns} FROM qflow.schedules ORDER BY name")]


def fires(desk):
    """Schedule, local hour, state, business date of each."""
    found = desk.store.read(lambda tx: tx.run("list_fires", tenant="default", workflow="daily", batch=500))
    return [(row.schedule, f"{utc(row.fire_at):%d %H:%M}", row.state, str(row.business_date)) for row in found[::-1]]


def utc(instant):
    return datetime.fromisoformat(instant) if isinstance(instant, str) else instant


def test_one_of_several_is_switched_and_the_others_stay(desk):
    define(desk, TWO)
    assert done(desk, "disable", {"schedule": "morning"}) == {
        "workflow": "daily",
        "schedule": "morning",
        "enabled": False,
    }
    assert rows(desk, "name, enabled") == [("evening", 1), ("morning", 0)]
    desk.tick(at(9))
    desk.tick(at(21))
    assert fires(desk) == [("evening", "05 21:00", "NEW", "2026-01-05")]
    assert done(desk, "disable") == {"workflow": "daily", "enabled": False}
    assert rows(desk, "name, enabled") == [("evening", 0), ("morning", 0)]
    done(desk, "enable", {"schedule": "morning"})
    assert rows(desk, "name, enabled") == [("evening", 0), ("morning", 1)]
    assert refused(desk, "enable", {"schedule": "mornin"}) == (
        "workflow 'daily' has no schedule 'mornin'; did you mean morning?"
    )
    assert refused(desk, "fire") == "workflow 'daily' has 2 schedules: evening, morning; name one by args.schedule"


def test_fired_by_hand_it_submits_what_it_would_and_keeps_its_times(desk):
    define(
        desk,
        '{night: {cron: "0 21 * * *", timezone: Asia/Shanghai, params: {part: pm}, enabled: false}}',
        "params: {part: {default: am}}\n",
    )
    before = desk.schedule()
    desk.clock.time = at(17)  # it is the next day in Shanghai
    result = done(desk, "fire", {}, requested_by="anna")
    assert (result["schedule"], result["business_date"]) == ("night", "2026-01-06")
    desk.clock.advance(1)
    done(desk, "fire", {"schedule": "night", "business_date": "2026-01-02"})
    admit_all(desk.store)
    found = desk.sql("SELECT id, trigger_type, schedule, params, fire_at FROM qflow.workflow_instance ORDER BY id")
    assert (found[0][0], *found[0][1:3], json.loads(found[0][3])) == (
        result["submission_id"],
        "cron",
        "night",
        {"part": "pm"},
    )
    assert desk.sql("SELECT submitted_by FROM qflow.submissions ORDER BY id") == [("anna",), ("command",)]
    assert desk.schedule().next_fire_at == before.next_fire_at
    assert [row[3] for row in fires(desk)] == ["2026-01-06", "2026-01-02"]
    assert "is not a date" in refused(desk, "fire", {"business_date": "friday"})


@pytest.mark.parametrize(
    ("calendar", "now", "day"),
    [
        ("XSHG", "2026-11-20 12:00", "2026-11-20"),
        ("XSHG", "2026-11-21 12:00", "2026-11-20"),  # Saturday: the latest that was
        ("SHFE.rb", "2026-11-20 21:30", "2026-11-23"),  # Friday's night is Monday's
        ("SHFE.rb", "2026-09-30 21:30", "2026-09-30"),  # no night before the National Day
    ],
)
def test_what_is_fired_by_hand_is_for_the_session_of_then_or_the_latest(desk, calendar, now, day):
    desk.clock.time = datetime.fromisoformat(now).replace(tzinfo=BEIJING).astimezone(UTC)
    define(desk, f"{{a: {{cron: '0 17 * * *', calendar: {calendar}}}}}")
    assert done(desk, "fire")["business_date"] == day


def test_a_time_set_by_a_command_holds_until_the_file_changes_and_says_so(desk):
    define(desk, '{morning: {cron: "0 9 * * *", catchup: last}, evening: "0 21 * * *"}')
    set_it = {"schedule": "morning", "cron": "30 10 * * *"}
    result = done(desk, "set_schedule", set_it, requested_by="anna", reason="vendor is late")
    assert result == {"workflow": "daily", "schedule": "morning", "times": "30 10 * * * UTC"}
    said = "name, cron, catchup, source, set_by, set_reason, file_says"
    assert rows(desk, said)[1] == (
        "morning",
        "30 10 * * *",
        "last",
        "command",
        "anna",
        "vendor is late",
        "0 9 * * * UTC",
    )
    # Another text of the file, with the same schedule; then another schedule beside it.
    define(desk, '{morning: {cron: "0 9 * * *", catchup: last}, evening: "0 21 * * *"}', "title: New\n")
    define(desk, '{morning: {cron: "0 9 * * *", catchup: last}, evening: "0 22 * * *"}')
    assert rows(desk, "cron, set_by") == [("0 22 * * *", None), ("30 10 * * *", "anna")]
    desk.tick(at(9))
    desk.tick(at(10, 30))
    assert fires(desk) == [("morning", "05 10:30", "NEW", "2026-01-05")]
    define(desk, '{morning: {cron: "0 8 * * *", catchup: last}, evening: "0 22 * * *"}')
    assert rows(desk, said)[1] == ("morning", "0 8 * * *", "last", "file", None, None, None)


def test_what_was_set_is_reset_and_a_switch_stays(desk):
    define(desk, '{a: "0 9 * * *"}')
    done(desk, "disable")
    done(desk, "set_schedule", {"cron": "0 10 * * *", "timezone": "Asia/Shanghai"})
    assert rows(desk, "times, timezone, enabled") == [("0 10 * * *", "Asia/Shanghai", 0)]
    done(desk, "set_schedule", {"cron": "0 11 * * *"})
    assert rows(desk, "times, timezone") == [("0 11 * * *", "UTC")], "what is left out is as the file says"
    assert done(desk, "reset_schedule") == {"workflow": "daily", "schedule": "a", "times": "0 9 * * * UTC"}
    assert rows(desk, "times, timezone, enabled, set_by") == [("0 9 * * *", "UTC", 0, None)]
    assert (
        refused(desk, "reset_schedule") == "schedule 'a' of workflow 'daily' is as its file says: no command has set it"
    )
    done(desk, "set_schedule", {"cron": "0 9 * * *"})
    assert rows(desk, "set_by") == [(None,)], "it is what the file says"


def test_who_has_disabled_it_is_said_until_it_is_enabled_and_when_its_file_undoes_it(desk, caplog):
    define(desk, '{a: "0 9 * * *", b: "0 10 * * *"}')
    desk.clock.time = at(8)
    done(desk, "disable", {"schedule": "a"}, requested_by="anna", reason="exchange closed")
    done(desk, "disable", {"schedule": "b"})
    assert rows(desk, "name, wait_reason") == [
        ("a", "it is disabled by anna since 2026-01-05T08:00:00Z: exchange closed"),
        ("b", "it is disabled since 2026-01-05T08:00:00Z"),
    ]
    done(desk, "enable", {"schedule": "b"})
    assert rows(desk, "wait_reason") == [
        ("it is disabled by anna since 2026-01-05T08:00:00Z: exchange closed",),
        (None,),
    ]
    done(desk, "set_schedule", {"schedule": "a", "cron": "0 11 * * *"}, requested_by="ben")
    caplog.clear()
    define(desk, '{a: {cron: "0 8 * * *", enabled: false}, b: "0 10 * * *"}')
    assert [record.message for record in caplog.records] == [
        (
            "workflow daily: schedule a is as its file says, which has changed: anna had disabled it on 2026-01-05 08:00:00 UTC, "
            "ben had set it to 0 11 * * * UTC on 2026-01-05 08:00:00 UTC"
        )
    ]
    assert rows(desk, "wait_reason") == [("it is disabled",), (None,)]


def test_sessions_take_the_place_of_a_clock_and_back(desk):
    define(desk, "{a: {cron: '0 17 * * *', timezone: America/New_York, window: '16:00-18:00'}}", "calendar: XSHG\n")
    done(desk, "set_schedule", {"at": "close+30m"})
    columns = "cron, times, calendar, timezone, day_window"
    assert rows(desk, columns) == [("", "close+30m", "XSHG", "Asia/Shanghai", "")]
    done(desk, "set_schedule", {"at": "close+1h", "calendar": "XHKG", "catchup": "all(3)"})
    assert rows(desk, f"{columns}, catchup") == [("", "close+1h", "XHKG", "Asia/Hong_Kong", "", "all(3)")]
    done(desk, "set_schedule", {"window": ""})
    assert rows(desk, columns) == [("0 17 * * *", "0 17 * * *", "", "America/New_York", "")]
    done(desk, "reset_schedule")
    assert rows(desk, columns) == [("0 17 * * *", "0 17 * * *, 16:00-18:00", "", "America/New_York", "16:00-18:00")]


@pytest.mark.parametrize(
    ("args", "fault"),
    [
        ({}, "args: say when it fires: cron, at, timezone, calendar, days, window, catchup, as in a file"),
        ({"cron": "61 * * * *"}, "schedule.cron: "),
        ({"crom": "0 9 * * *"}, "args.crom: unknown key"),
        ({"at": "close"}, "needs a calendar beside it"),
        ({"calendar": "XMARS"}, "there is no calendar 'XMARS'"),
        ({"cron": ""}, "schedule.cron: is missing"),
    ],
)
def test_a_time_that_cannot_be_is_refused_and_nothing_changes(desk, args, fault):
    define(desk, '{a: "0 9 * * *"}')
    before = rows(desk)
    assert fault in refused(desk, "set_schedule", args)
    assert rows(desk) == before


def test_what_was_missed_is_listed_with_its_day(desk):
    define(desk, "{a: {cron: '0 9-12 * * *', catchup: last}, b: {cron: '0 9-12 * * *', timezone: Asia/Shanghai}}")
    desk.tick(at(12, 30))
    day = "2026-01-05"
    assert fires(desk) == [
        *(("b", f"05 0{hour}:00", "MISSED", day) for hour in (1, 2, 3, 4)),
        *(("a", f"05 {hour}:00", "MISSED", day) for hour in ("09", 10, 11)),
        ("a", "05 12:00", "NEW", day),
    ]
    desk.tick(at(13))
    assert len(fires(desk)) == 8, "they are noted once"


def test_of_many_that_were_missed_the_latest_are_listed(desk):
    define(desk, '{a: "* * * * *"}')
    desk.tick(MONDAY + timedelta(days=2))
    found = fires(desk)
    assert (len(found), found[-2][1:3], found[-1][1:3]) == (
        MOST_MISSED + 1 + 1,
        ("06 23:59", "NEW"),
        ("07 00:00", "NEW"),
    )
    assert found[0][1:3] == ("06 20:39", "MISSED")


def test_what_was_off_was_not_missed(desk):
    define(desk, '{a: "0 * * * *"}')
    done(desk, "disable")
    desk.clock.time = at(5, 30)
    done(desk, "enable")
    desk.tick()
    assert fires(desk) == []


@pytest.mark.parametrize(("catchup", "made_up"), [("none", 0), ("last", 1), ("all(2)", 2)])
def test_what_passed_while_a_schedule_held_is_made_up_for_as_catchup_says(desk, monkeypatch, catchup, made_up):
    """Its calendar knew no more; then a release comes that does."""
    sessions = qflowd.calendar("XSHG")
    last, *coming = sessions.sessions(date(2026, 11, 19), date(2026, 11, 25))
    desk.clock.time = datetime.combine(last, datetime.min.time(), UTC)
    shorter = replace(sessions, days=sessions.days.within("XSHG", sessions.first, last))
    monkeypatch.setattr(CalendarBook, "calendar", lambda book, name: shorter)
    define(desk, f"{{a: {{at: close, calendar: XSHG, catchup: {catchup}}}}}")
    desk.tick(desk.schedule().next_fire_at)
    assert "past the horizon" in desk.schedule().wait_reason
    monkeypatch.undo()
    desk.clock.time = datetime(2026, 11, 25, 12, tzinfo=UTC)
    desk.store.transact(replan)
    desk.tick()
    states = [row[2] for row in fires(desk)]
    assert states == ["NEW", *["MISSED"] * (len(coming) - made_up), *["NEW"] * made_up]
    assert [row[3] for row in fires(desk)] == [str(day) for day in (last, *coming)]
    assert desk.schedule().next_fire_at == sessions.session("2026-11-26").close_at


def test_a_schedule_by_session_that_is_switched_on_fires_by_what_the_tenant_says_of_its_calendar(desk):
    define(desk, "{close: {at: close+30m, calendar: XSHG}}")
    done(desk, "disable")
    day = {"calendar": "XSHG", "day": str(MONDAY.date()), "kind": "half", "close": "11:00"}
    assert desk.lab.command("override_day", args=json.dumps(day), reason="storm")[0] == "DONE"
    done(desk, "enable")
    assert [f"{utc(instant).astimezone(BEIJING):%d %H:%M}" for (instant,) in rows(desk, "next_fire_at")] == ["05 11:30"]

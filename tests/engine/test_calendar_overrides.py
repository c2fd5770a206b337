"""Overrides of days of a calendar: what they do to schedules and expressions, and what is refused, on a set clock."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest

import qflowd
from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.calendars import calendar_books
from qflowd.engine.definitions.schedules import Schedules
from qflowd.engine.plans.gather import gather
from qflowd.engine.plans.render import render
from qflowd.engine.service import Topics
from tests.support.clock import BEIJING
from tests.support.desk import Desk

MONDAY = datetime(2026, 11, 23, 8, tzinfo=BEIJING)


@pytest.fixture
def desk(lab):
    lab.clock.time = MONDAY.astimezone(UTC)
    desk = Desk(lab)
    desk.clock = lab.store.clock = lab.clock
    return desk


@pytest.fixture
def client(lab):
    return Client(DatabaseTransport(lab.store))


def override(lab, day, kind, calendar="XSHG", reason="typhoon", tenant="default", **more):
    args = {"calendar": calendar, "day": day, "kind": kind, **more}
    return lab.command("override_day", args=json.dumps(args), reason=reason, requested_by="ann", tenant=tenant)


def restore(lab, day, calendar="XSHG"):
    return lab.command("restore_day", args=json.dumps({"calendar": calendar, "day": day}))


def sent_params(lab):
    """What is sent for the only task that is ready, which succeeds."""
    [row] = lab.claim()
    lane = lab.lane(lab.column("task_instance", "lane", row.id))

    def gather_row(tx):
        lab.instances.load_claimed(tx, [row])
        return gather(tx, lab.instances, (lane, [row]))

    [group], _ = render(lab.store.read(gather_row), None)
    lab.finish(lab.final(row))
    return json.loads(group.assignments[0].params)


def beijing(at):
    return f"{at.astimezone(BEIJING):%m-%d %H:%M}"


def test_a_closed_day_moves_the_next_fire_at_once_and_back(lab, desk, client):
    desk.define("{at: close+30m, calendar: XSHG}")
    desk.define("{at: close+30m, calendar: XHKG}", key="other")
    assert override(lab, "2026-11-23", "closed") == (
        "DONE",
        {"calendar": "XSHG", "day": "2026-11-23", "kind": "closed", "hours": None, "moved": 1},
    )
    assert [beijing(row["next_fire_at"]) for row in client.schedules()] == ["11-24 15:30", "11-23 16:30"]
    assert [beijing(each["fire_at"]) for each in client.next_fires("daily", 2)] == ["11-24 15:30", "11-25 15:30"]
    assert not client.calendar("XSHG").is_session("2026-11-23")
    assert qflowd.calendar("XSHG").is_session("2026-11-23")
    assert restore(lab, "2026-11-23") == ("DONE", {"calendar": "XSHG", "day": "2026-11-23", "moved": 1})
    assert [beijing(row["next_fire_at"]) for row in client.schedules()] == ["11-23 15:30", "11-23 16:30"]
    assert client.calendar("XSHG").is_session("2026-11-23")


def test_a_half_day_moves_the_close_and_an_open_day_is_one_session_more(lab, desk, client):
    desk.define("{at: close+30m, calendar: XSHG}")
    state, result = override(lab, "2026-11-23", "half", close="11:00")
    assert (state, result["hours"]) == ("DONE", "09:30-11:00")
    assert override(lab, "2026-11-28", "open")[0] == "DONE"  # a Saturday
    assert override(lab, "2026-11-24", "half", hours="10:00-11:30 13:00-14:00")[0] == "DONE"
    coming = [(beijing(each["fire_at"]), str(each["business_date"])) for each in client.next_fires("daily", 6)]
    assert [at for at, _ in coming] == [
        "11-23 11:30", "11-24 14:30", "11-25 15:30", "11-26 15:30", "11-27 15:30", "11-28 15:30",
    ]  # fmt: skip
    assert coming[-1][1] == "2026-11-28"
    monday = client.calendar("XSHG").session("2026-11-23")
    assert monday.is_half
    assert beijing(monday.close_at) == "11-23 11:00"
    for _ in range(2):
        desk.tick(desk.schedule().next_fire_at)
    assert [beijing(at) for at in desk.fires()] == ["11-23 11:30", "11-24 14:30"]


@pytest.mark.parametrize(("catchup", "expected"), [("last", ["11-23 11:30"]), ("none", [])])
def test_a_close_that_is_over_when_it_is_told_was_missed(lab, desk, catchup, expected):
    desk.define(f"{{at: close+30m, calendar: XSHG, catchup: {catchup}}}")
    desk.clock.time = MONDAY.astimezone(UTC) + timedelta(hours=5)  # 13:00
    override(lab, "2026-11-23", "half", close="11:00")
    desk.tick()
    assert [beijing(at) for at in desk.fires()] == expected
    assert beijing(desk.schedule().next_fire_at) == "11-24 15:30"


def test_an_override_of_an_exchange_is_of_its_products_and_before_a_closed_day_there_is_no_night(lab, desk, client):
    desk.define("{at: night_open-15m, calendar: SHFE.rb}")
    assert beijing(desk.schedule().next_fire_at) == "11-23 20:45"
    assert override(lab, "2026-11-24", "closed", "SHFE")[1]["moved"] == 1
    assert beijing(desk.schedule().next_fire_at) == "11-25 20:45"
    rebar = client.calendar("SHFE.rb")
    assert rebar.session("2026-11-25").night is None
    assert rebar.trade_date(datetime(2026, 11, 23, 21, 5, tzinfo=BEIJING)) is None
    assert client.calendar("DCE.m").is_session("2026-11-24")
    assert override(lab, "2026-11-26", "half", "SHFE.au", close="11:30")[0] == "DONE"
    assert client.calendar("SHFE.au").session("2026-11-26").is_half
    assert not client.calendar("SHFE.rb").session("2026-11-26").is_half


def test_a_schedule_that_is_computed_meanwhile_goes_by_the_newer_calendar(lab, desk):
    """Another daemon has read what is due, and the override comes before it fires."""
    desk.define("{at: close+30m, calendar: XSHG}")
    desk.clock.time = datetime(2026, 11, 23, 7, 30, tzinfo=UTC)

    said = []
    lab.just_before("fire_schedules", lambda: said.append(override(lab, "2026-11-24", "half", close="10:30")))
    desk.tick()
    assert said[0][0] == "DONE"
    assert [beijing(at) for at in desk.fires()] == ["11-23 15:30"]
    assert beijing(desk.schedule().next_fire_at) == "11-24 11:00"


def test_schedules_that_begin_later_go_by_overrides_too(lab, desk, client):
    override(lab, "2026-11-23", "closed")
    desk.define("{at: close, calendar: XSHG}")
    assert beijing(desk.schedule().next_fire_at) == "11-24 15:00"
    lab.command("disable", workflow="daily")
    lab.command("enable", workflow="daily")
    assert beijing(desk.schedule().next_fire_at) == "11-24 15:00"


def test_expressions_ask_the_calendar_as_it_is_now(lab):
    lab.clock.time = MONDAY.astimezone(UTC)
    of_task = {
        "params": {"next": "{{ next_session(business_date) }}", "held": "{{ sessions(business_date, '2026-11-25') }}"}
    }
    params = {"day": {"type": "string", "default": "{{ prev_session(business_date, 1, 'XHKG') }}"}}
    lab.workflow("w", {"a": None, "b": "a"}, {"a": of_task, "b": of_task}, calendar="XSHG", params=params)
    override(lab, "2026-11-23", "closed", "XHKG")
    override(lab, "2026-11-25", "closed")
    number = lab.start("w", business_date="2026-11-24")
    assert json.loads(lab.sql(f"SELECT params FROM qflow.instances WHERE id = {number}")[0][0]) == {"day": "2026-11-20"}
    assert sent_params(lab) == {"next": "2026-11-26", "held": ["2026-11-24"]}
    restore(lab, "2026-11-25")
    assert sent_params(lab) == {"next": "2026-11-25", "held": ["2026-11-24", "2026-11-25"]}


def test_overrides_of_one_tenant_are_nothing_to_another(lab, client):
    assert override(lab, "2026-11-23", "closed", tenant="north")[0] == "DONE"
    assert client.calendar("XSHG").is_session("2026-11-23")
    assert client.calendar_overrides() == []
    north = Client(DatabaseTransport(lab.store, "north"))
    assert not north.calendar("XSHG").is_session("2026-11-23")
    [row] = north.calendar_overrides("XSHG")
    assert (row["day"], row["kind"], row["hours"]) == (date(2026, 11, 23), "closed", None)
    assert (row["reason"], row["set_by"], row["set_at"]) == ("typhoon", "ann", lab.clock.time)


def test_who_said_what_is_in_the_audit(lab):
    override(lab, "2026-11-23", "closed")
    restore(lab, "2026-11-23")
    rows = lab.sql("SELECT object_type, object, changed_to FROM qflow.audit_entries ORDER BY id")
    assert [(row[0], row[1]) for row in rows] == [("calendar", "XSHG")] * 2
    assert "typhoon" in rows[0][2]


@pytest.mark.parametrize(
    ("args", "error"),
    [
        ({"calendar": "XSHQ"}, "there is no calendar 'XSHQ'; did you mean XSHG?"),
        ({"day": "2026-11-28"}, "XSHG has no session on 2026-11-28 (Saturday); it is closed already"),
        ({"day": "2049-01-04"}, "2049-01-04 is past that horizon"),
        ({"day": "1949-01-04"}, "lies before that"),
        ({"day": "2026-02-30"}, "args.day: "),
        (
            {"kind": "open"},
            "has a session on 2026-11-23 (Monday) already, 09:30-11:30 13:00-15:00; this would change nothing",
        ),
        ({"kind": "half"}, "a half day needs its hours"),
        ({"kind": "half", "close": "15:00"}, "close: XSHG trades at 09:30-11:30 13:00-15:00, not until 15:00 alone"),
        ({"kind": "half", "close": "09:00"}, "close: XSHG trades at 09:30-11:30 13:00-15:00, not until 09:00 alone"),
        ({"kind": "half", "close": "noon"}, "close: 'noon' is not a time of day"),
        ({"kind": "half", "hours": "09:30-11:30", "close": "11:00"}, "close: stands beside hours"),
        ({"kind": "half", "hours": "09:30 11:30"}, "args.hours: "),
        ({"kind": "half", "hours": "13:00-12:00"}, "args.hours: '13:00-12:00' does not end after it begins"),
        (
            {"kind": "half", "hours": "21:00-02:00"},
            "21:00-02:00 end on the next day, and XSHG never trades over midnight",
        ),
        ({"kind": "half", "hours": "09:30-11:30", "day": "2026-11-28"}, "`open` with these hours gives it one"),
        ({"hours": "09:30-11:30"}, "a day that is closed has no hours"),
        ({"close": "11:00"}, "args.close: is for half days"),
        ({"calendar": "CN", "kind": "half", "hours": "09:00-12:00"}, "CN has days without hours"),
        ({"kind": "shut"}, "args.kind: must be closed, open or half, not 'shut'"),
        ({"calender": "XSHG"}, "args.calender: unknown key; did you mean calendar?"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_a_sentence(lab, args, error):
    state, answer = override(lab, **{"day": "2026-11-23", "kind": "closed"} | args)
    assert (state, error in answer) == ("REJECTED", True), answer


def test_a_day_is_overridden_once(lab):
    override(lab, "2026-11-23", "closed", "SHFE.rb")
    for calendar in ("SHFE.rb", "SHFE"):
        state, error = override(lab, "2026-11-23", "half", calendar, close="11:30")
        assert state == "REJECTED"
        assert error == (
            "2026-11-23 of SHFE.rb is overridden already: closed, by ann, because: typhoon; "
            "`qflowd calendars restore SHFE.rb 2026-11-23` takes that away"
        )
    override(lab, "2026-11-24", "closed", "SHFE")
    assert override(lab, "2026-11-24", "half", "SHFE.rb", close="11:30")[0] == "REJECTED"
    assert override(lab, "2026-11-23", "closed", "SHFE.au")[0] == "DONE"
    assert override(lab, "2026-11-25", "closed", reason=None) == (
        "REJECTED",
        "override_day needs a reason, such as where it was announced; it is shown beside the day",
    )
    assert restore(lab, "2026-11-25") == (
        "REJECTED",
        "2026-11-25 of XSHG is not overridden; `qflowd calendars overrides` lists what is",
    )


def test_another_daemon_asks_for_news_once_a_second_at_most(lab, monkeypatch):
    clock, asked = [100.0], []
    monkeypatch.setattr(calendar_books, "boottime", lambda: clock[0])
    books = calendar_books.CalendarBooks()
    learn = books.learn
    monkeypatch.setattr(books, "learn", lambda tx: (asked.append(clock[0]), learn(tx)))
    north = books.of("north")

    def is_session(at):
        clock[0] = at
        lab.store.read(books.refresh)
        return north.calendar("XSHG").is_session("2026-11-23")

    assert is_session(100.0)
    override(lab, "2026-11-23", "closed", tenant="north")
    assert is_session(100.9)
    assert not is_session(101.0)
    assert books.of("default").calendar("XSHG").is_session("2026-11-23")
    books.expire()
    assert not is_session(101.1)
    assert asked == [100.0, 101.0, 101.1]


def test_another_daemon_fires_by_what_was_said_here(lab, desk):
    desk.define("{at: close, calendar: XSHG}")
    other = Schedules(lab.store, Topics())
    other.tick()
    override(lab, "2026-11-23", "half", close="10:00")
    desk.clock.time = datetime(2026, 11, 23, 2, tzinfo=UTC)
    other.tick()
    assert [beijing(at) for at in desk.fires()] == ["11-23 10:00"]

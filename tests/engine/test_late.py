"""Late: a date without a good run by when its workflow expects one, whether anything has started for it or not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.define.known_calendars import TenantToo, knowing
from qflowd.engine.calendars.calendar_books import load_book
from qflowd.engine.definitions.schedules import Schedules
from qflowd.engine.late.late_dates import LateDates
from qflowd.model.errors import RowsLocked
from tests.support.lab import FAILED

ONE = {"a": []}
FRIDAY = "2026-11-20"  # in Shanghai it is half past five in the afternoon when a test begins, two hours and a half after the close


@pytest.fixture
def client(lab):
    return Client(DatabaseTransport(lab.store))


def look(lab, service=None):
    """Let a daemon look, until it has seen all that is over."""
    service = service or LateDates(lab.store, lab.topics)
    while not service.tick():
        pass


def at(lab, text):
    """Let it be a time, of UTC."""
    lab.clock.time = datetime.fromisoformat(text).replace(tzinfo=UTC)


def late(client, **options):
    return [(str(row["business_date"]), row["state"], row["ended_at"] is not None) for row in client.late(**options)]


def test_a_date_for_which_nothing_has_started_is_late_from_the_time_on(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T09:59:59")
    look(lab)
    assert client.late() == []
    at(lab, "2026-11-20T10:00:06")
    look(lab)
    [row] = client.late()
    assert (row["workflow"], row["expected_at"]) == ("bars", datetime(2026, 11, 20, 10, tzinfo=UTC))
    assert late(client) == [(FRIDAY, None, False)]


def test_an_instance_is_marked_while_it_is_late_and_its_date_until_one_succeeds(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    number = lab.start("bars", business_date=FRIDAY)
    at(lab, "2026-11-20T09:59:00")
    look(lab)
    assert client.instance(number).info().late_at is None
    at(lab, "2026-11-20T10:30:00")
    look(lab)
    info = client.instance(number).info()
    assert (info.state, info.late_at) == ("RUNNING", datetime(2026, 11, 20, 10, tzinfo=UTC))
    assert [row["instance_id"] for row in client.late()] == [number]
    lab.run({"a": FAILED})
    look(lab)
    assert late(client) == [(FRIDAY, "FAILED", False)]
    lab.command("retry", number)
    lab.clock.advance(600)
    lab.run()
    assert late(client) == []  # before anybody has looked
    look(lab)
    [row] = client.late(with_ended=True)
    assert (row["state"], row["ended_at"]) == ("SUCCESS", datetime(2026, 11, 20, 10, 40, tzinfo=UTC))
    assert client.instance(number).info().late_at is not None
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h", allow_duplicates=True)
    lab.clock.advance(60)
    another = lab.start("bars", business_date=FRIDAY)
    assert client.instance(another).info().late_at is None  # it has nothing to make up for


def test_a_date_whose_run_has_succeeded_by_then_is_not_late(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    lab.start("bars", business_date=FRIDAY)
    lab.run()
    at(lab, "2026-11-23T09:00:00")
    look(lab)
    assert client.late(with_ended=True) == []


def test_what_passed_while_no_daemon_ran_is_found_and_what_was_made_up_for_is_noted_as_over(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-23T11:00:00")
    lab.start("bars", business_date="2026-11-23")
    lab.run()
    at(lab, "2026-11-25T09:00:00")
    look(lab)
    assert late(client, with_ended=True) == [
        ("2026-11-24", None, False),
        ("2026-11-23", "SUCCESS", True),
        (FRIDAY, None, False),
    ]


def test_what_was_over_when_a_workflow_was_stored_or_switched_on_is_not_late(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+2h", enabled=False)
    look(lab)
    at(lab, "2026-11-24T12:00:00")
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+2h")
    look(lab)
    at(lab, "2026-11-25T08:59:00")
    look(lab)
    assert client.late() == []
    at(lab, "2026-11-25T09:01:00")
    look(lab)
    assert late(client) == [("2026-11-25", None, False)]


@pytest.mark.parametrize("schedule", [{"at": "close+1h"}, {"cron": "0,30 7 * * *"}])
def test_a_date_that_a_new_schedule_was_not_to_fire_for_is_not_late(lab, client, schedule):
    """It is half past five in Shanghai: the schedule would have fired at four, or at half past three."""
    lab.workflow("bars", ONE, calendar="XSHG", schedule=schedule, expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T11:00:00")
    look(lab)
    assert late(client) == []
    at(lab, "2026-11-23T11:00:00")
    look(lab)
    assert "2026-11-23" in [day for day, _, _ in late(client)]
    assert FRIDAY not in [day for day, _, _ in late(client)]


def test_what_its_schedule_has_fired_for_is_expected_when_its_file_says_so_later(lab, client):
    at(lab, "2026-11-20T08:00:00")
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+2h"})
    at(lab, "2026-11-20T09:00:00")
    Schedules(lab.store, lab.topics).tick()
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+2h"}, expect_by="close+3h")
    lab.clock.advance(600)
    look(lab)
    at(lab, "2026-11-20T11:00:00")
    look(lab)
    assert [day for day, _, _ in late(client)] == [FRIDAY]


def test_what_is_due_and_not_fired_yet_is_expected(lab, client):
    """It is paused at the time, or no daemon has come to it."""
    at(lab, "2026-11-20T08:00:00")
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+2h"})
    at(lab, "2026-11-20T09:30:00")
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+2h"}, expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T11:00:00")
    look(lab)
    assert [day for day, _, _ in late(client)] == [FRIDAY]


def test_what_was_fired_by_hand_or_at_another_time_is_expected(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+30m"})
    assert lab.command("fire", workflow="bars")[0] == "DONE"
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+1h"}, expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T11:00:00")
    look(lab)
    assert [day for day, _, _ in late(client)] == [FRIDAY]


def test_a_schedule_without_a_calendar_says_for_which_dates_runs_are_expected(lab, client):
    schedule = {"cron": "0 6 * * 1-5", "timezone": "Asia/Shanghai"}
    lab.workflow("nav", ONE, schedule=schedule, expect_by="08:15")
    lab.workflow("report", ONE, schedule=schedule, expect_by="08:15+1d Asia/Tokyo")
    at(lab, "2026-11-22T12:00:00")
    look(lab)
    at(lab, "2026-11-23T00:14:00")
    look(lab)
    assert client.late() == []
    at(lab, "2026-11-23T00:16:00")
    look(lab)
    at(lab, "2026-11-23T23:16:00")
    look(lab)
    found = [(row["workflow"], str(row["business_date"]), row["expected_at"].hour) for row in client.late()]
    assert found == [("report", "2026-11-23", 23), ("nav", "2026-11-23", 0)]


def test_days_of_a_schedule_are_those_that_are_expected(lab, client):
    schedule = {"at": "close+30m", "days": "last session of month"}
    lab.workflow("month_end", ONE, calendar="XSHG", schedule=schedule, expect_by="close+2h")
    look(lab)
    at(lab, "2026-12-02T00:00:00")
    look(lab)
    assert late(client) == [("2026-11-30", None, False)]


def test_a_schedule_that_is_off_expects_nothing(lab, client):
    lab.workflow("bars", ONE, schedule={"at": "close+30m", "calendar": "XSHG"}, expect_by="close+3h")
    look(lab)
    lab.command("disable", workflow="bars")
    look(lab)
    at(lab, "2026-11-24T12:00:00")
    look(lab)
    lab.command("enable", workflow="bars")
    look(lab)
    assert client.late() == []


def test_overridden_days_move_what_is_expected_at_once(lab, client):
    lab.workflow("bars", ONE, calendar="XHKG", expect_by="close+2h")
    service = LateDates(lab.store, lab.topics)
    at(lab, "2026-11-20T11:00:00")
    look(lab, service)
    half = '{"calendar": "XHKG", "day": "2026-11-23", "kind": "half", "close": "12:00"}'
    lab.command("override_day", args=half, reason="typhoon")
    at(lab, "2026-11-23T06:01:00")
    look(lab, service)
    assert [row["expected_at"] for row in client.late()] == [datetime(2026, 11, 23, 6, tzinfo=UTC)]
    lab.command("restore_day", args='{"calendar": "XHKG", "day": "2026-11-23"}')
    closed = '{"calendar": "XHKG", "day": "2026-11-23", "kind": "closed"}'
    lab.command("override_day", args=closed, reason="typhoon")
    look(lab, service)
    assert late(client, with_ended=True) == [("2026-11-23", None, True)]
    at(lab, "2026-11-24T03:00:00")
    lab.command("override_day", args=closed.replace("23", "24"), reason="typhoon")
    at(lab, "2026-11-25T03:00:00")
    look(lab, service)
    assert late(client) == []


def test_whichever_daemon_looks_a_date_is_noted_once(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    one, other = LateDates(lab.store, lab.topics), LateDates(lab.store, lab.topics)
    look(lab, one)
    look(lab, other)
    at(lab, "2026-11-20T10:01:00")
    seen, _ = other.look()  # before the first one has written
    look(lab, one)
    first = client.late()
    other.write(seen)
    look(lab, other)
    assert client.late() == first
    assert lab.sql("SELECT COUNT(*) FROM qflow.late_date") == [(1,)]


def test_a_workflow_that_expects_nothing_any_more_is_not_late(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T10:01:00")
    look(lab)
    lab.workflow("bars", ONE, calendar="XSHG")
    look(lab)
    assert (client.late(), len(client.late(with_ended=True))) == ([], 1)
    assert lab.sql("SELECT COUNT(*) FROM qflow.expectation") == [(0,)]


def test_a_schedule_that_nobody_understands_hides_no_late_date_of_others(lab, client):
    lab.workflow("broken", ONE, schedule={"cron": "0 9 * * *"}, expect_by="17:00")
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    lab.sql("UPDATE qflow.schedule SET timezone = 'Mars/Base'")
    at(lab, "2026-11-20T10:01:00")
    look(lab)
    assert [row["workflow"] for row in client.late()] == ["bars"]


def test_tenants_see_their_own_late_dates(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h", tenant="other")
    look(lab)
    at(lab, "2026-11-20T10:01:00")
    look(lab)
    assert client.late() == []
    assert late(Client(DatabaseTransport(lab.store, "other"))) == [(FRIDAY, None, False)]


def test_a_run_is_stopped_at_its_deadline_and_says_so(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h", deadline="close+4h", allow_duplicates=True)
    look(lab)
    open_now, paused, other_date = (lab.start("bars", business_date=day) for day in (FRIDAY, FRIDAY, "2026-11-19"))
    lab.command("pause", paused)
    at(lab, "2026-11-20T10:59:00")
    look(lab)
    assert client.instance(open_now).info().state == "RUNNING"
    at(lab, "2026-11-20T11:00:06")
    lab.published.clear()
    look(lab)
    assert "intent" in lab.published
    lab.sweep.tick()
    for number in (open_now, paused):
        info = client.instance(number).info()
        assert (info.state, info.reason, info.error) == (
            "FAILED",
            "deadline",
            "it had not ended by the deadline of its business date",
        )
    assert client.instance(other_date).info().state == "RUNNING"
    assert late(client) == [(FRIDAY, "FAILED", False)]


def test_what_began_or_was_retried_after_its_deadline_is_not_stopped_by_a_look_that_comes_late(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", deadline="close+3h", allow_duplicates=True)
    look(lab)
    retried = lab.start("bars", business_date=FRIDAY)
    lab.run({"a": FAILED})
    overdue = lab.start("bars", business_date=FRIDAY)
    at(lab, "2026-11-20T10:30:00")
    lab.command("retry", retried)
    begun = lab.start("bars", business_date=FRIDAY)
    look(lab)
    lab.sweep.tick()
    assert [client.instance(number).info().state for number in (overdue, retried, begun)] == [
        "FAILED",
        "RUNNING",
        "RUNNING",
    ]


def test_runs_of_a_workflow_that_cannot_be_stopped_yet_leave_those_of_others_to_be(lab, client, monkeypatch, caplog):
    for name in ("bars", "ticks"):
        lab.workflow(name, ONE, calendar="XSHG", deadline="close+3h")
    service = LateDates(lab.store, lab.topics)
    look(lab, service)
    numbers = [lab.start(name, business_date=FRIDAY) for name in ("bars", "ticks")]
    at(lab, "2026-11-20T10:00:06")

    def locked():
        raise RowsLocked("somebody has locked its row for long")

    lab.just_before("stop_late_runs", locked)
    look(lab, service)
    assert [row.message for row in caplog.records if "bars" in row.message] == [
        "runs of bars are past their deadline, and cannot be stopped yet: somebody has locked its row for long"
    ]
    lab.sweep.tick()
    assert [client.instance(number).info().state for number in numbers] == ["RUNNING", "FAILED"]
    look(lab, service)
    lab.sweep.tick()
    assert client.instance(numbers[0]).info().state == "FAILED"


def test_a_success_that_is_committed_after_its_date_was_judged_was_in_time(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    lab.start("bars", business_date=FRIDAY)
    at(lab, "2026-11-20T10:00:06")
    look(lab)
    assert late(client) == [(FRIDAY, "RUNNING", False)]
    at(lab, "2026-11-20T09:59:59")  # by the clock of the transaction that was committed late
    lab.run()
    at(lab, "2026-11-20T10:00:10")
    look(lab)
    assert client.late(with_ended=True) == []


def test_an_own_calendar_that_begins_later_is_gone_by_from_its_first_day(lab, client):
    days = "day,hours\n2026-12-01,09:00-12:00\n2026-12-03,09:00-12:00\n"
    args = {"csv": days, "calendar": "DESK", "timezone": "Asia/Shanghai"}
    lab.command("import_calendar", args=json.dumps(args))
    with knowing(TenantToo(lambda: lab.store.read(lambda tx: load_book(tx, "default")))):
        lab.workflow("bars", ONE, calendar="DESK", expect_by="18:00")
    look(lab)
    answer = lab.command("remove_calendar", args='{"calendar": "DESK"}')
    assert answer == ("REJECTED", "calendar DESK is in use: what workflow bars expects goes by it")
    at(lab, "2026-12-01T10:00:06")
    look(lab)
    assert late(client) == [("2026-12-01", None, False)]


def test_a_workflow_whose_file_is_gone_is_not_late(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T10:01:00")
    look(lab)
    lab.sql("UPDATE qflow.workflow_definition SET enabled = 0, error = 'its file is gone'")
    look(lab)
    assert late(client, with_ended=True) == [(FRIDAY, None, True)]


def test_more_workflows_than_a_round_judges_are_judged_in_the_next_ones(lab, client, monkeypatch):
    monkeypatch.setattr("qflowd.engine.late.late_dates.MOST_JUDGED", 2)
    for number in range(5):
        lab.workflow(f"bars{number}", ONE, calendar="XSHG", expect_by="close+3h")
    look(lab)
    at(lab, "2026-11-20T10:00:06")
    look(lab)
    assert len(client.late()) == 5


def test_what_is_retried_after_its_deadline_is_not_stopped_again(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", deadline="close+3h")
    one, other = (LateDates(lab.store, lab.topics) for _ in range(2))
    look(lab, one)
    number = lab.start("bars", business_date=FRIDAY)
    at(lab, "2026-11-20T10:00:06")
    seen, _ = other.look()
    look(lab, one)
    lab.sweep.tick()
    lab.command("retry", number)
    assert not other.write(seen)
    lab.run()
    assert (client.instance(number).info().state, client.late(with_ended=True)) == ("SUCCESS", [])

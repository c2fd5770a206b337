"""Gaps: the sessions of a workflow's calendar that are due and have no good run, by the views and by the client."""

from __future__ import annotations

import pytest

from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.calendars.session_rows import SessionRows
from qflowd.model.errors import InvalidRequest, NotFound
from tests.support.lab import FAILED

ONE = {"a": []}


@pytest.fixture
def client(lab):
    return Client(DatabaseTransport(lab.store))


def keep(lab, service=None):
    """Let a daemon look at the workflows and their calendars."""
    service = service or SessionRows(lab.store)
    while not service.tick():
        pass


def run(lab, workflow, *days, ends=None):
    """Runs for days of November 2024; their numbers."""
    numbers = [lab.start(workflow, business_date=f"2024-11-{day}") for day in days]
    lab.run(ends)
    return numbers


def gaps(client, workflow, *span):
    return [(str(row["business_date"])[8:], row["state"], row["instance_id"]) for row in client.gaps(workflow, *span)]


def in_view(lab, columns, *, until, view="gaps"):
    found = lab.sql(f"SELECT {columns} FROM qflow.{view} WHERE business_date <= '{until}' ORDER BY business_date")
    return [tuple(str(value)[:10] if i == 0 else value for i, value in enumerate(row)) for row in found]


def test_gaps_are_the_sessions_without_a_good_run_each_with_what_is_there(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG")
    run(lab, "bars", 18, 22)
    [failed] = run(lab, "bars", 20, ends={"a": FAILED})
    keep(lab)
    open_now = lab.start("bars", business_date="2024-11-25")
    expected = [("19", None, None), ("20", "FAILED", failed), ("21", None, None), ("25", "RUNNING", open_now)]
    assert gaps(client, "bars", None, "2024-11-25") == expected
    assert gaps(client, "bars", "2024-11-14", "2024-11-19") == [(day, None, None) for day in ("14", "15", "19")]
    about = ("2024-11-20", "bars", "XSHG", "FAILED", failed, "default")
    assert in_view(lab, "business_date, workflow, calendar, state, instance_id, tenant", until="2024-11-20")[1:] == [
        about
    ]
    lab.command("retry", failed)
    lab.run()
    assert gaps(client, "bars", None, "2024-11-22") == [("19", None, None), ("21", None, None)]


def test_a_good_run_counts_however_the_later_ones_for_its_date_ended(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", allow_duplicates=True)
    run(lab, "bars", 18)
    run(lab, "bars", 18, ends={"a": FAILED})
    keep(lab)
    assert gaps(client, "bars", None, "2024-11-19") == [("19", None, None)]


def test_a_workflow_that_has_not_run_has_gaps_only_from_a_day_that_is_given(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG")
    keep(lab)
    assert gaps(client, "bars") == []
    assert [day for day, *_ in gaps(client, "bars", "2024-10-01", "2024-10-09")] == [
        "08",
        "09",
    ]  # after the National Day


def test_a_session_is_due_when_it_is_over_and_no_schedule_is_still_to_fire_for_it(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", schedule={"at": "close+30m"})
    run(lab, "bars", 18)
    keep(lab)
    later, passed = (
        ("9999999999999999", "0") if lab.store.dialect.name == "sqlite" else ("'2037-01-01'", "'2020-01-01'")
    )
    lab.sql(f"UPDATE qflow.session_workflow SET next_day = '2024-11-20', next_at = {later}")
    assert gaps(client, "bars") == [("19", None, None)]
    lab.sql(f"UPDATE qflow.session_workflow SET next_at = {passed}")
    assert gaps(client, "bars", None, "2024-11-20") == [("19", None, None), ("20", None, None)]
    assert all(str(row["business_date"]) < "2037-01-01" for row in client.gaps("bars"))
    [(next_day,)] = lab.sql("SELECT next_day FROM qflow.session_workflow")
    keep(lab)
    assert lab.sql("SELECT next_day FROM qflow.session_workflow") != [(next_day,)]


def test_days_of_a_schedule_are_all_that_it_is_for(lab, client):
    schedule = {"at": "close+30m", "days": "last session of month"}
    lab.workflow("month_end", ONE, calendar="XSHG", schedule=schedule)
    lab.start("month_end", business_date="2024-08-30")
    lab.run()
    keep(lab)
    found = [str(row["business_date"]) for row in client.gaps("month_end", None, "2024-12-30")]
    assert found == ["2024-09-30", "2024-10-31", "2024-11-29"]


def test_work_days_are_sessions_as_well(lab, client):
    lab.workflow("report", ONE, calendar="CN")
    keep(lab)
    assert [day for day, *_ in gaps(client, "report", "2024-10-11", "2024-10-14")] == ["11", "12", "14"]  # a Saturday


def test_a_day_that_is_overridden_is_no_gap_any_more(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG")
    run(lab, "bars", 18)
    service = SessionRows(lab.store)
    keep(lab, service)
    assert gaps(client, "bars", None, "2024-11-20") == [("19", None, None), ("20", None, None)]
    args = '{"calendar": "XSHG", "day": "2024-11-19", "kind": "closed"}'
    lab.command("override_day", args=args, reason="typhoon")
    keep(lab, service)
    assert gaps(client, "bars", None, "2024-11-20") == [("20", None, None)]


def test_another_version_with_another_calendar_is_seen(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG")
    keep(lab)
    lab.workflow("bars", ONE, calendar="XHKG")
    keep(lab)
    found = [day for day, *_ in gaps(client, "bars", "2024-10-01", "2024-10-09")]
    assert found == ["02", "03", "04", "07", "08", "09"]
    lab.workflow("bars", ONE)
    keep(lab)
    with pytest.raises(InvalidRequest, match="workflow 'bars' has no calendar"):
        client.gaps("bars")


def test_what_cannot_have_gaps_says_why(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG")
    with pytest.raises(InvalidRequest, match="no daemon has looked at the calendar of workflow 'bars' yet"):
        client.gaps("bars")
    keep(lab)
    with pytest.raises(NotFound, match="there is no workflow 'bar'; did you mean bars"):
        client.gaps("bar")
    with pytest.raises(InvalidRequest, match="the first day, 2024-11-20, is after the last, 2024-11-19"):
        client.gaps("bars", "2024-11-20", "2024-11-19")
    with pytest.raises(InvalidRequest, match="is not a date"):
        client.gaps("bars", "soon")


def test_tenants_do_not_see_each_others_gaps(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", tenant="other")
    lab.start("bars", tenant="other", business_date="2024-11-18")
    keep(lab)
    with pytest.raises(NotFound):
        client.gaps("bars")
    assert len(Client(DatabaseTransport(lab.store, "other")).gaps("bars", None, "2024-11-19")) == 2


def test_two_daemons_write_the_rows_of_a_calendar_once(lab):
    lab.workflow("bars", ONE, calendar="XSHG")
    keep(lab)
    before = lab.sql("SELECT COUNT(*), MIN(day), MAX(day) FROM qflow.session_day")
    keep(lab)  # another daemon, which has written none
    assert lab.sql("SELECT COUNT(*), MIN(day), MAX(day) FROM qflow.session_day") == before


def test_a_schedule_that_nobody_understands_hides_no_gaps_of_others(lab, client):
    lab.workflow("broken", ONE, calendar="XSHG", schedule="0 9 * * *")
    keep(lab)
    lab.sql("UPDATE qflow.schedule SET timezone = 'Mars/Base'")
    lab.workflow("bars", ONE, calendar="XSHG")
    keep(lab)
    assert len(gaps(client, "bars", "2024-11-18", "2024-11-19")) == 2

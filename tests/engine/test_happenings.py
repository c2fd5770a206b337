"""Events: rows that are written in the transaction of what they tell, once, whichever daemons look."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qflowd.calendars.calendar_book import BUNDLED
from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.calendars.horizons import Horizons
from qflowd.store.clock import to_microseconds
from tests.engine.test_late import at, look

ONE = {"a": []}
LAST = BUNDLED.calendar("XSHG").last


@pytest.fixture
def client(lab):
    return Client(DatabaseTransport(lab.store))


def test_a_date_that_becomes_late_is_told_with_the_instance_there_is(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG", expect_by="close+3h")
    lab.workflow("never", ONE, calendar="XSHG", expect_by="close+4h")
    look(lab)
    number = lab.start("bars", business_date="2026-11-20")
    at(lab, "2026-11-20T10:01:00")
    look(lab)
    [row] = client.events()
    assert (row["event"], row["workflow"], row["instance_id"], str(row["business_date"]), row["calendar"]) == (
        "workflow.late", "bars", number, "2026-11-20", None,
    )  # fmt: skip
    assert (row["at"], row["data"]) == (lab.clock.time, {"expected_at": "2026-11-20T10:00:00Z"})
    at(lab, "2026-11-20T11:01:00")
    look(lab)
    assert [(e["workflow"], e["instance_id"]) for e in client.events()] == [("never", None), ("bars", number)]
    assert [e["workflow"] for e in client.events(since=lab.clock.time)] == ["never"]
    assert [e["workflow"] for e in client.events(after=0)] == ["bars", "never"]
    assert client.events(workflow="nobody") == []
    assert client.events(workflow="nobody", since=lab.clock.time) == []


def test_events_since_an_instant_are_as_many_as_are_asked_for_and_none_is_left_out(lab, client):
    """The later has the lower id, as the transaction of the earlier took long."""
    days = [("20T00:00", "a"), ("21T00:00", "b"), ("22T00:09", "c"), ("22T00:00", "d"), ("24T00:00", "e")]
    lab.sql(
        *(
            "INSERT INTO qflow.event (tenant, event, workflow, at, data) VALUES "
            f"('{tenant}', 'workflow.late', '{name}', {instant(lab, f'2026-11-{day}')}, '{{}}')"
            for day, name in days
            for tenant in ("default", "desk")
        )
    )
    since = datetime(2026, 11, 22, tzinfo=UTC)

    def names(**asked):
        return "".join(row["workflow"] for row in client.events(**asked))

    assert names(since=since) == "edc"
    assert (names(since=since, limit=1), names(since=since, limit=1, after=0)) == ("e", "c")
    [first] = client.events(limit=1, after=0, since=since)
    assert names(since=since, after=first["id"]) == "de"
    assert names(since=since + timedelta(minutes=5), after=0) == "ce"
    assert names(since=datetime(1, 1, 1, tzinfo=UTC)) == "edcba"


def instant(lab, minute):
    """An instant as its table keeps it."""
    at = datetime.fromisoformat(f"{minute}:00+00:00")
    as_text = f"'{at:%Y-%m-%d %H:%M:%S}{'+00' if lab.store.dialect.name == 'postgres' else ''}'"
    return to_microseconds(at) if lab.store.dialect.name == "sqlite" else as_text


def test_the_horizon_of_a_calendar_is_told_once_by_two_daemons_that_look_at_once(lab, client):
    lab.workflow("bars", ONE, schedule={"cron": "0 16 * * *", "calendar": "XSHG"})
    one, other = Horizons(lab.store), Horizons(lab.store)
    lab.clock.time = lab.clock.time.replace(year=LAST.year - 1)
    assert one.look(lab.clock.time) == {}
    lab.clock.time = lab.clock.time.replace(year=LAST.year)
    assert (LAST - lab.clock.time.date()).days <= 45
    seen, seen_by_other = one.look(lab.clock.time), other.look(lab.clock.time)
    one.write(seen)
    other.write(seen_by_other)
    one.tick()
    Horizons(lab.store).tick()
    [row] = client.events()
    assert (row["event"], row["calendar"], row["workflow"]) == ("calendar.horizon", "XSHG", None)
    assert row["data"] == {"last": LAST.isoformat()}


def test_a_workflow_that_another_release_has_stored_hides_no_horizon(lab, client):
    lab.workflow("bars", ONE, calendar="XSHG")
    lab.workflow("odd", ONE, calendar="XSHG")
    lab.sql('UPDATE qflow.workflow_version SET document = \'{"calendar": "XSHG", "of_later": 1}\' WHERE id = 2')
    lab.clock.time = lab.clock.time.replace(year=LAST.year)
    Horizons(lab.store).tick()
    assert [row["calendar"] for row in client.events()] == ["XSHG"]


def test_a_calendar_that_only_an_archived_workflow_goes_by_is_not_told(lab, client):
    lab.workflow("bars", ONE, schedule={"cron": "0 16 * * *", "calendar": "XSHG"})
    lab.command("archive", workflow="bars")
    lab.clock.time = lab.clock.time.replace(year=LAST.year)
    Horizons(lab.store).tick()
    assert client.events() == []

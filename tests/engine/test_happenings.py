"""Events: rows that are written in the transaction of what they tell, once, whichever daemons look."""

from __future__ import annotations

import pytest

from qflowd.calendars.calendar_book import BUNDLED
from qflowd.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.engine.calendars.horizons import Horizons
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

"""Late dates over HTTP: a list by pages, and the mark on instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest

from qflowd.api.today import due as due_module
from qflowd.engine.late.late_dates import LateDates
from qflowd.model.roles import Role
from tests.support.http import ApiServer
from tests.support.lab import Lab


@pytest.fixture(scope="module")
def lab(api: ApiServer) -> Iterator[Lab]:
    with closing(Lab(api.url)) as found:
        yield found


def test_what_is_late_is_a_list_and_its_instances_say_since_when(api: ApiServer, lab: Lab) -> None:
    service = LateDates(lab.store, lab.topics)
    lab.workflow("late_bars", {"a": []}, calendar="XSHG", expect_by="close+3h")
    service.tick()
    lab.clock.time = datetime(2026, 11, 23, 11, tzinfo=UTC)
    number = lab.start("late_bars", business_date="2026-11-23")
    service.tick()
    page = api.get("/late?limit=1").data
    [row] = page["items"]
    assert (row["workflow"], row["business_date"], row["state"], row["instance_id"]) == (
        "late_bars", "2026-11-23", "RUNNING", number,
    )  # fmt: skip
    [row] = api.get(f"/late?limit=1&cursor={page['next']}").data["items"]
    assert (row["business_date"], row["state"], row["ended_at"]) == ("2026-11-20", None, None)
    told = [(one["detail"], one["link"]) for one in api.get("/notifications").data if one["subject"] == "late_bars"]
    assert told == [("2026-11-23", f"/instances/{number}"), ("2026-11-20", "/workflows/late_bars")]
    page = api.get("/events?workflow=late_bars&limit=1").data
    [event] = page["items"]
    assert (event["event"], event["instance_id"], event["data"]) == (
        "workflow.late", number, {"expected_at": "2026-11-23T10:00:00Z"},
    )  # fmt: skip
    [event] = api.get(f"/events?workflow=late_bars&limit=1&cursor={page['next']}").data["items"]
    assert (event["business_date"], event["instance_id"]) == ("2026-11-20", None)
    assert api.as_(Role.READ, tenant="desk").get("/events").data["items"] == []
    assert api.get(f"/instances/{number}").data["late_at"].startswith("2026-11-23T10:00:00")
    [item] = api.get("/workflows/late_bars/instances").data["items"]
    assert item["late_at"].startswith("2026-11-23T10:00:00")
    lab.run()
    assert [row["business_date"] for row in api.get("/late").data["items"]] == ["2026-11-20"]
    [_, row] = api.get("/late?all=true").data["items"][::-1]
    assert (row["business_date"], row["state"]) == ("2026-11-23", "SUCCESS")


def test_what_is_expected_soon_is_at_risk_until_its_run_has_succeeded(
    api: ApiServer, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = count()

    def due() -> list[tuple[Any, ...]]:
        since = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=next(asked))  # nobody has asked for this one
        found = api.get(f"/overview?since={since:%Y-%m-%dT%H:%M:%SZ}").data["due"]
        return [tuple(row.values())[1:] for row in found if row["workflow"] == "soon_bars"]

    service = LateDates(lab.store, lab.topics)
    lab.clock.time = datetime.now(UTC) + timedelta(days=1)
    lab.workflow("soon_bars", {"a": [], "b": ["a"]}, calendar="XSHG", expect_by="close+3h")
    service.tick()
    assert due() == []
    monkeypatch.setattr(due_module, "SOON", timedelta(days=40))
    [(day, expected_at, *rest)] = due()
    assert rest == [False, None, None, None]
    at = datetime.fromisoformat(expected_at)
    assert timedelta(0) < at - lab.clock.time < timedelta(days=20)
    number = lab.start("soon_bars", business_date=day)
    assert due() == [(day, expected_at, False, "RUNNING", number, 0.0)]
    lab.run(rounds=1)
    assert due() == [(day, expected_at, False, "RUNNING", number, 0.5)]
    assert api.as_(Role.ADMIN, tenant="desk").get("/overview").data["due"] == []
    lab.clock.time = at + timedelta(seconds=10)
    service.tick()
    late, after = due()
    assert late == (day, expected_at, True, "RUNNING", number, 0.5)
    assert (after[0] > day, after[2:]) == (True, (False, None, None, None))
    lab.run()
    assert due() == [after]
    lab.sql("UPDATE qflow.workflow_definition SET enabled = 0 WHERE workflow = 'soon_bars'")
    assert due() == []

"""Late dates over HTTP: a list by pages, and the mark on instances."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from qflowd.engine.late.late_dates import LateDates
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
    told = [(one["subject"], one["detail"]) for one in api.get("/notifications").data if one["kind"] == "late"]
    assert told == [("late_bars", "2026-11-23"), ("late_bars", "2026-11-20")]
    assert api.get(f"/instances/{number}").data["late_at"].startswith("2026-11-23T10:00:00")
    [item] = api.get("/workflows/late_bars/instances").data["items"]
    assert item["late_at"].startswith("2026-11-23T10:00:00")
    lab.run()
    assert [row["business_date"] for row in api.get("/late").data["items"]] == ["2026-11-20"]
    [_, row] = api.get("/late?all=true").data["items"][::-1]
    assert (row["business_date"], row["state"]) == ("2026-11-23", "SUCCESS")

"""Gaps over HTTP: those of a workflow, and a year of it by business dates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from qflowd.engine.calendars.session_rows import SessionRows
from tests.support.http import ApiServer
from tests.support.lab import FAILED, Lab


@pytest.fixture(scope="module")
def lab(api: ApiServer) -> Iterator[Lab]:
    with closing(Lab(api.url)) as found:
        yield found


@pytest.fixture(scope="module")
def bars(api: ApiServer, lab: Lab) -> dict[str, int]:
    """Two runs of November 2024 for sessions, and one for a Sunday; their numbers by what they are."""
    lab.workflow("bars_by_session", {"a": []}, calendar="XSHG")
    lab.workflow("any_day", {"a": []})
    good, sunday = (lab.start("bars_by_session", business_date=f"2024-11-{day}") for day in (18, 24))
    lab.run()
    failed = lab.start("bars_by_session", business_date="2024-11-20")
    lab.run({"a": FAILED})
    while not SessionRows(lab.store).tick():
        pass
    return {"good": good, "sunday": sunday, "failed": failed}


def test_gaps_and_a_year_of_a_workflow(api: ApiServer, bars: dict[str, int]) -> None:
    path = "/workflows/bars_by_session"
    gaps = api.get(f"{path}/gaps?from=2024-11-15&to=2024-11-20").data
    assert [(gap["business_date"], gap["state"], gap["instance_id"]) for gap in gaps] == [
        ("2024-11-15", None, None), ("2024-11-19", None, None), ("2024-11-20", "FAILED", bars["failed"]),
    ]  # fmt: skip
    year = api.get(f"{path}/calendar?year=2024").data
    days = {day.pop("date"): day for day in year["days"]}
    assert (year["calendar"], year["year"], len(days)) == ("XSHG", 2024, 243)  # 242 sessions and the Sunday
    assert days["2024-11-15"] == {"is_session": True, "is_gap": False, "runs": 0, "state": None, "instance_id": None}
    about = {"is_session": True, "is_gap": False, "runs": 1, "state": "SUCCESS", "instance_id": bars["good"]}
    assert days["2024-11-18"] == about
    assert days["2024-11-24"] == about | {"is_session": False, "instance_id": bars["sunday"]}
    assert days["2024-11-20"] == about | {"is_gap": True, "state": "FAILED", "instance_id": bars["failed"]}
    assert (
        year["gaps"] == sum(day["is_gap"] for day in days.values()) == len(api.get(f"{path}/gaps?to=2024-12-31").data)
    )


def test_a_submission_for_a_day_without_a_session_is_taken_with_a_warning(api: ApiServer, bars: dict[str, int]) -> None:
    told = "2024-11-23 is not a session of XSHG, the calendar of bars_by_session; 2024-11-22 and 2024-11-25 are"
    saturday, session = ({"business_date": f"2024-11-{day}"} for day in (23, 22))
    for path, more in (
        ("/submissions", {"workflow": "bars_by_session"}),
        ("/workflows/bars_by_session/start", {}),
        ("/workflows/bars_by_session/instances", {}),
        ("/workflows", {"workflow": "bars_by_session"}),
    ):
        for body, warnings in ((saturday, [told]), (session, []), ({}, [])):
            answer = api.post(f"{path}?wait=0", body | more)
            assert (answer.status, answer.data["warnings"]) == (202, warnings)
            assert api.get(f"/submissions/{answer.data['submission_id']}").data["state"] == "NEW"
    items = [saturday, session, saturday, {"business_date": "2999-01-01"}]
    asked = [{"workflow": "bars_by_session"} | item for item in items] + [{"workflow": "any_day"} | saturday]
    answer = api.post("/submissions?wait=0", {"items": asked})
    assert [item["warnings"] for item in answer.data["items"]] == [[told], [], [told], [], []]


def test_what_cannot_have_gaps_is_refused(api: ApiServer, bars: dict[str, int]) -> None:
    for path in ("gaps", "calendar"):
        refused = api.get(f"/workflows/any_day/{path}")
        assert (refused.status // 100, "has no calendar" in refused.message) == (4, True)
        assert api.get(f"/workflows/nothing/{path}").status == 404
    assert api.get("/workflows/bars_by_session/gaps?from=2024-11-20&to=2024-11-19").status == 422
    assert api.get("/workflows/bars_by_session/calendar?year=1").status == 400


def test_a_second_start_for_a_date_says_who_holds_it(api: ApiServer, lab: Lab, bars: dict[str, int]) -> None:
    body = {"business_date": "2024-11-18"}
    numbers = [
        api.post("/workflows/bars_by_session/start", body | more).data["submission_id"]
        for more in ({}, {"allow_duplicates": True})
    ]
    while not lab.admit.tick():
        pass
    answers = [api.get(f"/submissions/{number}").data for number in numbers]
    assert [(answer["state"], answer["error_code"]) for answer in answers] == [("REJECTED", 40908), ("ACCEPTED", None)]
    assert f"has instance {bars['good']} for business date 2024-11-18" in answers[0]["error"]

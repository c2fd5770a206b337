"""Days of calendars over HTTP: overridden, listed, taken back; what is refused, and by whom."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qflowd.model.roles import Role
from tests.support.http import ApiServer

DAYS = "/calendars/XHKG/days"
CLOSED = {"day": "2027-03-17", "kind": "closed", "reason": "typhoon signal 8"}


@pytest.fixture
def overridden(api: ApiServer) -> Iterator[ApiServer]:
    """A day that is closed, and is as its file says afterwards."""
    desk = api.as_(Role.DEFINE)
    made = desk.put(DAYS, CLOSED)
    assert (made.status, made.data["kind"], made.data["moved"]) == (200, "closed", 0), made.message
    yield api
    assert desk.delete(f"{DAYS}/{CLOSED['day']}?reason=over").status == 200


def test_an_overridden_day_is_told_with_its_reason_and_author(overridden: ApiServer) -> None:
    [told] = overridden.get(DAYS).data
    assert {key: told[key] for key in CLOSED} == CLOSED
    assert (told["calendar"], told["hours"], bool(told["set_by"])) == ("XHKG", None, True)
    year = overridden.get("/calendars/XHKG?year=2027").data
    assert year["overrides"] == [told]
    assert CLOSED["day"] in year["closed"]
    assert CLOSED["day"] not in {each["day"] for each in year["sessions"]}
    assert overridden.get("/calendars/XHKG?year=2026").data["overrides"] == []


def test_a_day_is_overridden_in_its_tenant_alone(overridden: ApiServer) -> None:
    north = overridden.as_(Role.DEFINE, tenant="north")
    assert north.get(DAYS).data == []
    assert CLOSED["day"] not in north.get("/calendars/XHKG?year=2027").data["closed"]


def test_who_overrides_is_in_the_audit(overridden: ApiServer) -> None:
    entry = overridden.as_(Role.ADMIN).get("/audit?object_type=calendar&object=XHKG").data["items"][0]
    assert (entry["action"], entry["after"]["reason"]) == ("UPDATE", CLOSED["reason"])


def test_what_cannot_be_overridden_is_told_by_a_sentence(overridden: ApiServer) -> None:
    desk = overridden.as_(Role.DEFINE)
    again = desk.put(DAYS, CLOSED | {"kind": "half", "close": "12:00"})
    assert (again.status, again.code) == (409, 40902)
    assert "2027-03-17 of XHKG is overridden already: closed, by" in again.message
    assert desk.put("/calendars/XHKQ/days", CLOSED).code == 40401
    assert desk.put(DAYS, CLOSED | {"day": "2049-03-17"}).code == 42202
    assert desk.put(DAYS, CLOSED | {"kind": "shut"}).code == 42202
    assert desk.put(DAYS, CLOSED | {"reason": ""}).code == 42202
    assert "is not overridden" in desk.delete(f"{DAYS}/2027-03-18").message
    assert desk.delete(f"{DAYS}/2027-03-18").code == 40901
    assert desk.delete(f"{DAYS}/tomorrow").code == 42202
    assert overridden.as_(Role.OPERATE).put(DAYS, CLOSED).code == 40301


def test_own_calendars_are_imported_and_removed(api: ApiServer) -> None:
    desk = api.as_(Role.DEFINE)
    bad = desk.post("/calendars/desk/import", {"csv": "2026-01-05\nsoon\n", "timezone": "UTC"})
    assert (bad.code, "line 2: " in bad.message, "nothing was imported" in bad.message) == (42202, True, True)
    made = desk.post(
        "/calendars/desk/import", {"csv": "2026-01-05\n2026-01-06\n", "timezone": "UTC", "last": "2026-01-31"}
    )
    assert made.data == {
        "calendar": "desk", "kind": "workday", "is_new": True, "first": "2026-01-05", "last": "2026-01-31", "sessions": 2,
        "moved": 0,
    }  # fmt: skip
    both = {"document": {"calendar": "both", "all_of": ["desk", "XHKG"]}}
    assert desk.post("/calendars/other/import", both).code == 42202
    assert desk.post("/calendars/both/import", both).data["sessions"] == 2
    told = {each["name"]: each["is_own"] for each in api.get("/calendars").data}
    assert (told["desk"], told["both"], told["XHKG"]) == (True, True, False)
    assert [each["day"] for each in api.get("/calendars/both?year=2026").data["sessions"]] == [
        "2026-01-05",
        "2026-01-06",
    ]
    assert desk.delete("/calendars/desk").code == 40901
    assert [desk.delete(f"/calendars/{name}").status for name in ("both", "desk")] == [200, 200]
    assert desk.delete("/calendars/desk").code == 40401
    assert desk.post("/calendars/XSHG/import", {"csv": "2026-01-05\n", "timezone": "UTC"}).code == 40902


def test_a_calendar_that_begins_later_is_shown_with_its_first_sessions_as_the_next(api: ApiServer) -> None:
    desk = api.as_(Role.DEFINE)
    days = ["2101-01-05", "2101-01-06"]
    assert desk.post("/calendars/later/import", {"csv": "\n".join(days), "timezone": "UTC"}).status == 200
    shown = desk.get("/calendars/later").data
    assert (shown["year"], [each["day"] for each in shown["next"]]) == (2101, days)
    assert desk.delete("/calendars/later").status == 200

"""Trading calendars over HTTP: what each is, a year of one, and what is said where nothing is known."""

from __future__ import annotations

from datetime import date

import qflowd
from qflowd.model.roles import Role
from tests.support.http import ApiServer


def test_all_calendars_are_told_with_the_days_left_until_their_horizons(api: ApiServer) -> None:
    found = {each["name"]: each for each in api.as_(Role.READ, tenant="desk").get("/calendars").data}
    assert {"XSHG", "XHKG", "XNYS", "XTKS", "SHFE", "CN"} <= found.keys()
    shanghai = qflowd.calendar("XSHG")
    told = found["XSHG"]
    assert (told["kind"], told["timezone"], told["source"]) == ("exchange", "Asia/Shanghai", shanghai.source)
    assert (told["first"], told["last"]) == (str(shanghai.first), str(shanghai.last))
    today = shanghai.local(api.store.clock.now()).date()
    assert told["days_left"] == (shanghai.last - today).days
    assert told["ends_soon"] == (told["days_left"] <= 45)
    assert (found["CN"]["kind"], found["CN"]["products"]) == ("workday", [])
    assert "rb" in found["SHFE"]["products"]


def test_a_year_has_its_sessions_in_utc_and_the_days_it_is_closed_on(api: ApiServer) -> None:
    found = api.get("/calendars/XHKG?year=2024").data
    assert (found["year"], len(found["sessions"]), len(found["closed"])) == (2024, 246, 16)
    days = {each["day"]: each for each in found["sessions"]}
    assert [day for day, each in days.items() if each["is_half"]] == ["2024-02-09", "2024-12-24", "2024-12-31"]
    assert days["2024-02-09"] == {
        "day": "2024-02-09",
        "open_at": "2024-02-09T01:30:00Z",
        "close_at": "2024-02-09T04:00:00Z",
        "breaks": [],
        "night": None,
        "is_half": True,
    }
    assert days["2024-02-08"]["breaks"] == [["2024-02-08T04:00:00Z", "2024-02-08T05:00:00Z"]]
    assert "2024-12-25" in found["closed"]
    assert not days.keys() & {*found["closed"]}
    assert all(date.fromisoformat(day).isoweekday() < 6 for day in found["closed"])


def test_a_product_has_its_own_nights_and_none_before_a_holiday(api: ApiServer) -> None:
    found = api.get("/calendars/SHFE.ag?year=2026").data
    assert found["products"] == []
    nights = {each["day"]: each["night"] for each in found["sessions"]}
    assert nights["2026-10-08"] is None  # after the National Day
    assert nights["2026-11-23"] == ["2026-11-20T13:00:00Z", "2026-11-20T18:30:00Z"]
    shorter = {each["day"]: each["night"] for each in api.get("/calendars/SHFE.rb?year=2026").data["sessions"]}
    assert shorter["2026-11-23"] == ["2026-11-20T13:00:00Z", "2026-11-20T15:00:00Z"]
    weekends = api.get("/calendars/CN?year=2026").data["sessions"]
    saturday = next(each for each in weekends if each["day"] == "2026-02-14")
    assert (saturday["open_at"], saturday["breaks"], saturday["night"]) == (None, [], None)


def test_the_current_year_and_the_sessions_that_come_next_need_no_question(api: ApiServer) -> None:
    tokyo, now = qflowd.calendar("XTKS"), api.store.clock.now()
    found = api.get("/calendars/XTKS").data
    assert found["year"] == tokyo.local(now).year
    coming = [date.fromisoformat(each["day"]) for each in found["next"]]
    assert coming == [tokyo.next_session(coming[0], n) if n else coming[0] for n in range(5)]
    first = tokyo.session(coming[0])
    assert first.close_at is not None
    assert first.close_at > now
    before = tokyo.session(tokyo.prev_session(coming[0]))
    assert before.close_at is not None
    assert before.close_at <= now


def test_what_is_not_known_is_answered_by_a_sentence(api: ApiServer) -> None:
    unknown = api.get("/calendars/XSHQ")
    assert (unknown.status, unknown.code) == (404, 40401)
    assert "there is no calendar 'XSHQ'; did you mean XSHG?" in unknown.message
    assert "did you mean SHFE.rb?" in api.get("/calendars/SHFE.Rb").message
    calendar = qflowd.calendar("XSHG")
    late = api.get("/calendars/XSHG?year=2049")
    assert (late.status, late.code) == (400, 40002)
    known = f"year: calendar XSHG is known from {calendar.first} to {calendar.last}"
    assert late.message == f"{known}; a newer release of qflowd may know more"
    assert api.get(f"/calendars/XSHG?year={calendar.first.year - 1}").message == known
    assert api.get(f"/calendars/XSHG?year={calendar.first.year}").status == 200
    for wrong in ("year=0", "year=soon", "month=3", "year=2026&year=2025"):
        assert api.get(f"/calendars/XSHG?{wrong}").code == 40002

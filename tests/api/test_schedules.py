"""Schedules over HTTP: set to another time and reset, without a daemon; and their fires."""

from __future__ import annotations

from tests.api.test_workflow_writes import key_of_new
from tests.support.http import ApiServer

TWO = {
    "morning": {"cron": "0 9 * * *", "timezone": "Asia/Shanghai", "params": {"part": "am"}},
    "close": {"at": "close+30m", "calendar": "XSHG"},
}


def test_a_time_is_set_beside_that_of_the_file_and_reset(api: ApiServer) -> None:
    key = key_of_new(api, schedules=TWO)
    path = f"/workflows/{key}/schedules/morning"
    before = api.get(path)
    assert before.headers["etag"] == f'"{before.data["etag"]}"'
    assert (before.data["times"], before.data["params"], before.data["set_by"]) == ("0 9 * * *", {"part": "am"}, None)
    assert api.put(path, {"cron": "0 10 * * *"}).code == 42801
    body = {"cron": "0 10 * * *", "reason": "late"}
    reply = api.put(path, body, if_match=before.headers["etag"])
    found = reply.data
    told = ("times", "timezone", "source", "set_by", "set_reason")
    assert [found[name] for name in told] == ["0 10 * * *", "Asia/Shanghai", "command", "system-1", "late"]
    assert found["file_says"] == "0 9 * * * Asia/Shanghai"
    stale = api.put(path, {"cron": "0 11 * * *"}, if_match=before.headers["etag"])
    assert (stale.code, stale.data["current"]["times"]) == (41201, "0 10 * * *")
    wrong = api.put(path, {"cron": "61 * * * *"}, if_match=reply.headers["etag"])
    assert (wrong.status, wrong.code) == (422, 42202)
    [entry] = [each for each in api.get("/audit?object_type=schedule").data["items"] if key in each["object"]]
    assert (entry["action"], entry["after"]["times"]) == ("UPDATE", "0 10 * * *")
    reset = api.delete(path, if_match=reply.headers["etag"])
    assert (reset.data["times"], reset.data["set_by"], reset.data["file_says"]) == ("0 9 * * *", None, None)
    assert api.delete(path, if_match=reset.headers["etag"]).code == 40901
    assert api.get(f"/workflows/{key}/schedules/mourning").code == 40401


def test_a_new_schedule_is_written_into_a_draft_and_fires_when_that_is_activated(api: ApiServer) -> None:
    url = f"/workflows/{key_of_new(api, schedules=TWO)}"
    noon = {"cron": "0 12 * * *", "timezone": "Asia/Shanghai"}
    assert api.post(f"{url}/schedules", {"name": "noon"} | noon).code == 40501
    assert api.put(f"{url}/schedules/noon", noon, if_match="*").code == 40401
    draft = api.post(f"{url}/versions", {"copy_of": 1})
    path = f"{url}/versions/{draft.data['version']}"
    document = api.get(path).data["document"]
    document["schedules"]["noon"] = noon
    assert api.put(path, {"document": document}, if_match=draft.headers["etag"]).status == 200
    assert {row["name"] for row in api.get(f"{url}/schedules").data} == set(TWO)
    assert api.post(f"{path}/activate", {}).status == 200
    [added] = [row for row in api.get(f"{url}/schedules").data if row["name"] == "noon"]
    assert (added["times"], added["set_by"], added["enabled"]) == ("0 12 * * *", None, True)
    assert added["next_fire_at"] is not None


def test_fires_are_told_with_their_days(api: ApiServer) -> None:
    key = key_of_new(api, schedules=TWO)
    path = f"/workflows/{key}/schedules/close/fires"
    found = api.get(f"{path}?next=3").data
    assert [fire["schedule"] for fire in found["next"]] == ["close"] * 3
    assert [fire["at"] for fire in found["next"]] == [f"{fire['business_date']}T07:30:00Z" for fire in found["next"]]

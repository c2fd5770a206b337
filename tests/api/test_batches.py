"""Batches over HTTP: told first, held to what was told, watched, cancelled; and what is done to limits, schedules, failures."""

from __future__ import annotations

import pytest

from qflowd.model.ids import ORDINALS
from qflowd.model.roles import Role
from tests.support.house import House


def test_a_dry_run_tells_what_a_batch_would_do_and_the_batch_is_held_to_it(house: House) -> None:
    numbers = [house.failed() for _ in range(2)]
    about = {"action": "retry", "where": {"state": "FAILED", "workflow": "gated"}, "reason": "the vendor is back"}
    told = house.post("/batches?wait=30", about | {"dry_run": True})
    assert told.status == 200, told.body
    data = told.data
    assert (data["dry_run"], data["instances"], data["done"], data["tasks"]) == (True, 2, 2, 4)
    assert [row["id"] for row in data["sample"]] == numbers
    assert {house.state(number) for number in numbers} == {"FAILED"}
    more = house.failed()
    expect = {"instances": data["instances"], "digest": data["digest"]}
    changed = house.post("/batches?wait=30", about | {"expect": expect})
    assert (changed.status, changed.code) == (409, 40907)
    assert "3 instances match, 2 did then" in changed.message
    told = house.post("/batches?wait=30", about | {"dry_run": True}).data
    expect = {"instances": told["instances"], "digest": told["digest"]}
    done = house.post("/batches?wait=30", about | {"expect": expect})
    assert (done.status, done.data["done"], done.data["total"], done.data["failed"]) == (200, 3, 3, 0)
    shown = house.api.get(f"/batches/{done.data['id']}").data
    assert (shown["state"], shown["requested_by"].partition("-")[0], shown["where"]["state"]) == (
        "DONE",
        "system",
        "FAILED",
    )
    for number in [*numbers, more]:
        assert house.ended(number) == "FAILED"


def test_what_one_instance_refuses_does_not_stop_the_others(house: House) -> None:
    ended = house.started("greet")
    house.ended(ended)
    running, _ = house.running()
    reply = house.post("/batches?wait=30", {"action": "terminate", "ids": [ended, running]})
    assert (reply.status, reply.data["done"], reply.data["failed"]) == (200, 1, 1)
    [refusal] = reply.data["errors"]
    assert (refusal["instance_id"], "has already ended" in refusal["message"]) == (ended, True)
    assert house.ended(running) == "TERMINATED"


def test_batches_are_listed_the_newest_first_in_pages(house: House) -> None:
    for _ in range(3):
        house.post("/batches?wait=30", {"action": "pause", "ids": [1 << 40]})
    first = house.api.get("/batches?limit=2").data
    assert [item["state"] for item in first["items"]] == ["REJECTED", "REJECTED"]
    after = house.api.get(f"/batches?limit=2&cursor={first['next']}").data
    ids = [item["id"] for page in (first, after) for item in page["items"]]
    assert ids == sorted(ids, reverse=True)
    assert house.api.as_(Role.READ, tenant="other").get("/batches").data["items"] == []
    assert house.api.as_(Role.READ, tenant="other").get(f"/batches/{ids[0]}").status == 404


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"action": "pause"}, 42202),
        ({"action": "pause", "where": {}}, 42202),
        ({"action": "pause", "where": {"statte": "FAILED"}}, 42202),
        ({"action": "pause", "where": {"state": "LOST"}}, 42202),
        ({"action": "activate", "where": {"state": "OPEN"}}, 42202),
        ({"action": "pause", "where": {"workflow": "nothing_like*"}}, 40401),
        ({"action": "pause", "ids": []}, 42202),
    ],
)
def test_a_batch_that_cannot_be_is_refused(house: House, body: dict, code: int) -> None:
    assert house.post("/batches?wait=30", body).code == code


def test_a_caller_with_a_list_names_what_is_on_it(house: House) -> None:
    listed = house.api.as_(Role.OPERATE, workflows=("greet", "gat*"))
    assert listed.post("/batches", {"action": "pause", "where": {"state": "OPEN"}}).code == 40302
    assert listed.post("/batches", {"action": "pause", "where": {"workflow": "g*"}}).code == 40302
    for pattern in ("greet", "gat*", "gated"):
        body = {"action": "pause", "where": {"workflow": pattern, "state": "READY"}}
        assert listed.post("/batches?wait=30", body).code == 40401, "nothing matches, and nothing else was wrong"
    assert house.api.as_(Role.SUBMIT).post("/batches", {"action": "pause", "where": {"state": "OPEN"}}).code == 40301


def test_a_batch_that_has_ended_cannot_be_cancelled(house: House) -> None:
    number = house.started("greet")
    house.ended(number)
    batch = house.post("/batches?wait=30", {"action": "terminate", "ids": [number]}).data["id"]
    reply = house.post(f"/batches/{batch}/cancel?wait=30")
    assert (reply.status, reply.code) == (409, 40901)
    assert house.post("/batches/999999/cancel").code == 40401


def test_a_workflow_and_its_instances_are_paused_resumed_stopped_and_retried(house: House) -> None:
    number, gate = house.running()
    paused = house.post("/workflows/gated/pause?wait=30", {"reason": "holiday", "running": "finish"})
    assert (paused.status, house.state(number)) == (200, "PAUSED")
    assert "is paused" in paused.data["result"]["effect"]
    assert house.post("/workflows/gated/pause", {"running": "kill"}).code == 42202
    assert house.post("/workflows/gated/resume?wait=30").status == 200
    assert house.post("/workflows/gated/stop?wait=30", {"reason": "enough"}).data["result"]["done"] >= 1
    house.open(gate)
    assert house.ended(number) == "TERMINATED"
    failed = house.failed()
    newest = house.post("/workflows/gated/retry?wait=30")
    assert newest.data["result"]["instance_id"] == failed
    assert house.ended(failed) == "FAILED"
    many = house.post("/workflows/gated/retry?wait=30", {"since": "1h"})
    assert many.data["result"]["done"] >= 1
    assert house.ended(failed) == "FAILED"
    assert house.post("/workflows/greet/retry").code == 40901


def test_one_task_of_a_workflow_is_paused_resumed_triggered_and_retried(house: House) -> None:
    assert house.post("/workflows/greet/nodes/hello/pause?wait=30", {"reason": "x"}).status == 200
    number = house.started("greet")
    assert house.post("/workflows/greet/nodes/hello/trigger?wait=30", {"instance_id": number}).status == 200
    assert house.ended(number) == "SUCCESS"
    assert house.post("/workflows/greet/nodes/hello/resume?wait=30").status == 200
    alone = house.post("/workflows/greet/nodes/hello/trigger?wait=30", {"reason": "once"})
    assert house.ended(alone.data["result"]["instance_id"]) == "SUCCESS"
    failed = house.failed()
    assert house.post("/workflows/gated/nodes/first/retry?wait=30", {"instance_id": failed}).status == 200
    assert house.ended(failed) == "FAILED"
    assert house.post("/workflows/greet/nodes/absent/pause?wait=30").code == 40401


def test_a_failed_task_is_retried_skipped_and_its_failure_handled(house: House) -> None:
    number = house.failed()
    task = str(number * ORDINALS)
    assert house.post(f"/tasks/{task}/retry?wait=30").status == 200
    assert house.ended(number) == "FAILED"
    assert house.post(f"/failures/{task}/handle?wait=30", {"note": "seen"}).data["result"]["failures"] == 1
    assert house.post(f"/failures/{task}/handle?wait=30", {"note": "again"}).code == 40901
    assert house.post(f"/tasks/{task}/skip", {}).code == 42202, "a reason is needed"
    assert house.post(f"/tasks/{task}/skip?wait=30", {"reason": "not today"}).status == 200
    assert house.ended(number) == "SUCCESS"
    two = [house.failed(), house.failed()]
    body = {"tasks": [str(each * ORDINALS) for each in two], "note": "known", "resolution": "ignored"}
    assert [item["state"] for item in house.post("/failures/handle?wait=30", body).data["items"]] == ["DONE", "DONE"]
    house.failed()
    group = {"group": {"workflow": "gated", "error_class": "*"}, "note": "fixed the gate"}
    assert house.post("/failures/handle?wait=30", group).data["result"]["done"] >= 1
    assert house.post("/failures/handle", {"note": "x"}).code == 42202


def test_a_limit_is_set_paused_and_its_breaker_opened(house: House) -> None:
    path = "/limits/vendor:x"
    assert house.api.put(path, {"slots": 4}).code == 42801
    assert house.api.put(path, {"slots": 4}, if_match='"older"').code == 41201
    set_ = house.api.put(f"{path}?wait=30", {"slots": 4, "breaker": "5/min"}, if_match="*")
    assert set_.status == 200, set_.body
    for verb in ("pause", "resume", "open", "close"):
        assert house.post(f"{path}/{verb}?wait=30", {"reason": verb}).status == 200
    assert house.api.delete(f"{path}?wait=30", if_match="*").status == 200
    assert house.api.put(path, {"slots": 0}, if_match="*").code == 42202
    assert house.api.as_(Role.OPERATE).post(f"{path}/pause?wait=0").status == 202, "the default tenant runs the house"
    other = house.api.as_(Role.ADMIN, tenant="other")
    refused = [other.post(f"{path}/{verb}") for verb in ("pause", "resume", "open", "close")]
    refused += [other.put(path, {"slots": 4}, if_match="*"), other.delete(path, if_match="*")]
    assert {(reply.code, "needs role system" in reply.message) for reply in refused} == {(40301, True)}


def test_a_schedule_is_disabled_and_enabled(house: House) -> None:
    [schedule] = house.api.get("/workflows/desk%2Fplanned/schedules").data
    path = f"/workflows/desk%2Fplanned/schedules/{schedule['name']}"
    assert house.post(f"{path}/disable?wait=30", {"reason": "x"}).status == 200
    assert house.post(f"{path}/enable?wait=30").status == 200
    assert house.post("/workflows/desk%2Fplanned/schedules/absent/enable").code == 40401
    fired = house.post(f"{path}/fire?wait=30", {"business_date": "2026-11-20"}).data["result"]
    assert (fired["schedule"], fired["business_date"]) == (schedule["name"], "2026-11-20")
    [past] = house.api.get(f"{path}/fires").data["past"]
    assert (past["instance_id"], past["business_date"]) == (fired["submission_id"], "2026-11-20")

"""Writes over HTTP: rows of the inboxes, answered when the engine has answered them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from qflowd.model.ids import ORDINALS
from qflowd.model.roles import Role
from qflowd.store.tx import Tx
from tests.support.daemon import until
from tests.support.house import House


def test_a_workflow_is_started_and_says_which_instance_it_is(house: House) -> None:
    reply = house.post("/workflows/greet/start?wait=30", {"params": {"name": "desk"}, "name": "by hand"})
    assert reply.status == 201
    number = reply.data["instance_id"]
    assert reply.data["submission_id"] == number
    assert reply.headers["location"] == f"/api/v1/instances/{number}"
    assert house.ended(number) == "SUCCESS"
    row = house.api.store.read(lambda tx: tx.one("show_submission_answers", rows=[(number,)], tenant="default"))
    assert (row.name, row.submitted_by.partition("-")[0]) == ("by hand", "system")


def test_an_instance_is_made_and_started_later(house: House) -> None:
    number = house.post("/workflows/greet/instances?wait=30", {"params": {}}).data["instance_id"]
    assert house.state(number) == "READY"
    reply = house.post(f"/instances/{number}/start?wait=30")
    assert (reply.status, reply.data["state"], reply.data["action"]) == (200, "DONE", "start")
    assert house.ended(number) == "SUCCESS"


def test_a_running_instance_is_paused_and_resumed(house: House) -> None:
    number, gate = house.running()
    reply = house.post(f"/instances/{number}/pause?wait=30", {"reason": "the vendor is down"})
    assert (reply.status, reply.data["result"]) == (200, {"instance_id": number, "state": "PAUSED"})
    assert house.state(number) == "PAUSED"
    again = house.post(f"/instances/{number}/pause?wait=30")
    assert "already" in again.data["result"]
    assert house.post(f"/instances/{number}/resume?wait=30").status == 200
    house.open(gate)
    assert house.ended(number) == "SUCCESS"


def test_what_an_instance_cannot_do_now_is_a_conflict_that_says_what_it_can(house: House) -> None:
    number = house.started("greet")
    house.ended(number)
    reply = house.post(f"/instances/{number}/pause?wait=30")
    assert (reply.status, reply.code) == (409, 40901)
    assert reply.message.startswith(f"instance {number} is SUCCESS; only one that is RUNNING can be paused")
    assert reply.data["errors"][0]["message"] == reply.message


def test_a_failed_instance_is_retried(house: House) -> None:
    number = house.failed()
    reply = house.post(f"/instances/{number}/retry?wait=30", {"tasks": ["first"]})
    assert (reply.status, reply.data["result"]["restarted"]) == (200, 2)
    assert house.ended(number) == "FAILED"
    reply = house.post(f"/instances/{number}/retry?wait=30", {"tasks": ["absent"]})
    assert (reply.status, reply.code) == (404, 40401)


def test_a_running_instance_is_terminated(house: House) -> None:
    number, _ = house.running()
    assert house.post(f"/instances/{number}/terminate?wait=30", {"reason": "wrong day"}).status == 200
    assert house.ended(number) == "TERMINATED"


def test_a_task_that_runs_is_killed_and_its_instance_continues(house: House) -> None:
    number, _ = house.running()
    task = f"/tasks/{number * ORDINALS}"
    until(lambda: house.api.get(task).data["state"] == "RUNNING", 30, what="the task to run")
    reply = house.post(f"{task}/terminate?wait=30", {"reason": "hangs"})
    assert (reply.status, reply.data["state"], reply.data["result"]["terminated"]) == (200, "DONE", ["first"])
    ended = house.api.get(f"{task}?wait=30").data
    assert (ended["state"], ended["reason"]) == ("CANCELLED", "terminated")
    assert house.ended(number) == "FAILED"
    again = house.post(f"{task}/terminate?wait=30", {})
    assert (again.status, again.code) == (409, 40901)
    assert "task first of instance" in again.message
    assert house.api.as_(Role.SUBMIT).post(f"{task}/terminate", {}).code == 40301


def test_one_task_is_run_again_or_that_is_only_told(house: House) -> None:
    number = house.started("gated", {"gate": house.gate(is_open=True)})
    assert house.ended(number) == "SUCCESS"
    told = house.post(f"/instances/{number}/rerun?wait=30", {"from": "last", "dry_run": True})
    assert (told.status, told.data["result"]["rerun"], told.data["result"]["dry_run"]) == (200, ["last"], True)
    assert house.state(number) == "SUCCESS"
    done = house.post(f"/instances/{number}/rerun?wait=30", {"from": "last", "set": {"name": "again"}})
    assert done.data["result"]["restarted"] == 1
    assert house.ended(number) == "SUCCESS"


def test_a_submission_of_a_job_and_a_row_that_means_nothing(house: House) -> None:
    reply = house.post("/submissions?wait=30", {"job": "hello", "params": {"name": "row"}})
    assert (reply.status, house.ended(reply.data["instance_id"])) == (201, "SUCCESS")
    number = reply.data["submission_id"]
    shown = house.api.get(f"/submissions/{number}")
    assert (shown.data["state"], "x-poll-after" in shown.headers) == ("ACCEPTED", False)
    nothing = house.post("/submissions", {"params": {}})
    assert (nothing.status, nothing.code) == (422, 42202)
    assert "name either a workflow or a job" in nothing.message
    misspelt = house.post("/submissions", {"jobs": "hello"})
    assert (misspelt.status, misspelt.data["errors"][0]["where"]) == (422, "jobs")


def test_the_engines_reason_is_the_status(house: House) -> None:
    def code(path: str, body: dict) -> int:
        return house.post(f"{path}?wait=30", body).code

    assert code("/workflows/absent/start", {}) == 40401
    assert code("/submissions", {"workflow": "greet", "version": 99}) == 40401
    assert code("/submissions", {"job": "absent"}) == 42204
    assert code("/workflows/greet/start", {"params": {"name": [1]}}) == 42201
    assert code("/workflows/greet/start", {"priority": 4000}) == 42202
    assert code("/workflows/greet/start", {"business_date": "soon"}) == 42202


def test_each_param_that_does_not_fit_is_named_with_its_place(house: House) -> None:
    reply = house.post("/workflows/gated/start?wait=30", {"params": {"second": [1], "third": 1}})
    assert (reply.status, reply.code) == (422, 42201)
    assert reply.data["errors"] == [
        {"where": "params.gate", "message": "is missing"},
        {"where": "params.second", "message": '[1] is not of type "string"; write it like "IBM"'},
        {"where": "params", "message": "there is no 'third'; known: gate, second"},
    ]
    body = {"workflow": "greet", "overrides": {"tasks": {"hello": {"params": {"name": [1]}}}}}
    overridden = house.post("/submissions?wait=30", body)
    assert [each["where"] for each in overridden.data["errors"]] == ["overrides.tasks.hello.params.name"]
    number = house.started("greet")
    house.ended(number)
    rerun = house.post(f"/instances/{number}/rerun?wait=30", {"from": "hello", "set": {"name": {"a": 1}}})
    assert [each["where"] for each in rerun.data["errors"]] == ["args.set.name"]


def test_many_rows_are_written_together_or_not_at_all(house: House) -> None:
    rows = [{"workflow": "greet"}, {"job": "absent"}, {"job": "hello"}]
    reply = house.post("/submissions?wait=30", {"items": rows})
    assert reply.status == 201
    assert [item["state"] for item in reply.data["items"]] == ["ACCEPTED", "REJECTED", "ACCEPTED"]
    assert reply.data["items"][1]["error_code"] == 42204
    before = house.api.store.read(lambda tx: tx.one("largest_instance")).id
    faulty = house.post("/submissions", {"items": [{"workflow": "greet"}, {"workflow": "greet", "priority": 9999}, {}]})
    assert [fault["where"] for fault in faulty.data["errors"]] == ["items[1]", "items[2]"]
    assert house.api.store.read(lambda tx: tx.one("largest_instance")).id == before
    both = house.post("/submissions", {"workflow": "greet", "items": rows})
    assert both.data["errors"][0]["where"] == "workflow"


def test_many_rows_are_looked_up_and_answered_by_a_few_statements(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: Counter[str] = Counter()
    inner = Tx.run

    def counted(tx: Tx, statement: str, /, **params: Any) -> Any:
        counts[statement] += 1
        return inner(tx, statement, **params)

    started = house.post("/submissions?wait=30", {"items": [{"workflow": "greet"}] * 40}).data["items"]
    numbers = [item["instance_id"] for item in started]
    monkeypatch.setattr(Tx, "run", counted)
    caller = house.api.as_(Role.OPERATE, jobs=("hello",))
    commands = [{"action": "priority", "instance_id": number, "args": {"priority": 1}} for number in numbers]
    assert caller.post("/commands?wait=0", {"items": commands}).status == 202
    assert caller.post("/submissions?wait=0", {"items": [{"workflow": "greet"}] * 40}).status == 202
    absent = caller.post(
        "/commands?wait=0", {"items": [*commands, {"action": "pause", "instance_id": numbers[-1] + 9**9}]}
    )
    assert (absent.status, absent.code) == (404, 40401)
    looked = {name: counts[name] for name in ("find_targets", "show_command_answers", "show_submission_answers")}
    assert looked == {"find_targets": 2, "show_command_answers": 1, "show_submission_answers": 1}
    assert counts["list_jobs_of_workflow"] == 2


def test_any_command_can_be_asked_for(house: House) -> None:
    number, gate = house.running()
    reply = house.post("/commands?wait=30", {"action": "pause", "instance_id": number, "reason": "x"})
    assert (reply.status, reply.data["state"]) == (200, "DONE")
    shown = house.api.get(f"/commands/{reply.data['command_id']}")
    assert shown.data["result"] == {"instance_id": number, "state": "PAUSED"}
    rows = [{"action": "resume", "instance_id": number}, {"action": "pause", "task_id": str(number * ORDINALS + 1)}]
    many = house.post("/commands?wait=30", {"items": rows})
    assert [item["state"] for item in many.data["items"]] == ["DONE", "DONE"]
    assert house.post("/commands", {"action": "explode", "instance_id": number}).status == 422
    house.post("/commands?wait=30", {"action": "terminate", "instance_id": number})
    house.open(gate)
    assert house.ended(number) == "TERMINATED"


def test_the_role_is_that_of_the_action(house: House) -> None:
    number = house.started("greet")
    submitter, reader = house.api.as_(Role.SUBMIT), house.api.as_(Role.READ)
    assert submitter.post(f"/instances/{number}/pause").code == 40301
    assert submitter.post("/commands", {"action": "pause", "instance_id": number}).code == 40301
    assert reader.post("/workflows/greet/start").code == 40301
    assert house.api.as_(Role.OPERATE).post("/commands", {"action": "archive", "workflow": "greet"}).code == 40301
    assert submitter.post("/workflows/greet/start?wait=30").status == 201


def test_what_is_not_on_the_list_of_a_token_is_refused_before_it_is_written(house: House) -> None:
    number = house.started("greet")
    listed = house.api.as_(Role.OPERATE, workflows=("gat*",))
    assert listed.post("/workflows/greet/start").code == 40302
    assert listed.post(f"/instances/{number}/terminate").code == 40302
    assert listed.post("/commands", {"action": "pause", "workflow": "greet"}).code == 40302
    assert listed.post("/submissions", {"workflow": "greet"}).code == 40302
    of_jobs = house.api.as_(Role.SUBMIT, jobs=("gated",))
    assert of_jobs.post("/submissions", {"job": "hello"}).code == 40302
    assert of_jobs.post("/workflows/greet/start").code == 40302


def test_another_tenants_instance_is_not_there(house: House) -> None:
    number = house.started("greet")
    other = house.api.as_(Role.ADMIN, tenant="other")
    for path in (f"/instances/{number}/pause", f"/tasks/{number * ORDINALS}/retry", "/workflows/greet/start"):
        assert (other.post(path).status, other.post(path).code) == (404, 40401)
    assert other.get(f"/submissions/{number}").status == 404


def test_an_answer_that_is_not_waited_for_says_where_it_will_be(house: House) -> None:
    reply = house.post("/workflows/greet/start?wait=0")
    number = reply.data["submission_id"]
    assert (reply.status, reply.headers["location"]) == (202, f"/api/v1/submissions/{number}")
    later = house.api.get(f"/submissions/{number}?wait=30")
    assert (later.status, later.data["state"]) == (200, "ACCEPTED")


def test_an_instance_is_given_another_priority(house: House) -> None:
    number, gate = house.running()
    reply = house.post(f"/instances/{number}/priority?wait=30", {"priority": 100})
    assert (reply.status, reply.data["result"]["before"]) == (200, 0)
    assert house.post(f"/instances/{number}/priority", {"priority": 5000}).code == 42202
    house.open(gate)
    assert house.ended(number) == "SUCCESS"

"""Batches: a command for many is that of the dry run or none, is for instances by their ids, and can be cancelled."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.commands import bulk
from qflowd.model.refusals import Refusal
from tests.support.bulk import CHAIN, DRY, failed, many, of_workflow, to_the_end
from tests.support.lab import FAILED, Lab


def rehearsed(lab: Lab, action: str = "retry", **conditions) -> str:
    """The args that have a command carried out only if the set is still what it is now."""
    result = many(lab, action, {"args": DRY}, **conditions)[1]
    return json.dumps({"expect": {"instances": result["matched"], "digest": result["digest"]}})


def code(lab: Lab) -> int | None:
    return lab.sql("SELECT error_code FROM qflow.commands ORDER BY id DESC")[0][0]


def test_what_a_dry_run_found_is_carried_out(chains):
    numbers = failed(chains, count=3)
    args = rehearsed(chains, state="FAILED")
    assert many(chains, "retry", {"args": args}, state="FAILED")[1]["done"] == 3
    assert {chains.state(number) for number in numbers} == {"RUNNING"}


def test_a_set_that_has_changed_since_the_dry_run_is_left_alone(chains):
    numbers = failed(chains, count=3)
    args = rehearsed(chains, state="FAILED")
    chains.command("retry", numbers[0])
    state, error = many(chains, "retry", {"args": args}, state="FAILED")
    assert (state, code(chains)) == ("REJECTED", Refusal.OTHER_SET)
    assert error == "the set has changed since the dry run (2 instances match, 3 did then); make another dry run"
    chains.run()
    late = failed(chains)
    assert "others match now" in many(chains, "retry", {"args": args}, state="FAILED")[1]
    assert [chains.state(number) for number in [*numbers[1:], *late]] == ["FAILED"] * 3


def test_a_set_of_failures_is_compared_by_the_failures(chains):
    [number] = failed(chains)
    args = rehearsed(chains, "handle", task="*")
    columns = {"args": args, "reason": "the vendor was down"}
    chains.command("rerun", number, task="a")
    chains.run({"a": FAILED})
    assert many(chains, "handle", columns, task="*")[0] == "DONE", "the same task has failed again"


def test_what_is_expected_is_read_strictly(chains):
    number = chains.start("chain")
    error = many(chains, "pause", {"args": '{"expect": {"instances": "3"}}'}, state="OPEN")[1]
    assert "args.expect.instances" in error
    assert "args.expect.digest" in error
    assert chains.command("pause", number, args='{"expect": {}}')[1].startswith("args.expect: only commands for many")


def test_instances_are_named_by_their_ids(chains):
    chains.workflow("other", CHAIN)
    one, _, three = failed(chains, count=3)
    [four] = failed(chains, "other")
    assert many(chains, "retry", ids=[one, four, 1 << 40])[1]["done"] == 2
    assert many(chains, "retry", ids=[one, three], workflow="oth*") == (
        "REJECTED",
        "no instance matches ids=2 of them, workflow=oth*; `qflowd ps` lists those there are",
    )
    assert many(chains, "handle", {"reason": "seen"}, ids=[one, three])[1]["done"] == 1
    assert "1 to 1,000 ids" in many(chains, "retry", ids=[])[1]


def test_instances_of_other_tenants_are_not_found_by_their_ids(chains):
    [number] = failed(chains)
    chains.sql("UPDATE qflow.workflow_instance SET tenant = 'desk'")
    assert many(chains, "retry", ids=[number])[0] == "REJECTED"


@pytest.mark.parametrize("by", [of_workflow, None])
def test_a_command_for_many_is_marked(chains, by):
    chains.start("chain")
    if by is None:
        many(chains, "pause", state="OPEN")
    else:
        by(chains, "pause")
    chains.command("terminate", 1)
    assert [mark for (mark,) in chains.sql("SELECT is_batch FROM qflow.commands ORDER BY id")] == [1, 0]


def test_a_command_for_many_is_cancelled_between_two_steps(chains, monkeypatch):
    monkeypatch.setattr(bulk, "LOOKS", 3)
    numbers = [chains.start("chain") for _ in range(8)]
    asked = chains.ask("pause", filter='{"state": "OPEN"}')
    chains.commands.tick()
    cancel = chains.ask("cancel", args=json.dumps({"command": asked}), requested_by="ann", reason="too many")
    to_the_end(chains, cancel)
    state, result = chains.answer(asked)
    assert (state, result["cancelled"]) == ("DONE", "cancelled by ann: too many")
    assert 3 <= result["done"] < 8
    assert chains.answer(cancel) == ("DONE", {"command": asked, "done": result["done"]})
    assert sum(chains.state(number) == "PAUSED" for number in numbers) == result["done"]
    assert result["total"] == 8, "it says what it has not come to"
    assert chains.sql("SELECT COUNT(*) FROM qflow.bulk_command") == [(0,)]


@pytest.mark.parametrize("told", [False, True])
def test_how_many_there_are_is_told_from_the_first_step(chains, monkeypatch, told):
    monkeypatch.setattr(bulk, "LOOKS", 3)
    numbers = [chains.start("chain") for _ in range(8)]
    chains.command("pause", numbers[5])
    args = rehearsed(chains, "terminate", state="RUNNING") if told else None
    asked = chains.ask("terminate", filter='{"state": "RUNNING"}', reason="x", args=args)
    seen = []
    while not chains.sql(f"SELECT 1 FROM qflow.commands WHERE id = {asked} AND state <> 'NEW'"):
        chains.commands.tick()
        seen.append(chains.answer(asked)[1])
    assert [(result["matched"], result.get("total")) for result in seen] == [(3, 7), (5, 7), (7, None)]


def test_what_is_too_much_to_be_counted_is_not(chains, monkeypatch):
    monkeypatch.setattr(bulk, "LOOKS", 2)
    monkeypatch.setattr(bulk, "COUNTED", 2)
    for _ in range(7):
        chains.start("chain")
    asked = chains.ask("pause", filter='{"state": "OPEN"}')
    chains.commands.tick()
    assert "total" not in chains.answer(asked)[1]


def test_a_command_that_has_not_begun_is_rejected_when_it_is_cancelled(chains):
    number = chains.submit("chain")
    asked = chains.ask("pause", number)  # it waits until the submission is taken
    assert chains.command("cancel", args=json.dumps({"command": asked}))[0] == "DONE"
    assert chains.answer(asked)[0] == "REJECTED"
    assert chains.answer(asked)[1].startswith("cancelled by command ")


def test_what_cannot_be_cancelled_is_said(chains):
    number = chains.start("chain")
    asked = chains.ask("pause", number)
    chains.commands.tick()
    answered = chains.command("cancel", args=json.dumps({"command": asked}))
    assert answered == ("REJECTED", f"command {asked} has been answered: it is DONE")
    assert chains.command("cancel", args='{"command": 999}') == ("REJECTED", "there is no command 999 to cancel")
    assert code(chains) == Refusal.NOT_FOUND
    other = chains.ask("pause", number, tenant="desk")
    assert "there is no command" in chains.command("cancel", args=json.dumps({"command": other}))[1]

"""A row that is rejected says why twice: in a sentence for people, and as a number for programs."""

from __future__ import annotations

import pytest

from qflowd.model.refusals import Refusal
from tests.support.bulk import CHAIN
from tests.support.lab import Lab


def codes(lab: Lab, table: str) -> list[int | None]:
    return [code for (code,) in lab.sql(f"SELECT error_code FROM qflow.{table} ORDER BY id")]


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ({"workflow": "nightly"}, Refusal.NOT_FOUND),
        ({"workflow": "chain", "version": 9}, Refusal.NOT_FOUND),
        ({"workflow": None, "job": "absent"}, Refusal.UNKNOWN_NAME),
        ({"workflow": "chain", "params": "[1]"}, Refusal.FAULTY),
        ({"workflow": "strict", "params": '{"day": "x"}'}, Refusal.PARAMS),
        ({"workflow": "chain", "overrides": '{"tasks": {"x": {}}}'}, Refusal.FAULTY),
        ({"workflow": "chain", "name": "other", "idempotency_key": "k"}, Refusal.KEY_REUSED),
        ({"workflow": "chain"}, None),
    ],
)
def test_a_submission_says_why_it_was_rejected(chains, row, code):
    chains.workflow("strict", CHAIN, params={"day": {"type": "integer"}})
    chains.start("chain", idempotency_key="k")
    chains.start(**row)
    assert codes(chains, "submissions") == [None, code]


@pytest.mark.parametrize(
    ("action", "columns", "code"),
    [
        ("pause", {"instance_id": 1 << 40}, Refusal.NOT_FOUND),
        ("pause", {"workflow": "nightly"}, Refusal.NOT_FOUND),
        ("resume", {}, Refusal.WRONG_STATE),
        ("explode", {}, Refusal.FAULTY),
        ("pause", {"args": '{"absent": 1}'}, Refusal.FAULTY),
        ("skip", {"task": "a"}, Refusal.FAULTY),
        ("rerun", {"task": "a"}, Refusal.WRONG_STATE),
        ("pause", {"task": "z"}, Refusal.NOT_FOUND),
        ("pause", {}, None),
    ],
)
def test_a_command_says_why_it_was_rejected(chains, action, columns, code):
    number = chains.start("chain")
    chains.command(action, **({} if "workflow" in columns else {"instance_id": number}) | columns)
    assert codes(chains, "commands") == [code]


def test_a_filter_that_matches_nothing_and_one_that_is_none(chains):
    chains.command("pause", filter='{"state": "FAILED"}')
    chains.command("pause", filter='{"statte": "FAILED"}')
    assert codes(chains, "commands") == [Refusal.NOT_FOUND, Refusal.FAULTY]


def test_a_fault_of_ours_is_none_of_the_row(chains, monkeypatch):
    def fail(*_: object) -> None:
        raise RuntimeError("a fault")

    number = chains.start("chain")
    monkeypatch.setattr("qflowd.engine.commands.inbox.find_verb", fail)
    chains.command("pause", number)
    assert codes(chains, "commands") == [Refusal.FAULT_OF_OURS]

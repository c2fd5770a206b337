"""Commands that came by SQL or the command line are in the audit, with their answer, once."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.access.audit import AuditEntry, write_audit
from qflowd.engine.commands.inbox import Commands
from qflowd.store.tx import Store


def entries(lab, columns="tenant, principal, action, object_type, object, outcome"):
    return lab.sql(f"SELECT {columns} FROM qflow.audit ORDER BY id")


def test_an_answered_command_has_one_entry_with_who_what_and_how_it_came_out(chains):
    number = chains.start("chain")
    chains.command("pause", number, requested_by="ann", reason="quiet please")
    chains.command("terminate", number, requested_by="ann")
    chains.command("retry", 99)
    chains.command("pause_limit", args='{"limit": "bank:x"}', requested_by="bob")
    chains.command("archive", workflow="chain")
    chains.command("nonsense")
    assert entries(chains)[:4] == [
        ("default", "ann", "PAUSE", "instance", str(number), "done"),
        ("default", "ann", "CANCEL", "instance", str(number), "done"),
        ("default", None, "RETRY", "instance", "99", "rejected"),
        ("default", "bob", "PAUSE_LIMIT", "limit", "bank:x", "rejected"),
    ]
    assert [row[2:] for row in entries(chains)[4:]] == [
        ("ARCHIVE", "workflow", "chain", "done"),
        ("NONSENSE", "command", entries(chains, "object")[5][0], "rejected"),
    ]
    [(first,), _, (third,), *_] = entries(chains, "changed_to")
    assert json.loads(first) == {"reason": "quiet please"}
    assert "there is no instance 99" in json.loads(third)["error"]
    assert entries(chains, "command_id") == chains.sql("SELECT id FROM qflow.commands ORDER BY id")


def test_a_command_that_has_its_entry_already_gets_no_other(chains):
    number = chains.start("chain")
    command = chains.ask("pause", number)
    entry = AuditEntry(
        tenant="default",
        action="PAUSE",
        object_type="instance",
        object=str(number),
        outcome="asked",
        command_id=command,
    )
    chains.store.transact(lambda tx: write_audit(tx, entry))
    chains.commands.tick()
    assert chains.answer(command)[0] == "DONE"
    assert entries(chains, "outcome") == [("asked",)]


def test_a_dry_run_leaves_no_entry_and_a_command_for_many_leaves_one(chains):
    for _ in range(3):
        chains.start("chain")
    chains.command("terminate", filter='{"workflow": "chain"}', args='{"dry_run": true}')
    assert entries(chains) == []
    state, _ = chains.command("terminate", filter='{"workflow": "chain"}', reason="all of it")
    while state == "NEW":
        chains.commands.tick()
        [(state,)] = chains.sql("SELECT state FROM qflow.commands ORDER BY id DESC LIMIT 1")
    assert [row[2] for row in entries(chains)] == ["CANCEL"]


def test_a_row_that_cannot_be_read_has_its_entry_too(lab):
    number = lab.ask("pause", args="not json")
    lab.commands.tick()
    assert entries(lab) == [("default", None, "PAUSE", "command", str(number), "rejected")]


class Killed(Exception):
    """The daemon is gone at this point."""


@pytest.mark.parametrize("point", ["before_commit", "after_commit"])
def test_entry_and_answer_are_one_transaction(chains, point):
    number = chains.start("chain")
    chains.ask("pause", number)

    def kill(transaction: str, at: str) -> None:
        if (transaction, at) == ("command", point):
            raise Killed

    dying = Store(chains.url, clock=chains.clock, fault=kill)
    service = Commands(dying, chains.plans, chains.lanes, chains.jobs, chains.topics)
    service._reject = lambda number, error: None  # type: ignore[method-assign] # a dead daemon answers nothing
    service.tick()
    dying.close()
    chains.commands.tick()
    assert [row[2] for row in entries(chains)] == ["PAUSE"]

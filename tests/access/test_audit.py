"""The audit: an entry in the transaction of what it tells, only what differs, never a secret."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.access import audit, tokens
from qflowd.engine.access.audit import Actor, AuditEntry, write_audit
from qflowd.engine.access.tokens import Scope, make_token, revoke_token
from qflowd.model.roles import Role
from tests.access.conftest import BOSS


def entries(sql, thing):
    columns = "action, object_type, principal, tenant, changed_from, changed_to, outcome"
    return sql(f"SELECT {columns} FROM qflow.audit_entries WHERE object = '{thing}' ORDER BY id")


def test_making_and_revoking_a_token_is_told(store, sql, person):
    row = person(tenant="desk")
    actor = Actor("ann", "desk", Role.ADMIN, "abcdefghij", 7, "10.2.0.7", "r-1")
    token = store.transact(lambda tx: make_token(tx, actor, row, Scope(Role.READ, ("daily_*",)), note="for cron"))
    store.transact(lambda tx: revoke_token(tx, actor, token.id))
    made, revoked = entries(sql, token.id)
    assert made[:4] == ("TOKEN_CREATE", "token", "ann", "desk")
    told = json.loads(made[5])
    assert told["expires_at"].startswith(f"{token.expires_at:%Y-%m-%dT%H:%M}")
    assert told | {"expires_at": ""} == {
        "principal": row.name, "role": "read", "workflows": ["daily_*"], "jobs": [], "networks": [], "expires_at": "",
        "note": "for cron",
    }  # fmt: skip
    assert revoked == ("TOKEN_REVOKE", "token", "ann", "desk", json.dumps({"principal": row.name}), None, "done")
    by = sql(f"SELECT token, session_id, address, request_id FROM qflow.audit_entries WHERE object = '{token.id}'")
    assert set(by) == {("abcdefghij", 7, "10.2.0.7", "r-1")}


def test_nothing_is_told_of_what_was_rolled_back(store, sql, person):
    row = person()

    class Undo(Exception):
        pass

    names = []

    def work(tx):
        names.append(make_token(tx, BOSS, row, Scope(Role.READ)).id)
        raise Undo

    with pytest.raises(Undo):
        store.transact(work)
    assert entries(sql, names[0]) == []
    assert row.name not in {token.principal for token in store.read(lambda tx: tokens.list_tokens(tx, BOSS))}


def test_only_what_differs_is_kept(store, sql):
    before, after = {"title": "a", "domain": "x", "old": 1}, {"title": "b", "domain": "x", "new": 2}
    entry = AuditEntry(tenant="default", action="UPDATE", object_type="w", object="differs", before=before, after=after)
    store.transact(lambda tx: write_audit(tx, entry))
    [row] = entries(sql, "differs")
    assert json.loads(row[4]) == {"title": "a", "old": 1, "new": None}
    assert json.loads(row[5]) == {"title": "b", "old": None, "new": 2}


def test_secrets_are_masked_at_any_depth(store, sql):
    after = {
        "password": "p4ss", "nested": [{"api_key": "p4ss", "plain": "seen"}], "code": "p4ss", "exit_code_of": "seen",
        "token": None, "db_password": {"a": "p4ss"},
    }  # fmt: skip
    entry = AuditEntry(tenant="default", action="CREATE", object_type="w", object="masked", after=after)
    store.transact(lambda tx: write_audit(tx, entry))
    [row] = entries(sql, "masked")
    assert "p4ss" not in row[5]
    assert row[5].count("seen") == 2
    assert json.loads(row[5])["token"] is None


def test_what_is_too_large_leaves_its_size(store, sql):
    after = {"document": "x" * (20 << 10), "title": "y"}
    entry = AuditEntry(tenant="default", action="CREATE", object_type="w", object="o" * 300, after=after)
    store.transact(lambda tx: write_audit(tx, entry))
    [row] = entries(sql, "o" * 200)
    assert json.loads(row[5])["document"] == "20,482 characters"
    assert len(row[5]) < audit.LONGEST_VALUES

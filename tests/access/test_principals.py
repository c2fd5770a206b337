"""Principals: seen and changed within a tenant and a role; nobody locks themselves out; a deleted one leaves no door open."""

from __future__ import annotations

import json

import pytest

from qflowd.engine.access import login, principals, sessions, tokens
from qflowd.engine.access.audit import Actor
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.roles import Role
from tests.access.conftest import BOSS

ADMIN = Actor("ann", "default", Role.ADMIN)


def changed(store, actor, row, **more):
    change = {"kind": row.kind, "role": Role(row.role), "is_disabled": False, **more}
    return store.transact(lambda tx: principals.change_principal(tx, actor, row, **change))


def test_a_change_is_seen_and_told(store, sql, person):
    row = changed(store, ADMIN, person(Role.READ), role=Role.DEFINE, kind="service")
    assert (row.role, row.kind, row.disabled_at) == (Role.DEFINE, "service", None)
    where = f"object = '{row.name}' AND action = 'UPDATE'"
    [(before, after, who)] = sql(f"SELECT changed_from, changed_to, principal FROM qflow.audit_entries WHERE {where}")
    assert json.loads(before) == {"kind": "human", "role": "read"}
    assert json.loads(after) == {"kind": "service", "role": "define"}
    assert who == "ann"


def test_an_administrator_sees_their_tenant_and_no_greater_role(store, person):
    mine, theirs, system = person(), person(tenant="desk"), person(Role.SYSTEM)
    seen = {row.id for row in store.read(lambda tx: principals.list_principals(tx, ADMIN))}
    assert mine.id in seen
    assert not seen & {theirs.id, system.id}
    assert store.read(lambda tx: principals.show_principal(tx, ADMIN, mine.id)).name == mine.name
    for row in (theirs, system):
        with pytest.raises(NotFound):
            store.read(lambda tx, row=row: principals.show_principal(tx, ADMIN, row.id))
    with pytest.raises(InvalidRequest, match="cannot be given by ann"):
        changed(store, ADMIN, mine, role=Role.SYSTEM)


def test_nobody_locks_themselves_out(store, person):
    row = person(Role.ADMIN)
    me = Actor(row.name, "default", Role.ADMIN)
    for change in ({"is_disabled": True}, {"role": Role.READ}):
        with pytest.raises(Refused, match="another administrator can"):
            changed(store, me, row, **change)
    with pytest.raises(Refused, match="another administrator can"):
        store.transact(lambda tx: principals.delete_principal(tx, me, row))
    assert changed(store, me, row, kind="service").kind == "service"


def test_a_deleted_principal_leaves_no_door_open(store, person):
    row = person()
    token = store.transact(lambda tx: tokens.make_token(tx, BOSS, row, tokens.Scope(Role.READ)))
    session = store.transact(lambda tx: sessions.begin_session(tx, row, None, ""))
    code = store.transact(lambda tx: login.make_login_code(tx, BOSS, row))
    store.transact(lambda tx: principals.delete_principal(tx, BOSS, row))
    with pytest.raises(tokens.CredentialsRefused):
        store.read(lambda tx: tokens.find_caller(tx, token.text, None, tx.now))
    with pytest.raises(tokens.CredentialsRefused):
        store.read(lambda tx: sessions.find_session(tx, session.secret, tx.now))
    with pytest.raises(tokens.CredentialsRefused):
        login.sign_in_by_code(store, code, None, "")
    with pytest.raises(NotFound):
        store.read(lambda tx: principals.show_principal(tx, BOSS, row.id))
    again = store.transact(lambda tx: principals.add_principal(tx, BOSS, row.name, "human", Role.READ))
    assert again.id != row.id


def test_a_disabled_principal_has_no_use_of_its_tokens(store, person):
    row = person()
    token = store.transact(lambda tx: tokens.make_token(tx, BOSS, row, tokens.Scope(Role.READ)))
    off = changed(store, BOSS, row, is_disabled=True)
    with pytest.raises(tokens.CredentialsRefused, match="which is disabled"):
        store.read(lambda tx: tokens.find_caller(tx, token.text, None, tx.now))
    assert changed(store, BOSS, off, is_disabled=True).disabled_at == off.disabled_at
    changed(store, BOSS, off)
    assert store.read(lambda tx: tokens.find_caller(tx, token.text, None, tx.now)).principal == row.name

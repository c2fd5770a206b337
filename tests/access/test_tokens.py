"""Tokens: made once, found by their text, bounded by role, network and time, revoked; only a hash is stored."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from qflowd.engine.access import tokens
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.callers import Caller
from qflowd.engine.access.principals import add_principal, find_principal
from qflowd.engine.access.tokens import CredentialsRefused, Scope, find_caller, make_token, revoke_token
from qflowd.model.errors import InvalidRequest, NameTaken, NotFound
from qflowd.model.roles import Role
from tests.access.conftest import BOSS

DAY = timedelta(days=1)


def made(store, row, scope=Scope(Role.SYSTEM), **more):  # noqa: B008 - a tuple
    return store.transact(lambda tx: make_token(tx, BOSS._replace(tenant=row.tenant), row, scope, **more))


def found(store, text, address="10.2.0.7", later=timedelta(0)):
    return store.read(lambda tx: find_caller(tx, text, address, tx.now + later))


def refusal(store, text, **more):
    with pytest.raises(CredentialsRefused) as caught:
        found(store, text, **more)
    return str(caught.value)


def test_a_token_says_who_calls(store, person):
    row = person(Role.OPERATE, "desk")
    token = made(store, row, Scope(Role.SUBMIT, ("daily_*",), ("hello",)))
    assert re.fullmatch(r"qf_[a-z2-7]{10}_[0-9A-Za-z]{43}", token.text)
    caller = found(store, token.text)
    assert caller._replace(secret="") == Caller(
        row.name, "desk", Role.SUBMIT, row.id, token.id, workflows=("daily_*",), jobs=("hello",), is_bound=True
    )


def test_a_token_does_no_more_than_its_principal(store, person):
    assert found(store, made(store, person(Role.READ)).text).role is Role.READ


def test_nothing_in_the_database_opens_anything(store, sql, person):
    token = made(store, person())
    secret = token.text.rpartition("_")[2]
    for table in ("token", "principal", "audit"):
        rows = sql(f"SELECT * FROM qflow.{table}")
        assert rows
        assert not [row for row in rows if secret in str(row)]
    [(stored,)] = sql(f"SELECT secret_hash FROM qflow.token WHERE id = '{token.id}'")
    assert "no such token" in refusal(store, f"qf_{token.id}_{stored[:43]}")


@pytest.mark.parametrize(
    "text", ["", "qf_", "hello", "qf_aaaaaaaaaa_" + "0" * 43, "qf_aaaaaaaaaa_" + "0" * 44, "ü" * 57]
)
def test_what_is_no_token_is_refused(store, text):
    assert "there is no such token" in refusal(store, text)


def test_a_wrong_secret_is_refused_though_the_id_is_right(store, person):
    token = made(store, person())
    wrong = token.text[:-1] + ("a" if token.text[-1] != "a" else "b")
    assert "there is no such token" in refusal(store, wrong)
    assert found(store, token.text)


def test_a_token_expires(store, person):
    token = made(store, person(), lives=2 * DAY)
    assert found(store, token.text, later=DAY)
    assert "expired at" in refusal(store, token.text, later=3 * DAY)


def test_a_token_lives_no_longer_than_400_days(store, person):
    row = person()
    for lives in (401 * DAY, timedelta(0), -DAY):
        with pytest.raises(InvalidRequest, match="up to 400 days"):
            made(store, row, lives=lives)
    assert made(store, row, lives=400 * DAY)


def test_a_token_is_used_from_its_networks_alone(store, person):
    token = made(store, person(), Scope(Role.READ, networks=("10.2.0.0/16", "fd00::/8")))
    for address in ("10.2.255.1", "fd00::1", "::ffff:10.2.0.1", "fd00::1%eth0"):
        assert found(store, token.text, address)
    for address in ("10.3.0.1", "::1", "", None, "somewhere"):
        assert "may not be used from" in refusal(store, token.text, address=address)
    with pytest.raises(InvalidRequest, match="not a network"):
        made(store, person(), Scope(Role.READ, networks=("10.2.0.1/16",)))


def test_a_revoked_token_is_refused_and_stays_so(store, person):
    row = person()
    token = made(store, row)
    assert store.transact(lambda tx: revoke_token(tx, BOSS, token.id)) is True
    assert store.transact(lambda tx: revoke_token(tx, BOSS, token.id)) is False
    assert "was revoked" in refusal(store, token.text)


def test_a_token_of_another_tenant_or_a_greater_role_is_not_there(store, person):
    mine, theirs = made(store, person()), made(store, person(tenant="desk"))
    system = made(store, person(Role.SYSTEM))
    admin = Actor("ann", "default", Role.ADMIN)
    for number in (theirs.id, system.id, "nothing"):
        with pytest.raises(NotFound, match="has no token"):
            store.transact(lambda tx, number=number: revoke_token(tx, admin, number))
    with pytest.raises(NotFound):
        store.transact(lambda tx: revoke_token(tx, admin, mine.id, principal_id=1 << 40))
    listed = {row.id for row in store.read(lambda tx: tokens.list_tokens(tx, admin))}
    assert mine.id in listed
    assert not listed & {theirs.id, system.id}
    assert found(store, theirs.text)
    assert found(store, system.text).role is Role.SYSTEM


def test_nobody_gives_more_than_they_have(store, person):
    admin = Actor("ann", "default", Role.ADMIN)
    row = person(Role.SYSTEM)
    with pytest.raises(InvalidRequest, match="cannot be given by ann"):
        store.transact(lambda tx: make_token(tx, admin, row, Scope(Role.SYSTEM)))
    with pytest.raises(InvalidRequest, match="cannot be given by ann"):
        store.transact(lambda tx: add_principal(tx, admin, "god", "human", Role.SYSTEM))
    with pytest.raises(NotFound):
        store.read(lambda tx: find_principal(tx, admin, row.name))


def test_a_use_is_noted_every_ten_minutes_at_most(store, sql, person):
    token = made(store, person())
    assert tokens.is_use_due(found(store, token.text).used_at, store.clock.now())
    store.transact(lambda tx: tokens.note_use(tx, token.id))
    first = found(store, token.text).used_at
    assert first is not None
    assert not tokens.is_use_due(first, store.clock.now())
    store.transact(lambda tx: tokens.note_use(tx, token.id))
    assert found(store, token.text).used_at == first
    assert tokens.is_use_due(first, first + timedelta(minutes=11))


def test_names_of_principals_are_unique_among_tenants(store, person):
    row = person()
    with pytest.raises(NameTaken, match="choose another name"):
        store.transact(lambda tx: add_principal(tx, BOSS._replace(tenant="desk"), row.name, "human", Role.READ))


@pytest.mark.parametrize(
    ("name", "kind", "role"),
    [("", "human", Role.READ), ("a b", "human", Role.READ), ("x", "robot", Role.READ), ("x", "human", Role.NONE)],
)
def test_what_no_principal_can_be_is_refused(store, name, kind, role):
    with pytest.raises(InvalidRequest):
        store.transact(lambda tx: add_principal(tx, BOSS, name, kind, role))

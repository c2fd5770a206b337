"""Sessions: found by their secret, ended by time, by hand, and with what they belong to; only a hash is stored."""

from __future__ import annotations

from datetime import timedelta

import pytest

from qflowd.engine.access import principals, sessions
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.digests import csrf_of, is_csrf_of, new_secret
from qflowd.engine.access.sessions import SessionEnded, begin_session, end_session, find_session, list_sessions
from qflowd.model.errors import NotFound
from qflowd.model.roles import Role
from tests.access.conftest import BOSS

HOUR = timedelta(hours=1)


def begun(store, row):
    return store.transact(lambda tx: begin_session(tx, row, "10.2.0.7", "Firefox " + "x" * 400))


def found(store, secret, later=timedelta(0)):
    return store.read(lambda tx: find_session(tx, secret, tx.now + later))


def is_over(store, secret, later=timedelta(0)):
    try:
        found(store, secret, later)
    except SessionEnded:
        return True
    return False


def test_a_session_says_who_calls(store, person):
    row = person(Role.DEFINE, "desk")
    session = begun(store, row)
    caller = found(store, session.secret)
    assert (caller.principal, caller.tenant, caller.role, caller.token) == (row.name, "desk", Role.DEFINE, None)
    assert (caller.session, caller.secret) == (session.id, session.secret)
    assert session.caller == caller


def test_its_secret_is_stored_nowhere(store, sql, person):
    session = begun(store, person())
    for table in ("session", "audit"):
        rows = sql(f"SELECT * FROM qflow.{table}")
        assert rows
        assert not [row for row in rows if session.secret in str(row)]


def test_it_ends_when_idle_and_at_the_latest_after_a_week(store, sql, person):
    session = begun(store, person())
    assert not is_over(store, session.secret, 11 * HOUR)
    assert is_over(store, session.secret, 13 * HOUR)
    eight_days = store.dialect.renderer.templates["clock_plus"].format(8 * 24 * 3600)
    sql(f"UPDATE qflow.session SET seen_at = {eight_days} WHERE id = {session.id}")
    assert is_over(store, session.secret, 8 * 24 * HOUR)


@pytest.mark.parametrize("secret", ["", "x", "ü", "0" * 43])
def test_what_is_no_session_is_refused(store, secret):
    assert is_over(store, secret)


def test_it_is_ended_by_its_owner_or_an_administrator_of_its_tenant(store, person):
    row = person()
    mine, theirs = begun(store, row), begun(store, person(tenant="desk"))
    with pytest.raises(NotFound):
        store.transact(lambda tx: end_session(tx, BOSS, theirs.id))
    with pytest.raises(NotFound):
        store.transact(lambda tx: end_session(tx, BOSS, mine.id, principal_id=row.id + 1))
    with pytest.raises(NotFound):
        store.transact(lambda tx: end_session(tx, Actor("x", "default", Role.READ), mine.id))
    assert store.transact(lambda tx: end_session(tx, BOSS, mine.id, principal_id=row.id))
    assert not store.transact(lambda tx: end_session(tx, BOSS, mine.id))
    assert is_over(store, mine.secret)
    assert not is_over(store, theirs.secret)


def test_sessions_are_listed_while_they_last(store, person):
    row = person()
    one, two = begun(store, row), begun(store, row)
    store.transact(lambda tx: end_session(tx, BOSS, one.id))
    listed = store.read(lambda tx: list_sessions(tx, BOSS, row.id))
    assert [(each.id, each.principal, each.address, len(each.agent)) for each in listed] == [
        (two.id, row.name, "10.2.0.7", 300)
    ]
    assert store.read(lambda tx: list_sessions(tx, BOSS._replace(tenant="desk"), row.id)) == []


def test_a_use_is_noted_every_five_minutes_at_most(store, person):
    session = begun(store, person())
    used_at = found(store, session.secret).used_at
    store.transact(lambda tx: sessions.note_session_use(tx, session.id))
    assert found(store, session.secret).used_at == used_at
    assert not sessions.is_session_use_due(used_at, used_at + timedelta(minutes=4))
    assert sessions.is_session_use_due(used_at, used_at + timedelta(minutes=6))


def test_what_a_disabled_principal_has_open_ends(store, person):
    row = person()
    session = begun(store, row)
    change = {"kind": "human", "role": Role.READ, "is_disabled": True}
    changed = store.transact(lambda tx: principals.change_principal(tx, BOSS, row, **change))
    assert is_over(store, session.secret)
    change |= {"is_disabled": False}
    store.transact(lambda tx: principals.change_principal(tx, BOSS, changed, **change))
    assert is_over(store, session.secret)


def test_a_new_password_ends_the_other_sessions(store, person):
    row = person()
    here, there = begun(store, row), begun(store, row)
    actor = Actor(row.name, row.tenant, Role(row.role), session=here.id)
    store.transact(lambda tx: principals.set_password(tx, actor, row, "scrypt$…"))
    assert not is_over(store, here.secret)
    assert is_over(store, there.secret)


def test_the_csrf_token_belongs_to_one_session():
    one, two = new_secret(), new_secret()
    assert is_csrf_of(one, csrf_of(one))
    for text in ("", csrf_of(two), csrf_of(one)[:-1], "ü", one):
        assert not is_csrf_of(one, text)

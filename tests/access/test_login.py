"""Signing in: a link works once and for 15 minutes; guessing passwords is slow by name and by address."""

from __future__ import annotations

import itertools
import threading

import pytest

from qflowd.engine.access import login, passwords, principals
from qflowd.engine.access.login import TooManyFailures, make_login_code, sign_in_by_code, sign_in_by_password
from qflowd.engine.access.tokens import CredentialsRefused
from qflowd.model.errors import InvalidRequest
from qflowd.model.roles import Role
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.access.conftest import BOSS
from tests.support.sql import run_sql

_hosts = itertools.count(1)
PASSWORD = "correct horse battery"


@pytest.fixture
def address():
    return f"10.9.0.{next(_hosts)}"


@pytest.fixture(autouse=True)
def _cheap(monkeypatch):
    monkeypatch.setattr(passwords, "COST", 1 << 4)


@pytest.fixture
def ann(store, person):
    """Somebody with a password."""
    row = person()
    stored = passwords.stored_password(PASSWORD)
    store.transact(lambda tx: principals.set_password(tx, BOSS, row, stored))
    return row


def code_for(store, row):
    return store.transact(lambda tx: make_login_code(tx, BOSS, row))


def failures(sql, name):
    where = f"action = 'LOGIN_FAILED' AND object = '{name}'"
    return sql(f"SELECT tenant, address, outcome FROM qflow.audit_entries WHERE {where} ORDER BY id")


def test_a_link_signs_in_once(store, person, address):
    row = person(Role.DEFINE, "desk")
    code = code_for(store, row)
    session = sign_in_by_code(store, code, address, "Firefox")
    assert (session.caller.principal, session.caller.role, session.caller.tenant) == (row.name, Role.DEFINE, "desk")
    with pytest.raises(CredentialsRefused, match="was used already"):
        sign_in_by_code(store, code, address, "Firefox")


def test_of_many_who_use_a_link_at_once_one_signs_in(store, person, address):
    code, done = code_for(store, person()), []

    def use():
        try:
            done.append(sign_in_by_code(store, code, None, ""))
        except CredentialsRefused:
            done.append(None)

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(each is not None for each in done) == 1


def test_a_link_expires(store, sql, person, address):
    code = code_for(store, person())
    sql(f"UPDATE qflow.login_code SET expires_at = {store.dialect.renderer.words['clock']}")
    with pytest.raises(CredentialsRefused, match="older than 15 minutes"):
        sign_in_by_code(store, code, address, "")


def test_a_link_of_somebody_who_was_disabled_or_deleted_is_of_no_use(store, person, address):
    one, two = person(), person()
    codes = code_for(store, one), code_for(store, two)
    change = {"kind": "human", "role": Role.READ, "is_disabled": True}
    store.transact(lambda tx: principals.change_principal(tx, BOSS, one, **change))
    store.transact(lambda tx: principals.delete_principal(tx, BOSS, two))
    for code in codes:
        with pytest.raises(CredentialsRefused):
            sign_in_by_code(store, code, address, "")


def test_codes_are_stored_as_hashes(store, sql, person):
    code = code_for(store, person())
    assert code not in str(sql("SELECT * FROM qflow.login_code"))


def test_the_first_link_makes_the_administrator_and_none_after_it(sqlite_url):
    store = Store(sqlite_url)
    migrate(store)
    codes = [store.transact(lambda tx: login.make_first_code(tx, BOSS)) for _ in range(2)]
    session = sign_in_by_code(store, codes[0], "127.0.0.1", "")
    assert (session.caller.principal, session.caller.role) == ("admin", Role.SYSTEM)
    with pytest.raises(CredentialsRefused):
        sign_in_by_code(store, codes[1], "127.0.0.1", "")
    assert store.transact(lambda tx: login.make_first_code(tx, BOSS)) is None
    assert run_sql(store, "SELECT action, object FROM qflow.audit_entries ORDER BY id") == [
        ("CREATE", "admin"), ("LOGIN", "admin"), ("LOGIN_FAILED", ""),
    ]  # fmt: skip
    store.close()


def test_a_password_signs_in(store, sql, ann, address):
    session = sign_in_by_password(store, ann.name, PASSWORD, address, "Firefox")
    assert session.caller.principal == ann.name
    assert PASSWORD not in str(sql("SELECT * FROM qflow.principal")) + str(sql("SELECT * FROM qflow.audit"))


def test_a_wrong_password_and_a_wrong_name_are_told_alike(store, sql, ann, person, address):
    told = set()
    for name in (ann.name, person().name, PASSWORD):
        with pytest.raises(CredentialsRefused) as caught:
            sign_in_by_password(store, name, "wrong horse battery", address, "")
        told.add(str(caught.value))
    assert len(told) == 1
    assert failures(sql, ann.name) == [("default", address, "refused")]
    assert failures(sql, PASSWORD) == []  # typed into the wrong field
    assert PASSWORD not in str(sql("SELECT * FROM qflow.login_failure"))


def test_after_five_failures_a_name_waits_even_with_the_right_password(store, ann):
    for _ in range(5):
        with pytest.raises(CredentialsRefused):
            sign_in_by_password(store, ann.name, "wrong horse battery", f"10.8.0.{next(_hosts)}", "")
    with pytest.raises(TooManyFailures, match="qflowd login-link"):
        sign_in_by_password(store, ann.name, PASSWORD, f"10.8.0.{next(_hosts)}", "")
    assert sign_in_by_code(store, code_for(store, ann), f"10.8.0.{next(_hosts)}", "")


def test_after_five_failures_an_address_waits_whatever_the_names(store, ann, address):
    for number in range(5):
        with pytest.raises(CredentialsRefused):
            sign_in_by_password(store, f"nobody-{number}", PASSWORD, address, "")
    with pytest.raises(TooManyFailures):
        sign_in_by_password(store, ann.name, PASSWORD, address, "")
    assert sign_in_by_code(store, code_for(store, ann), address, "")  # as the refusal advises
    assert sign_in_by_password(store, ann.name, PASSWORD, f"10.8.0.{next(_hosts)}", "")


def test_links_that_are_none_have_a_bound_of_their_own_which_refuses_no_good_one(store, ann, address, monkeypatch):
    monkeypatch.setattr(login, "MOST_BAD_CODES", 7)
    for _ in range(7):
        with pytest.raises(CredentialsRefused):
            sign_in_by_code(store, "guessed", address, "")
    with pytest.raises(TooManyFailures, match="7 links that sign nobody in"):
        sign_in_by_code(store, "guessed", address, "")
    assert sign_in_by_code(store, code_for(store, ann), address, "")
    assert sign_in_by_password(store, ann.name, PASSWORD, address, "")


def test_success_makes_earlier_failures_of_the_name_good(store, ann):
    for _ in range(2):
        for _ in range(4):
            with pytest.raises(CredentialsRefused):
                sign_in_by_password(store, ann.name, "wrong horse battery", None, "")
        sign_in_by_password(store, ann.name, PASSWORD, None, "")


def test_many_guesses_at_once_are_no_more_guesses(store, ann, monkeypatch):
    looked = []
    monkeypatch.setattr(login, "is_password", lambda *_: looked.append(1) or False)

    def guess():
        with pytest.raises((CredentialsRefused, TooManyFailures)):
            sign_in_by_password(store, ann.name, "wrong horse battery", None, "")

    for _ in range(5):
        guess()
    threads = [threading.Thread(target=guess) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(looked) == 5


@pytest.mark.parametrize("how", ["changed", "disabled"])
def test_a_password_that_changes_while_it_is_looked_at_signs_nobody_in(store, sql, ann, monkeypatch, how):
    def change(tx):
        if how == "changed":
            principals.set_password(tx, BOSS, ann, passwords.stored_password("wrong horse battery"))
        else:
            principals.change_principal(tx, BOSS, ann, kind="human", role=Role.READ, is_disabled=True)

    monkeypatch.setattr(login, "is_password", lambda *_: store.transact(change) is None)
    with pytest.raises(CredentialsRefused):
        sign_in_by_password(store, ann.name, PASSWORD, None, "")
    assert sql(f"SELECT id FROM qflow.session WHERE principal_id = {ann.id}") == []
    assert failures(sql, ann.name) == [("default", None, "refused")]


@pytest.mark.parametrize("password", ["", "short", "x" * 11, "x" * 1001])
def test_a_password_has_twelve_characters_at_least(password):
    with pytest.raises(InvalidRequest, match="12 to 1000 characters"):
        passwords.stored_password(password)


def test_the_cost_of_a_password_is_that_of_its_making():
    stored = passwords.stored_password(PASSWORD)
    assert passwords.is_password(PASSWORD, stored)
    assert stored != passwords.stored_password(PASSWORD)
    assert not passwords.is_password(PASSWORD + "x", stored)
    assert not passwords.is_password("x" * 2000, stored)
    assert not passwords.is_password(PASSWORD, None)

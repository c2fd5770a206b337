"""`qflowd token` works on the database, without an API."""

from __future__ import annotations

import re

import pytest

from qflowd.engine.access.login import sign_in_by_code
from qflowd.engine.access.tokens import CredentialsRefused, find_caller
from qflowd.model.roles import Role


def caller(engine, text):
    try:
        return engine.store.read(lambda tx: find_caller(tx, text, None, tx.now))
    except CredentialsRefused as error:
        return str(error)


def test_a_token_is_made_with_its_principal_shown_once_and_revoked(run, own_engine):
    ran = run(
        "--tenant", "desk", "token", "create", "cron", "--role", "submit", "--note", "nightly", "--workflow", "daily_*"
    )
    assert ran.code == 0
    text = ran.out.strip()
    number = re.fullmatch(r"qf_(\w{10})_\w{43}", text)[1]
    assert "not shown again" in ran.err
    found = caller(own_engine, text)
    assert (found.principal, found.tenant, found.role, found.workflows) == ("cron", "desk", Role.SUBMIT, ("daily_*",))
    listed = run("--tenant", "desk", "token", "list")
    assert number in listed.out
    assert "nightly" in listed.out
    assert text.rpartition("_")[2] not in listed.out
    assert run("token", "list").out == ""
    again = run("--tenant", "desk", "token", "create", "cron", "--json").json
    assert set(again) == {"id", "token", "expires_at"}
    assert caller(own_engine, again["token"]).role is Role.SUBMIT
    assert run("token", "revoke", number).code == 1
    ran = run("--tenant", "desk", "token", "revoke", number, again["id"])
    assert ran.out == f"{number}: revoked\n{again['id']}: revoked\n"
    assert "was revoked" in caller(own_engine, text)
    assert "was revoked already" in run("--tenant", "desk", "token", "revoke", number).out
    assert run("--tenant", "desk", "token", "list", "--json").json == []
    rows = run("--tenant", "desk", "token", "list", "--all", "--json").json
    assert {row["id"]: (row["principal"], row["role"], row["workflows"]) for row in rows} == {
        number: ("cron", "submit", ["daily_*"]), again["id"]: ("cron", "submit", []),
    }  # fmt: skip


def test_what_is_wrong_is_said_with_its_remedy(run, sqlite_engine):
    ran = run("token", "create", "nobody")
    assert (ran.code, ran.out) == (2, "")
    assert "--role makes one" in ran.err
    assert run("token", "create", "bot", "--role", "emperor").code == 2
    assert "is not a network" in run("token", "create", "bot", "--role", "read", "--network", "here").err
    assert sqlite_engine.sql("SELECT * FROM qflow.principal") == []
    assert run("--tenant", "desk", "token", "create", "bot", "--role", "read").code == 0
    assert "choose another name" in run("token", "create", "bot", "--role", "read").err


def test_a_link_signs_in_and_is_printed_without_an_api(run, own_engine):
    assert "--role makes one" in run("login-link", "ann").err
    ran = run("login-link", "ann", "--role", "admin", "--url", "https://q.example/")
    assert "once, within 15 minutes" in ran.err
    url, _, code = ran.out.strip().partition("#code=")
    assert url == "https://q.example/"
    session = sign_in_by_code(own_engine.store, code, None, "")
    assert (session.caller.principal, session.caller.role) == ("ann", Role.ADMIN)
    again = run("login-link", "ann")
    assert again.out.startswith("http://127.0.0.1:8080/#code=")
    assert run("login-link", "ann", "--role", "admin").code == 0
    other = run("login-link", "ann", "--role", "read")
    assert (other.code, other.out) == (2, "")
    assert "ann is there, with the role admin" in other.err


@pytest.mark.parametrize(
    ("api", "url"),
    [
        ('bind = "127.0.0.1:9000"\nbase_path = "/q"', "http://127.0.0.1:9000/q/"),
        ('plaintext = true\nbind = "0.0.0.0:9000"\nhosts = ["q.example"]', "https://q.example/"),
        ('hosts = ["q.example"]\ntrusted_proxies = ["127.0.0.1"]\nbase_path = "/q"', "https://q.example/q/"),
    ],
)
def test_the_link_leads_where_the_configuration_says(run, sqlite_engine, tmp_path, api, url):
    (tmp_path / "qflowd.toml").write_text(f"[api]\n{api}\n")
    assert run("login-link", "ann", "--role", "read").out.startswith(f"{url}#code=")

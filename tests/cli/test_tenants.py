"""`qflowd tenants` works on the database, without a daemon and without an API."""

from __future__ import annotations

import json

from tests.support.services import admit_all


def test_a_tenant_gets_quotas_that_hold_for_rows_of_any_client(run, own_engine):
    engine = own_engine
    assert "qflowd tenants create NAME" in run("tenants").err
    assert run("tenants", "create", "acme", "--title", "Acme Ltd").out == "acme: created\n"
    ran = run("tenants", "quota", "acme", "submissions_per_day=1", "allowed_jobs=hello,md_*")
    assert (ran.code, ran.err) == (0, "")
    for _ in range(2):
        engine.sql(engine.insert("submissions", job="hello", tenant="acme"))
    admit_all(engine.store, "hello")
    states = engine.sql("SELECT state, error FROM qflow.submissions ORDER BY id")
    assert [state for state, _ in states] == ["ACCEPTED", "REJECTED"]
    assert "quota submissions_per_day of tenant acme is 1; 1 were accepted today (UTC)" in states[1][1]
    [row] = run("tenants", "--json").json
    assert (row["name"], row["open_instances"], row["submissions"]) == ("acme", 1, 1)
    shown = run("tenants", "show", "acme", "--json").json
    assert [(one["name"], one["value"], one["used"]) for one in shown["quotas"]] == [
        ("allowed_jobs", ["hello", "md_*"], None),
        ("submissions_per_day", 1, 1.0),
    ]
    assert "hello, md_*" in run("tenants", "show", "acme").out
    run("tenants", "quota", "acme", "submissions_per_day=")
    assert [one["name"] for one in run("tenants", "show", "acme", "--json").json["quotas"]] == ["allowed_jobs"]
    entries = engine.sql("SELECT action, object_type, object, changed_to FROM qflow.audit ORDER BY id")
    assert [entry[:3] for entry in entries] == [(action, "tenant", "acme") for action in ("CREATE", "UPDATE", "UPDATE")]
    assert json.loads(entries[1][3]) == {"submissions_per_day": 1, "allowed_jobs": ["hello", "md_*"]}


def test_a_tenant_is_suspended_and_deleted_when_nothing_of_it_is_open(run, own_engine):
    engine = own_engine
    run("tenants", "create", "acme")
    assert run("tenants", "set", "acme", "--suspend").out == "acme: SUSPENDED\n"
    engine.sql(engine.insert("submissions", job="hello", tenant="acme"))
    admit_all(engine.store, "hello")
    assert engine.sql("SELECT state FROM qflow.submissions") == [("REJECTED",)]
    assert run("tenants", "set", "acme", "--active").out == "acme: ACTIVE\n"
    engine.sql(engine.insert("submissions", job="hello", tenant="acme"))
    admit_all(engine.store, "hello")
    assert "1 open instances" in run("tenants", "delete", "acme").err
    assert run("tenants", "usage", "acme", "--json").json == []
    assert "nothing has ended from" in run("tenants", "usage", "acme").err
    run("tenants", "create", "empty")
    assert run("tenants", "delete", "empty").out == "empty: deleted\n"


def test_what_is_wrong_is_said_with_its_remedy(run, sqlite_engine):
    assert "there is no tenant 'nobody'" in run("tenants", "show", "nobody").err
    run("tenants", "create", "acme")
    assert "is there already" in run("tenants", "create", "acme").err
    assert "there is no quota 'open'" in run("tenants", "quota", "acme", "open=1").err
    assert "whole number from 1 to" in run("tenants", "quota", "acme", "running_tasks=0").err
    assert "must be written as QUOTA=VALUE" in run("tenants", "quota", "acme", "workflows").err
    listed = run("tenants", "quota", "acme")
    assert "open_instances" in listed.out
    assert "instances that have not ended" in listed.out

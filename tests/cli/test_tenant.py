"""`qflowd --tenant`: whose rows are shown and commanded."""

from __future__ import annotations


def test_each_tenant_sees_its_own_instances(run, engine, monkeypatch):
    number = int(run("--tenant", "fund_b", "submit", "--job", "hello").out)
    engine.admit(number, tenant="fund_b")
    assert number not in [row["id"] for row in run("ps", "--all", "--json").json]
    assert run("show", number).code == run("logs", number).code == 1
    monkeypatch.setenv("QFLOWD_TENANT", "fund_b")
    assert [row["id"] for row in run("ps", "--json").json] == [number]
    assert run("show", number, "--json").json["instance"]["tenant"] == "fund_b"
    refused = run("--tenant", "a b", "ps")
    assert (refused.code, "tenant" in refused.err) == (2, True)

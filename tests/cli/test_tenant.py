"""`qflowd --tenant`: whose rows are shown and commanded."""

from __future__ import annotations


def test_each_tenant_sees_its_own_instances(run, engine, monkeypatch):
    number = int(run("--tenant", "fund_b", "submit", "--job", "hello").out)
    engine.admit(number, tenant="fund_b")
    assert number not in [row["id"] for row in run("ps", "--all", "--json").json]
    whose = "; there is one of tenant fund_b: `qflowd --tenant fund_b …`\n"
    for command in ("show", "logs", "why"):
        ran = run(command, number)
        assert (ran.code, ran.err.endswith(whose)) == (1, True)
        assert "fund_b" not in run("--tenant", "fund_c", command, number).err, "who names a tenant is told of no other"
    monkeypatch.setenv("QFLOWD_TENANT", "fund_b")
    assert [row["id"] for row in run("ps", "--json").json] == [number]
    assert run("show", number, "--json").json["instance"]["tenant"] == "fund_b"
    refused = run("--tenant", "a b", "ps")
    assert (refused.code, "tenant" in refused.err) == (2, True)


def test_a_workflow_of_another_tenant_is_named_with_its_tenant(run, engine):
    engine.workflow("nightly", "{}")
    engine.sql("UPDATE qflow.workflow_definition SET tenant = 'fund_b'")
    error = "there is no workflow or job 'nightly'; there is one of tenant fund_b: `qflowd --tenant fund_b …`"
    assert run("ps", "--workflow", "nightly").err == f"qflowd: {error}\n"
    assert "fund_b" not in run("--tenant", "fund_c", "ps", "--workflow", "nightly").err
    engine.daemon()
    thread = engine.answer_commands("REJECTED", "there is no workflow 'nightly'")
    ran = run("stop", "nightly")
    thread.join()
    assert (ran.code, error.partition(";")[2] in ran.err) == (1, True)

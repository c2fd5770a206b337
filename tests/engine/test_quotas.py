"""Quotas: what a tenant may have is decided where work is admitted, however it was asked for."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from qflowd.engine.access.audit import Actor
from qflowd.engine.access.tenants import (
    create_tenant,
    delete_tenant,
    find_tenant,
    list_quotas,
    replace_quotas,
    set_quotas,
    set_tenant,
)
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.limits import of_lane
from qflowd.model.workflow import Job, Settings
from qflowd.store.tx import Tx
from tests.support.lab import FAILED, Lab
from tests.support.spawning import spawn

ACME, ME = "acme", Actor("me")


@pytest.fixture
def acme(lab: Lab) -> Lab:
    """With a tenant that has a row, and a workflow of two tasks."""
    lab.store.transact(lambda tx: create_tenant(tx, ME, ACME, "Acme Ltd"))
    lab.workflow("chain", {"first": [], "second": ["first"]}, tenant=ACME)
    return lab


def quota(lab: Lab, tenant: str = ACME, /, **values: Any) -> None:
    lab.store.transact(lambda tx: set_quotas(tx, ME, tenant, values))


def insert(lab: Lab, job: str = "work", **columns: Any) -> int:
    """A row as any client of the database may write it."""
    given = {"tenant": ACME, "job": job} | columns
    if given.get("workflow"):
        del given["job"]
    values = ", ".join(str(value) if isinstance(value, int) else f"'{value}'" for value in given.values())
    lab.sql(f"INSERT INTO qflow.submissions ({', '.join(given)}) VALUES ({values})")
    return int(lab.sql("SELECT MAX(id) FROM qflow.submissions")[0][0])


def admit(lab: Lab) -> None:
    while not lab.admit.tick():
        pass


def answer(lab: Lab, number: int) -> tuple[str, str | None]:
    return lab.sql(f"SELECT state, error FROM qflow.submissions WHERE id = {number}")[0]  # type: ignore[return-value]


def test_a_row_that_any_client_wrote_is_rejected_with_the_quota_its_value_what_is_there_and_the_remedy(acme):
    quota(acme, open_instances=2)
    numbers = [insert(acme) for _ in range(3)]
    admit(acme)
    assert [answer(acme, number)[0] for number in numbers] == ["ACCEPTED", "ACCEPTED", "REJECTED"]
    assert answer(acme, numbers[2])[1] == (
        "quota open_instances of tenant acme is 2; 2 are open. Wait until some have ended, or terminate some, or have it "
        "changed: `qflowd tenants quota acme open_instances=…`"
    )
    assert acme.sql("SELECT error_code FROM qflow.submissions WHERE state = 'REJECTED'") == [(42902,)]
    acme.run()
    again = insert(acme)
    admit(acme)
    assert answer(acme, again)[0] == "ACCEPTED"
    acme.run()
    acme.check(drained=True)


def test_what_is_held_counts_as_open_and_what_is_terminated_does_not(acme):
    quota(acme, open_instances=1)
    held = insert(acme, hold=1)
    admit(acme)
    second = insert(acme)
    admit(acme)
    assert (answer(acme, held)[0], answer(acme, second)[0]) == ("ACCEPTED", "REJECTED")
    acme.command("terminate", held, tenant=ACME)
    third = insert(acme)
    admit(acme)
    assert answer(acme, third)[0] == "ACCEPTED"


def test_an_instance_that_is_retried_is_open_again(acme):
    quota(acme, open_instances=1)
    number = insert(acme)
    admit(acme)
    acme.run({"work": FAILED})
    assert acme.state(number) == "FAILED"
    assert acme.command("retry", number, tenant=ACME)[0] == "DONE"
    second = insert(acme)
    admit(acme)
    assert answer(acme, second)[0] == "REJECTED"


def test_submissions_of_a_day_are_counted_until_midnight_in_utc_and_only_those_that_were_accepted(acme):
    quota(acme, submissions_per_day=2)
    numbers = [insert(acme), insert(acme, job="nobody"), insert(acme), insert(acme)]
    admit(acme)
    assert [answer(acme, number)[0] for number in numbers] == ["ACCEPTED", "REJECTED", "ACCEPTED", "REJECTED"]
    assert "2 were accepted today (UTC)" in (answer(acme, numbers[3])[1] or "")
    acme.clock.advance(timedelta(hours=15).total_seconds())
    tomorrow = insert(acme)
    admit(acme)
    assert answer(acme, tomorrow)[0] == "ACCEPTED"


def test_a_repeated_submission_takes_no_room(acme):
    quota(acme, submissions_per_day=1)
    first, repeated = insert(acme, idempotency_key="k"), insert(acme, idempotency_key="k")
    admit(acme)
    last = insert(acme, idempotency_key="k")
    admit(acme)
    assert {answer(acme, number)[0] for number in (first, last)} == {"ACCEPTED"}
    assert acme.sql("SELECT submissions FROM qflow.tenant") == [(1,)]
    assert answer(acme, repeated)[0] in ("ACCEPTED", "REJECTED")


def test_what_a_workflow_skips_takes_no_room(acme):
    acme.define("alone", {"only": {"job": "work"}}, concurrency="singleton(skip)", tenant=ACME)
    quota(acme, submissions_per_day=3)
    numbers = [insert(acme, workflow="alone") for _ in range(3)]
    admit(acme)
    assert [answer(acme, number)[0] for number in numbers] == ["ACCEPTED", "REJECTED", "REJECTED"]
    assert acme.sql("SELECT submissions FROM qflow.tenant") == [(1,)]


def test_two_daemons_that_admit_at_once_do_not_let_in_more_than_one_may(acme, open_other):
    """The second admits inside the first one's transaction, or waits for it where rows are locked."""
    quota(acme, open_instances=3, submissions_per_day=3)
    other = open_other(acme)
    for _ in range(5):
        insert(acme)
        if acme.store.dialect.has_row_locks:
            acme.just_before("admit_batch", lambda: admit(other), statement="lock_tenants")
        admit(acme)
        insert(acme)
        admit(other)
    states = Counter(state for (state,) in acme.sql("SELECT state FROM qflow.submissions"))
    assert states == {"ACCEPTED": 3, "REJECTED": 7}
    acme.check()


@pytest.fixture
def open_other(request: pytest.FixtureRequest):
    """Another daemon on the same store."""
    others: list[Lab] = []

    def open_lab(lab: Lab) -> Lab:
        others.append(Lab(lab.url, owner=8))
        return others[-1]

    yield open_lab
    for other in others:
        other.close()


def test_jobs_that_may_not_run_are_refused_wherever_a_workflow_names_them(acme):
    acme.jobs.own |= {
        name: Job(name=name, module="", file="w.py", hash="h") for name in ("shell", "md_load", "md_undo")
    }
    acme.define("plain", {"a": {"job": "md_load"}, "b": {"job": "shell", "after": "a"}}, tenant=ACME)
    acme.define("undone", {"a": {"job": "md_load", "compensate": "shell"}}, saga=True, tenant=ACME)
    acme.define("good", {"a": {"job": "md_load", "compensate": "md_undo"}}, saga=True, tenant=ACME)
    quota(acme, allowed_jobs=["md_*", "work"])
    numbers = [insert(acme, workflow=name) for name in ("plain", "undone", "good")] + [insert(acme, job="shell")]
    admit(acme)
    assert [answer(acme, number)[0] for number in numbers] == ["REJECTED", "REJECTED", "ACCEPTED", "REJECTED"]
    assert acme.sql("SELECT DISTINCT error_code FROM qflow.submissions WHERE state = 'REJECTED'") == [(40302,)]
    assert answer(acme, numbers[0])[1] == (
        "quota allowed_jobs of tenant acme is md_*, work; job 'shell' is none of them. Use one of these, or have it "
        "changed: `qflowd tenants quota acme allowed_jobs=…`"
    )


def test_an_instance_of_another_workflow_that_a_task_starts_meets_the_same_wall(acme):
    acme.jobs.own |= {"shell": Job(name="shell", module="", file="w.py", hash="h")}
    acme.define("below", {"a": {"job": "shell"}}, tenant=ACME)
    acme.define("above", {"a": {"workflow": "below"}}, tenant=ACME)
    quota(acme, allowed_jobs="work", running_tasks=3)
    number = insert(acme, workflow="above")
    admit(acme)
    acme.children.tick()
    admit(acme)
    acme.children.tick()
    assert acme.state(number) == "FAILED"
    assert "quota allowed_jobs of tenant acme" in acme.sql("SELECT error FROM qflow.instances")[0][0]


def test_pools_and_priorities_beyond_a_quota_are_refused_also_where_a_job_asks_for_them(acme):
    acme.jobs.own |= {
        "gpu": Job(name="gpu", module="", file="w.py", hash="h", settings=Settings(pool="gpu")),
        "urgent": Job(name="urgent", module="", file="w.py", hash="h", settings=Settings(priority=50)),
    }
    quota(acme, allowed_pools=["default", "io*"], priority_max=10)
    wrong = [insert(acme, job="gpu"), insert(acme, job="urgent"), insert(acme, priority=11)]
    acme.define("later", {"a": {"job": "nobody_knows"}}, tenant=ACME)
    wrong.append(insert(acme, workflow="later"))
    right = insert(acme, priority=10)
    admit(acme)
    assert [answer(acme, number)[0] for number in wrong] == ["REJECTED"] * 4
    assert answer(acme, right)[0] == "ACCEPTED"
    texts = [str(answer(acme, number)[1]) for number in wrong]
    assert "pool 'gpu' is none of them" in texts[0]
    assert "a task would have 50" in texts[1]
    assert "a task would have 11" in texts[2]
    assert "no daemon has registered it" in texts[3]


def test_params_beyond_a_quota_are_refused(acme):
    quota(acme, params_kb=1)
    number = insert(acme, params=json.dumps({"text": "é" * 600}, ensure_ascii=False))
    admit(acme)
    assert "these params have 1.2 KB" in (answer(acme, number)[1] or "")


def test_each_running_task_takes_a_slot_of_its_tenants_limit(acme):
    quota(acme, running_tasks=2)
    acme.define("each", {"a": {"job": "work", "map": [1, 2, 3], "limits": {"bank:{{ item }}": 1}}}, tenant=ACME)
    insert(acme, workflow="each")
    insert(acme, workflow="chain")
    admit(acme)
    acme.run()
    names = [dict(of_lane(text)) for (text,) in acme.sql("SELECT limits FROM qflow.lane WHERE tenant = 'acme'")]
    assert names
    assert all(each.get("tenant:acme") == 1 for each in names if each)
    assert acme.sql("SELECT capacity, source FROM qflow.limit_key WHERE name = 'tenant:acme'") == [(2, "quota")]
    assert acme.command("set_limit", args='{"limit": "tenant:acme", "slots": 9}')[0] == "REJECTED"
    quota(acme, running_tasks=5)
    assert acme.sql("SELECT capacity FROM qflow.limit_key WHERE name = 'tenant:acme'") == [(5,)]
    quota(acme, running_tasks=None)
    number = insert(acme, workflow="chain")
    admit(acme)
    assert acme.sql(
        f"SELECT DISTINCT l.limits FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane WHERE t.id >> 20 = {number}"
    ) == [("",)]


def test_a_tenant_that_is_suspended_starts_nothing(acme):
    acme.store.transact(lambda tx: set_tenant(tx, ME, ACME, state="SUSPENDED"))
    number = insert(acme)
    admit(acme)
    assert answer(acme, number) == (
        "REJECTED",
        "tenant acme is SUSPENDED: it starts nothing until an administrator lets it: `qflowd tenants set acme --active`",
    )
    acme.store.transact(lambda tx: set_tenant(tx, ME, ACME, state="ACTIVE"))
    number = insert(acme)
    admit(acme)
    assert answer(acme, number)[0] == "ACCEPTED"


def test_a_tenant_that_is_suspended_opens_nothing_again_and_starts_nothing_that_it_holds(acme):
    number = insert(acme)
    held = insert(acme, hold=1)
    admit(acme)
    acme.run({"work": FAILED})
    acme.store.transact(lambda tx: set_tenant(tx, ME, ACME, state="SUSPENDED"))
    for action, instance, more in (("retry", number, {}), ("rerun", number, {"task": "work"}), ("start", held, {})):
        state, why = acme.command(action, instance, tenant=ACME, **more)
        assert (state, why.partition(":")[0]) == ("REJECTED", "tenant acme is SUSPENDED"), action
    acme.store.transact(lambda tx: set_tenant(tx, ME, ACME, state="ACTIVE"))
    assert acme.command("retry", number, tenant=ACME)[0] == "DONE"
    assert acme.command("start", held, tenant=ACME)[0] == "DONE"


def test_workflows_beyond_a_quota_are_not_stored(acme):
    quota(acme, workflows=1)
    with pytest.raises(Exception, match="quota workflows of tenant acme is 1; 1 are not archived"):
        acme.workflow("more", {"a": []}, tenant=ACME)
    acme.command("archive", workflow="chain", tenant=ACME)
    acme.workflow("more", {"a": []}, tenant=ACME)
    state, error = acme.command("unarchive", workflow="chain", tenant=ACME)
    assert state == "REJECTED"
    assert "quota workflows" in error


def test_tenants_without_a_row_have_no_walls_and_cost_no_statement(lab, monkeypatch):
    """A thousand submissions run the statements that they ran before there were quotas."""
    lab.store.transact(lambda tx: create_tenant(tx, ME, ACME))
    quota(lab, open_instances=0)
    lab.start(job="work")  # its lane is made
    counts: Counter[str] = Counter()
    run = Tx.run

    def counted(tx: Tx, statement: str, /, **params: Any) -> list[Any]:
        counts[statement] += 1
        return run(tx, statement, **params)

    for _ in range(1000):
        lab.submit(job="work")
    monkeypatch.setattr("qflowd.store.tx.Tx.run", counted)
    admit(lab)
    assert lab.sql("SELECT COUNT(*) FROM qflow.workflow_instance") == [(1001,)]
    assert not [name for name in counts if "tenant" in name or "quota" in name or name == "note_accepted"]
    assert counts["take_submissions"] == 6
    assert counts["insert_instances"] == 5


def test_many_submissions_of_a_tenant_with_quotas_cost_a_few_statements_a_round(acme, monkeypatch):
    quota(acme, open_instances=10_000, submissions_per_day=10_000, allowed_jobs="work")
    acme.start(job="work", tenant=ACME)  # its lane is made
    counts: Counter[str] = Counter()
    for name in ("run", "one"):
        inner = getattr(Tx, name)

        def counted(tx: Tx, statement: str, /, _inner: Any = inner, **params: Any) -> Any:
            counts[statement] += 1
            return _inner(tx, statement, **params)

        monkeypatch.setattr(f"qflowd.store.tx.Tx.{name}", counted)
    for _ in range(1000):
        acme.submit(job="work", tenant=ACME)
    admit(acme)
    assert acme.sql("SELECT submissions FROM qflow.tenant") == [(1001,)]
    assert not counts["load_quotas"]
    assert counts["lock_tenants"] == counts["count_open_of_tenants"] == counts["note_accepted"] == 5


def test_tenants_and_quotas_are_set_read_and_taken_away(lab):
    tenant = lab.store.transact(lambda tx: create_tenant(tx, ME, ACME, "Acme Ltd"))
    assert (tenant.name, tenant.title, tenant.state, tenant.open_instances) == (ACME, "Acme Ltd", "ACTIVE", 0)
    with pytest.raises(Refused, match="there already"):
        lab.store.transact(lambda tx: create_tenant(tx, ME, ACME))
    with pytest.raises(InvalidRequest, match="use letters"):
        lab.store.transact(lambda tx: create_tenant(tx, ME, "a b"))
    with pytest.raises(InvalidRequest, match=r"there is no quota 'open'.*running_tasks"):
        quota(lab, open=3, running_tasks=0)
    with pytest.raises(NotFound, match="there is no tenant 'other'"):
        quota(lab, "other", workflows=1)
    quota(lab, open_instances="5", allowed_jobs="md_*, work")
    rows = lab.store.read(lambda tx: list_quotas(tx, find_tenant(tx, ACME)))
    assert [(row.name, row.value, row.used) for row in rows] == [
        ("allowed_jobs", ("md_*", "work"), None),
        ("open_instances", 5, 0),
    ]
    rows = lab.store.transact(lambda tx: replace_quotas(tx, ME, ACME, {"workflows": 3}))
    assert [(row.name, row.value, row.used) for row in rows] == [("workflows", 3, 0)]
    lab.workflow("chain", {"a": []}, tenant=ACME)
    with pytest.raises(Refused, match="1 workflows that are not archived"):
        lab.store.transact(lambda tx: delete_tenant(tx, ME, ACME))
    lab.command("archive", workflow="chain", tenant=ACME)
    lab.store.transact(lambda tx: delete_tenant(tx, ME, ACME))
    assert lab.sql("SELECT COUNT(*) FROM qflow.tenant") == lab.sql("SELECT COUNT(*) FROM qflow.quota") == [(0,)]


def test_what_is_open_when_a_tenant_gets_its_row_is_counted(lab):
    number = insert(lab)
    admit(lab)
    lab.store.transact(lambda tx: create_tenant(tx, ME, ACME))
    quota(lab, open_instances=1)
    second = insert(lab)
    admit(lab)
    assert answer(lab, second)[0] == "REJECTED"
    assert lab.state(number) == "RUNNING"


def test_a_task_that_spawns_what_may_not_run_fails_and_what_it_spawns_takes_slots_of_its_tenant(acme):
    acme.jobs.own |= {
        "shell": Job(name="shell", module="", file="w.py", hash="h"),
        "gpu": Job(name="gpu", module="", file="w.py", hash="h", settings=Settings(pool="gpu")),
        "undone": Job(name="undone", module="", file="w.py", hash="h", compensation="shell"),
    }
    quota(acme, allowed_jobs="work,gpu,undone", allowed_pools="default", priority_max=5, running_tasks=10)
    wrong = {"job": "shell"}, {"job": "undone"}, {"job": "gpu"}, {"priority": 6}
    names = ("allowed_jobs", "allowed_jobs", "allowed_pools", "priority_max")
    for about, name in zip(wrong, names, strict=True):
        number = insert(acme, workflow="chain")
        admit(acme)
        [row] = acme.claim()
        spawn(acme, row, {"x": []}, **about)
        assert acme.states(number)["first"] == "FAILED"
        [(error,)] = acme.sql(f"SELECT error FROM qflow.tasks WHERE instance_id = {number} AND task = 'first'")
        assert f"spawn: quota {name} of tenant acme" in error
    number = insert(acme, workflow="chain")
    admit(acme)
    [row] = acme.claim()
    spawn(acme, row, {"x": []})
    lanes = acme.sql(
        f"SELECT DISTINCT l.limits FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane WHERE t.id >> 20 = {number}"
    )
    assert lanes == [("tenant:acme=1",)]
    acme.run()
    acme.check(drained=True)


def test_an_instance_that_was_held_takes_slots_of_its_tenant_when_it_begins(acme):
    quota(acme, running_tasks=10)
    number = insert(acme, workflow="chain", hold=1)
    admit(acme)
    assert acme.command("start", number, tenant=ACME)[0] == "DONE"
    assert acme.sql("SELECT DISTINCT limits FROM qflow.lane WHERE tenant = 'acme'") == [("tenant:acme=1",)]
    acme.run()
    assert acme.state(number) == "SUCCESS"


def test_a_tenant_that_has_logged_enough_today_submits_again_tomorrow(acme):
    quota(acme, log_mb_per_day=1)
    usage = (
        "INSERT INTO qflow.usage_day (tenant, day, workflow, instances, tasks, failed, task_s, cpu_s, log_mb) VALUES "
    )
    acme.sql(f"{usage} ('acme', '2026-11-20', 'chain', 1, 2, 0, 1, 1, 1.5)")
    number = insert(acme)
    admit(acme)
    assert "quota log_mb_per_day of tenant acme is 1; 1 MB were written" in (answer(acme, number)[1] or "")
    acme.clock.advance(timedelta(hours=15).total_seconds())
    tomorrow = insert(acme)
    admit(acme)
    assert answer(acme, tomorrow)[0] == "ACCEPTED"


def test_a_change_holds_for_the_next_batch_of_a_daemon_that_knew_the_old_one(acme):
    quota(acme, open_instances=1)
    first, second = insert(acme), insert(acme)
    admit(acme)
    quota(acme, open_instances=2)
    third = insert(acme)
    admit(acme)
    quota(acme, open_instances=None)
    fourth = insert(acme)
    admit(acme)
    states = [answer(acme, number)[0] for number in (first, second, third, fourth)]
    assert states == ["ACCEPTED", "REJECTED", "ACCEPTED", "ACCEPTED"]


def test_one_task_of_a_workflow_is_not_triggered_past_a_quota(acme):
    quota(acme, allowed_jobs="other")
    state, error = acme.command("trigger", workflow="chain", task="first", tenant=ACME)
    assert state == "REJECTED"
    assert "quota allowed_jobs of tenant acme" in error

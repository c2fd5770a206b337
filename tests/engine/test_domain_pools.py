"""The pool of a domain: where tasks run that name none, on every daemon and for every row of an instance."""

from __future__ import annotations

import json
import logging

from qflowd.engine.claiming.settle import settle
from qflowd.engine.membership.registration import save_domains
from qflowd.model.states import TaskKind
from qflowd.model.workflow import Job, Settings
from tests.support.lab import FAILED, Lab
from tests.support.spawning import FILES, spawn


def pools(lab: Lab, number: int) -> dict[str, str]:
    """Task -> the pool that its row stands in."""
    return dict(lab.sql(f"SELECT task, pool FROM qflow.tasks WHERE instance_id = {number} ORDER BY id"))  # type: ignore[arg-type]


def kinds(lab: Lab, number: int) -> list[tuple[int, str]]:
    """The kinds of rows that an instance has, with the pools that they stand in."""
    return lab.sql(
        "SELECT DISTINCT t.kind, l.pool FROM qflow.task_instance t JOIN qflow.lane l ON l.id = t.lane "
        f"WHERE t.id >> 20 = {number} ORDER BY t.kind"
    )  # type: ignore[return-value]


def test_tasks_that_name_no_pool_run_in_that_of_their_workflows_domain(lab):
    save_domains(lab.store, {"equities": "equities"})
    lab.jobs.own = {
        "work": Job(name="work", module="", file="work.py", hash="h"),
        "notify": Job(name="notify", module="", file="work.py", hash="h", settings=Settings(pool="io")),
    }
    tasks = {"bars": {"job": "work"}, "page": {"job": "notify"}, "disk": {"job": "work", "pool": "local"}}
    lab.define("closes", tasks, domain="equities")
    lab.define("others", tasks, domain="fx")
    lab.define("archive", {"bars": {"job": "work"}}, domain="equities", defaults={"pool": "slow"})
    overrides = json.dumps({"tasks": {"bars": {"pool": "urgent"}}})
    assert pools(lab, lab.start("closes")) == {"bars": "equities", "page": "io", "disk": "local"}
    assert pools(lab, lab.start("closes", overrides=overrides))["bars"] == "urgent"
    assert pools(lab, lab.start("others")) == {"bars": "default", "page": "io", "disk": "local"}
    assert pools(lab, lab.start("archive")) == {"bars": "slow"}
    assert lab.sql("SELECT workflow, default_pool FROM qflow.workflows ORDER BY workflow") == [
        ("archive", "equities"),
        ("closes", "equities"),
        ("others", None),
    ]


def test_an_instance_keeps_the_pool_of_its_domain_for_items_spawned_tasks_and_compensations(lab):
    """What is added to it later stands where its first tasks do, whatever a configuration says meanwhile."""
    save_domains(lab.store, {"equities": "equities"})
    lab.jobs.own |= {"undo": Job(name="undo", module="", file="work.py", hash="h")}
    tasks = {
        "scan": {"job": "work", "compensate": "undo"},
        "each": {"job": "work", "after": "scan", "map": [1, 2], "limits": {"bank:{{ item }}": 1}},
    }
    lab.define("loads", tasks, domain="equities", saga=True)
    held, number = lab.start("loads", hold=1), lab.start("loads")
    save_domains(lab.store, {"equities": "other"})
    spawn(lab, *lab.claim(), FILES)
    lab.instances.forget([number])
    lab.run({"each[0]": FAILED})
    lab.compensate.tick()
    there = (TaskKind.TASK, TaskKind.HEAD, TaskKind.COMPENSATION, TaskKind.SPAWNED)  # items are kind TASK
    assert kinds(lab, number) == [(kind, "equities") for kind in sorted(there)]
    lab.command("start", held)
    assert pools(lab, held)["scan"] == "equities"
    assert pools(lab, lab.start("loads"))["scan"] == "other"
    lab.check()


def test_a_task_whose_job_is_known_later_moves_from_the_domains_pool_only_to_that_of_its_job(lab):
    save_domains(lab.store, {"equities": "equities"})
    tasks = {"own": {"job": "later"}, "bare": {"job": "bare"}}
    lab.define("closes", tasks, domain="equities")
    number = lab.start("closes")
    assert set(pools(lab, number).values()) == {"equities"}
    lab.jobs.own |= {
        "later": Job(name="later", module="", file="work.py", hash="h", settings=Settings(pool="io")),
        "bare": Job(name="bare", module="", file="work.py", hash="h"),
    }
    assert settle(lab.store, lab.instances, lab.claim()) == []
    assert pools(lab, number) == {"own": "io", "bare": "equities"}


def test_the_daemon_that_starts_last_decides_where_configurations_differ_and_says_so(lab, caplog):
    save_domains(lab.store, {"equities": "equities", "fx": "fx"})
    with caplog.at_level(logging.WARNING):
        save_domains(lab.store, {"equities": "equities"})
        save_domains(lab.store, {})
        assert caplog.messages == []
        save_domains(lab.store, {"equities": "cash"})
    assert caplog.messages == ["domain equities: tasks that name no pool run in pool cash, no longer in equities"]
    assert lab.sql("SELECT domain, pool FROM qflow.domain_pool ORDER BY domain") == [("equities", "cash"), ("fx", "fx")]

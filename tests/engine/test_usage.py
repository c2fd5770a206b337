"""Usage: what ended instances of tenants used is added up by day and workflow, each once, whoever is killed when."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.engine.access.audit import Actor
from qflowd.engine.access.tenants import create_tenant
from qflowd.engine.access.usage import BATCH, LOOK_S, Usage
from qflowd.engine.finishing.batch import Batch
from qflowd.store.tx import Store
from tests.support.lab import FAILED, Lab

ACME, ME = "acme", Actor("me")


@pytest.fixture
def acme(lab: Lab) -> Lab:
    """With a tenant that has a row, and a workflow of two tasks."""
    lab.store.transact(lambda tx: create_tenant(tx, ME, ACME))
    lab.workflow("chain", {"first": [], "second": ["first"]}, tenant=ACME)
    return lab


def usage(lab: Lab) -> Usage:
    return Usage(lab.store, lab.topics)


def used(lab: Lab, columns: str = "workflow, instances, tasks, failed, task_s") -> list[tuple[Any, ...]]:
    return lab.sql(f"SELECT {columns} FROM qflow.usage_day ORDER BY day, workflow")


def test_ended_instances_are_added_up_by_day_and_workflow(acme):
    for workflow in ("chain", "chain", None):
        acme.start(workflow, job=None if workflow else "work", tenant=ACME)
    acme.start(job="work")  # its tenant has no row
    ran = 0.5
    while rows := acme.claim():
        acme.clock.advance(ran)
        acme.finish(*(acme.final(row)._replace(started_us=acme.final(row).started_us - 500_000) for row in rows))
    assert usage(acme).tick() == LOOK_S
    assert used(acme) == [("chain", 2, 4, 0, 2.0), ("work", 1, 1, 0, 0.5)]
    assert {str(day) for (day,) in used(acme, "day")} == {"2026-11-20"}
    assert usage(acme).tick() == LOOK_S
    assert used(acme) == [("chain", 2, 4, 0, 2.0), ("work", 1, 1, 0, 0.5)]
    acme.check(drained=True)


def test_what_is_open_is_not_added_and_what_failed_is_counted(acme):
    number = acme.start("chain", tenant=ACME)
    usage(acme).tick()
    assert used(acme) == []
    fail(acme)
    usage(acme).tick()
    assert used(acme, "instances, tasks, failed") == [(1, 1, 1)]
    assert acme.command("retry", number, tenant=ACME)[0] == "DONE"
    usage(acme).tick()
    assert used(acme, "instances, tasks, failed") == [(1, 1, 1)]
    acme.clock.advance(60)
    acme.run()
    usage(acme).tick()
    assert used(acme, "instances, tasks, failed") == [(1, 3, 1)]


def fail(lab: Lab) -> None:
    """What runs fails, and leaves its attempts."""
    rows = lab.claim()
    batch = Batch(
        final=[lab.final(row, FAILED) for row in rows], attempts=[lab.failed_attempt(row, "no") for row in rows]
    )
    lab.finish(batch=batch)


def test_a_retry_before_the_first_look_loses_nothing(acme):
    number = acme.start("chain", tenant=ACME)
    fail(acme)
    acme.command("retry", number, tenant=ACME)
    usage(acme).tick()
    acme.run()
    usage(acme).tick()
    assert used(acme, "instances, tasks, failed") == [(1, 3, 1)]


def test_ids_may_be_as_large_as_they_get_and_far_from_each_other(acme):
    given = "OVERRIDING SYSTEM VALUE " if acme.store.dialect.name == "postgres" else ""
    for number in (7, 1 << 31, 3 << 32):
        columns = f"(id, tenant, workflow) {given}VALUES ({number}, '{ACME}', 'chain')"
        acme.sql(f"INSERT INTO qflow.submissions {columns}")
    while not acme.admit.tick():
        pass
    acme.run()
    usage(acme).tick()
    assert used(acme, "instances, tasks") == [(3, 6)]
    acme.wipe()
    acme.store.transact(lambda tx: tx.run("put_back_counters"))


def test_log_lines_are_measured_in_bytes(acme):
    number = acme.start(job="work", tenant=ACME)
    text = json.dumps("x" * 1000)
    acme.sql(
        "INSERT INTO qflow.log_line (task_id, fence, attempt, logged_at, stream, message) "
        f"SELECT id, 1, 1, created_at, 'stdout', '{text}' FROM (SELECT {number * 1048576} AS id, i.created_at "
        f"FROM qflow.workflow_instance i WHERE i.id = {number}) x"
    )
    acme.run()
    usage(acme).tick()
    assert used(acme, "log_mb") == [(pytest.approx(1002 / 2**20),)]


class Killed(Exception):
    """The daemon is gone at this point."""


@pytest.mark.parametrize("point", ["begin", "before_commit", "after_commit"])
def test_each_is_added_once_whenever_a_daemon_is_killed(acme, point):
    for _ in range(3):
        acme.start("chain", tenant=ACME)
    acme.run()

    def kill(transaction: str, at: str) -> None:
        if (transaction, at) == ("add_usage", point):
            raise Killed

    dying = Store(acme.url, clock=acme.clock, fault=kill)
    with pytest.raises(Killed):
        Usage(dying, acme.topics).tick()
    dying.close()
    usage(acme).tick()
    assert used(acme, "instances, tasks") == [(3, 6)]


def test_daemons_that_add_up_at_once_add_each_once(acme, others):
    for _ in range(BATCH + 20):
        acme.submit(job="work", tenant=ACME)
    while not acme.admit.tick():
        pass
    acme.run()
    threads = [threading.Thread(target=drain, args=(store, acme)) for store in others]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    drain(acme.store, acme)
    assert used(acme, "instances, tasks") == [(BATCH + 20, BATCH + 20)]
    acme.check(drained=True)


def drain(store: Store, lab: Lab) -> None:
    service = Usage(store, lab.topics)
    while service.tick() == 0:
        pass


@pytest.fixture
def others(acme: Lab) -> Iterator[list[Store]]:
    stores = [Store(acme.url, clock=acme.clock) for _ in range(3)]
    yield stores
    for store in stores:
        store.close()

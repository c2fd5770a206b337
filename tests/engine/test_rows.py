"""Rows beyond the nodes of a plan, as later kinds of work add them: they are claimed, run, counted and retried as any row."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from qflowd import connect
from qflowd.engine.plans.scope import load_outputs
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskKind, TaskState
from qflowd.store.tx import Store
from tests.support.daemon import Daemon, until
from tests.support.lab import FAILED, Lab
from tests.support.sql import run_sql

PATIENCE_S = 60
CHAIN = {"first": [], "second": ["first"], "last": ["second"]}
SECOND = 1  # its node
JOBS = """
import time
from pathlib import Path
from qflowd import context, job

@job
def gate():
    while not Path("open").exists():
        time.sleep(0.01)

@job
def work(fail: bool = False):
    if fail:
        raise ValueError("told to fail")
    return context().idempotency_key
"""


def add_parts(store: Store, instance_id: int, count: int, *, nodes: int = 3, kind: TaskKind = TaskKind.TASK) -> None:
    """Give node `second` parts that are ready at once, and that its own row waits for."""
    first = instance_id * ORDINALS
    [(lane,)] = run_sql(store, f"SELECT lane FROM qflow.task_instance WHERE id = {first + SECOND}")
    rows = [
        f"({first + nodes + i}, {SECOND}, {i}, {int(kind)}, {int(TaskState.READY)}, {lane}, 0, 0, 0)"
        for i in range(count)
    ]
    run_sql(
        store,
        "INSERT INTO qflow.task_instance (id, node, map_index, kind, state, lane, priority, open_parents, need) "
        f"VALUES {', '.join(rows)}",
        f"UPDATE qflow.task_instance SET open_parents = open_parents + {count}, need = need + {count} "
        f"WHERE id = {first + SECOND}",
        f"UPDATE qflow.workflow_instance SET next_ordinal = {nodes + count} WHERE id = {instance_id}",
    )


def test_rows_beyond_the_nodes_run_in_a_real_daemon(database_url, tmp_path):
    tasks = "first: {job: gate}\n  second: {job: work, after: first}\n  last: {job: work, after: second}"
    workflows = {"chain.yaml": f"workflow: chain\ntasks:\n  {tasks}"}
    daemon = Daemon(
        database_url, tmp_path, plugins={"jobs.py": JOBS}, workflows=workflows, config="[pools.default]\nprocesses = 2"
    )
    with daemon, connect(database_url) as client:
        run = client.submit("chain")
        until(lambda: [task.state for task in run.tasks()][:1] == ["RUNNING"], PATIENCE_S)
        with_store = Store(database_url)
        add_parts(with_store, run.id, 5)
        with_store.close()
        client.submit(job="work").wait(PATIENCE_S)  # wakes the daemon
        until(lambda: [task.state for task in run.tasks()][3:] == ["SUCCESS"] * 5, PATIENCE_S)
        assert [task.state for task in run.tasks()][:3] == ["RUNNING", "PENDING", "PENDING"]
        (tmp_path / "open").touch()
        assert run.wait(PATIENCE_S) == "SUCCESS"
        rows = list(run.tasks())
        assert [row.task for row in rows] == ["first", "second", "last"] + ["second"] * 5
        assert [row.map_index for row in rows] == [None, None, None, 0, 1, 2, 3, 4]
        keys = [row.output for row in rows[1:]]
        assert len(set(keys)) == 7, "each row has an idempotency key of its own"


def test_a_retry_by_a_person_begins_a_round_and_automatic_ones_do_not(database_url, tmp_path):
    job = """
from pathlib import Path
from qflowd import context, job

@job(retries=1, retry_delay="0s")
def unlucky():
    with Path("keys").open("a") as keys:
        keys.write(context().idempotency_key + "\\n")
    assert len(Path("keys").read_text().splitlines()) > 2
"""
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": job}, config="[pools.default]\nprocesses = 1")
    with daemon, connect(database_url) as client:
        run = client.submit(job="unlucky")
        assert run.wait(PATIENCE_S) == "FAILED"
        run.retry()
        assert run.wait(PATIENCE_S) == "SUCCESS"
    store = Store(database_url)
    [(database_id,)] = run_sql(store, "SELECT value FROM qflow.meta WHERE name = 'database_id'")
    store.close()
    task = f"qflowd-{database_id}-{run.id * ORDINALS}"
    assert (tmp_path / "keys").read_text().splitlines() == [f"{task}-0", f"{task}-0", f"{task}-1"]


@pytest.fixture
def lab_with_parts(lab: Lab) -> Iterator[tuple[Lab, int]]:
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    add_parts(lab.store, number, 3)
    return lab, number


def test_a_node_waits_for_its_parts_and_the_instance_for_the_node(lab_with_parts):
    lab, number = lab_with_parts
    rows = lab.claim()
    assert [(row.node, row.kind, row.map_index) for row in rows] == [(0, 0, None), (1, 0, 0), (1, 0, 1), (1, 0, 2)]
    lab.ends(rows[:-1])
    assert lab.states(number)["second"] == "PENDING"
    lab.check()
    lab.ends(rows[-1:])
    assert (lab.states(number)["second"], lab.state(number)) == ("READY", "RUNNING")
    lab.succeeds(number)


def test_a_part_that_fails_fails_what_waits_for_it_and_can_be_retried(lab_with_parts):
    lab, number = lab_with_parts
    lab.run({"second[1]": FAILED})
    assert lab.state(number) == "FAILED"
    assert lab.states(number) == {
        "first": "SUCCESS",
        "second": "UPSTREAM_FAILED",
        "last": "UPSTREAM_FAILED",
        "second[0]": "SUCCESS",
        "second[1]": "FAILED",
        "second[2]": "SUCCESS",
    }
    assert lab.column("workflow_instance", "error", number) == "task second[1]: failed"
    lab.check(drained=True)
    refused = lab.command("retry", number, task="second")[1]
    assert refused == f"task second of instance {number} is UPSTREAM_FAILED; retry second[1], which it waits for"
    answer = {"instance_id": number, "retried": ["second[1]"], "tasks": 1, "restarted": 3}
    assert lab.command("retry", number, task_id=number * ORDINALS + 4) == ("DONE", answer)
    assert (lab.states(number)["second[1]"], lab.states(number)["second"]) == ("READY", "PENDING")
    lab.check()
    lab.succeeds(number)


def test_parts_of_a_plan_without_edges_are_waited_for(lab):
    lab.workflow("two", {"first": [], "second": []})
    number = lab.start("two")
    add_parts(lab.store, number, 2, nodes=2)
    lab.sql(f"UPDATE qflow.task_instance SET state = 0 WHERE id = {number * ORDINALS + SECOND}")
    rows = lab.claim()
    assert len(rows) == 3
    lab.ends(rows)
    assert (lab.states(number)["second"], lab.state(number)) == ("READY", "RUNNING")
    lab.succeeds(number)


def test_rows_of_a_kind_that_only_a_newer_release_knows_are_left_to_it(database_url, tmp_path):
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}, config="[pools.default]\nprocesses = 1")
    with daemon, connect(database_url) as client:
        assert client.submit(job="work").wait(PATIENCE_S) == "SUCCESS"
        run = client.submit(job="work", hold=True)
        until(lambda: run.state() == "READY", PATIENCE_S)
        store = Store(database_url)
        [(lane,)] = run_sql(store, "SELECT MIN(lane) FROM qflow.task_instance")
        unknown = run.id * ORDINALS
        run_sql(
            store,
            "INSERT INTO qflow.task_instance (id, node, kind, state, lane, priority, open_parents, need) "
            f"VALUES ({unknown}, 0, {max(TaskKind) + 1}, {int(TaskState.READY)}, {lane}, 0, 0, 0)",
        )
        assert client.submit(job="work").wait(PATIENCE_S) == "SUCCESS"
        state = f"SELECT state, attempt FROM qflow.task_instance WHERE id = {unknown}"
        until(lambda: run_sql(store, state) == [(int(TaskState.PENDING), 0)], PATIENCE_S, what="it is put off")
        store.close()
    assert "are for a newer qflowd" in daemon.log()


def test_what_was_remembered_of_a_task_is_not_given_to_those_of_a_later_round(lab):
    """Another daemon runs the task again, and this one is asked for its output."""
    lab.workflow("pair", {"a": [], "b": {"a": "{{ a.output.go }}"}, "c": {"a": "true", "b": "true"}})
    number = lab.start("pair")
    [row] = lab.claim()
    lab.finish(lab.final(row, output={"go": False}))
    assert lab.states(number) == {"a": "SUCCESS", "b": "SKIPPED", "c": "SKIPPED"}
    remembered = lab.instances.outputs[row.id, 0]
    assert remembered == '{"go": false}'
    # As a rerun from the node will do, which takes successes too.
    lab.sql(f"UPDATE qflow.task_instance SET state = 6 WHERE id = {row.id}")
    lab.sql(f"UPDATE qflow.workflow_instance SET state = 4 WHERE id = {number}")
    assert lab.command("retry", number, task="a")[0] == "DONE"
    other = Lab(lab.url, owner=8)
    [row] = other.claim()
    other.finish(other.final(row, output={"go": True}))
    other.close()
    [row] = lab.claim()
    assert (row.node, row.round) == (1, 1)
    wanted = [(row.id - 1, row.round)]
    outputs = lab.store.read(lambda tx: load_outputs(tx, lab.instances, wanted))
    assert outputs == {row.id - 1: '{"go": true}'}

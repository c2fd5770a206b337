"""Who gets the workers: a backlog of short tasks does not keep out those that need a slot of their own."""

from __future__ import annotations

import time

from qflowd import Engine, TaskBuilder, WorkflowBuilder
from qflowd.model.states import TaskState
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import Store
from tests.daemon import program_jobs
from tests.support.daemon import until

PATIENCE_S = 60.0


def test_a_backlog_of_short_tasks_keeps_nobody_out(tmp_path):
    flag = str(tmp_path / "napped")
    engine = Engine(f"sqlite:///{tmp_path}/q.db", pools={"default": 2}, run_dir=tmp_path)
    engine.with_job(program_jobs.nap).with_job(program_jobs.blink)
    backlog = WorkflowBuilder("backlog")
    for number in range(300):
        backlog.with_task(TaskBuilder(f"t{number}", "blink"))
    with engine.with_workflow(backlog):
        client = engine.client
        for _ in range(10):  # until the lane is known to be short: from then on every worker has another one waiting
            last = client.submit(job="blink")
        assert last.wait(30) == "SUCCESS"
        short = client.submit("backlog")
        # All queues are full once some have ended.
        until(lambda: sum(task.state == "SUCCESS" for task in short.tasks()) >= 4, PATIENCE_S)
        better = client.submit(job="nap", params={"seconds": 0.3, "flag": flag}, priority=10)
        equal = client.submit(job="nap", params={"seconds": 0.1, "flag": flag})
        assert (better.wait(30), equal.wait(30)) == ("SUCCESS", "SUCCESS")
        assert short.state() == "RUNNING", "it came to its end first"
        engine.stop(now=True)


def test_a_job_that_never_ran_here_does_not_lose_its_turn_to_one_that_did(database_url, tmp_path):
    """Both come at once, to the only slot: the daemon knows the lane of one and has not met that of the better one."""
    ran: list[str] = []
    engine = Engine(database_url, pools={"inline": 1}, grace="1s", run_dir=tmp_path)
    for name in ("usual", "urgent"):
        engine.with_job(lambda name=name: ran.append(name), name=name)
    rows = [SUBMISSION | {"job": "usual"}, SUBMISSION | {"job": "urgent", "priority": 100}]
    store = Store(database_url)
    with engine:
        assert engine.client.submit(job="usual").wait(PATIENCE_S) == "SUCCESS"
        store.transact(lambda tx: [tx.one("insert_submission", **row) for row in rows])
        until(lambda: len(ran) == 3, PATIENCE_S)
    store.close()
    assert ran == ["usual", "urgent", "usual"]


def test_a_hundred_thousand_ready_tasks_of_a_tenant_delay_the_task_of_another_by_one_turn_at_most(
    database_url, tmp_path
):
    ran: list[str] = []

    def work(tenant: str) -> None:
        time.sleep(0.03)
        ran.append(tenant)

    engine = Engine(database_url, pools={"inline": 1}, grace="1s", run_dir=tmp_path).with_job(work)
    backlog = WorkflowBuilder("backlog")
    for number in range(5_000):
        backlog.with_task(TaskBuilder(f"t{number}", "work").with_params(tenant="large"))
    small = SUBMISSION | {"job": "work", "tenant": "small", "params": '{"tenant": "small"}'}
    store = Store(database_url)
    with engine.with_workflow(backlog):
        rows = [SUBMISSION | {"workflow": "backlog"}] * 20
        store.transact(lambda tx: [tx.one("insert_submission", **row) for row in rows])
        ready = f"SELECT COUNT(*) FROM qflow.task_instance WHERE state = {TaskState.READY:d}"
        until(lambda: store.connection().script(ready)[0][0] > 99_000, PATIENCE_S, what="all are ready")
        until(lambda: len(ran) >= 10, PATIENCE_S)
        store.transact(lambda tx: tx.one("insert_submission", **small))
        before = len(ran)
        until(lambda: "small" in ran, PATIENCE_S)
        engine.stop(now=True)
    store.close()
    # What the worker has in hand and in its queue, the turn under way, and the one that learns the new lane.
    assert ran.index("small") - before <= 2 * 3

"""Who gets the workers: a backlog of short tasks does not keep out those that need a slot of their own."""

from __future__ import annotations

import time

from qflowd import Engine, TaskBuilder, WorkflowBuilder
from tests.daemon import program_jobs


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
        time.sleep(0.5)  # all queues are full now
        better = client.submit(job="nap", params={"seconds": 0.3, "flag": flag}, priority=10)
        equal = client.submit(job="nap", params={"seconds": 0.1, "flag": flag})
        assert (better.wait(30), equal.wait(30)) == ("SUCCESS", "SUCCESS")
        assert short.state() == "RUNNING", "it came to its end first"
        engine.stop(now=True)

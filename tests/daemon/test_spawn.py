"""Spawned tasks in real daemons: worker processes and threads, what they are given, and what people see."""

from __future__ import annotations

import pytest

from qflowd import Engine, TaskBuilder, WorkflowBuilder, connect, context
from tests.support.daemon import Daemon

PATIENCE_S = 60
JOBS = """
import os

from qflowd import context, job

@job
def scan(files: list, size: int = 1):
    here = context()
    loads = [here.spawn(load, {"file": file, "size": size}, name=file) for file in files]
    here.spawn("merge", after=loads, name="merged", retries=1, retry_delay=0)
    if here.attempt == 1:
        raise ConnectionError("the share is not mounted yet")

@job
def load(file: str, size: int) -> dict:
    print("loading", file)
    return {"file": file, "rows": "x" * size}

@job
def merge() -> list:
    if context().attempt == 1:
        raise ConnectionError("locked")
    return [[name, value["file"], len(value["rows"])] for name, value in sorted(context().upstream.items())]

@job
def report() -> list:
    return context().upstream["scan"]["merged"]

@job
def forks():
    pid = os.fork()
    if pid == 0:
        try:
            context().spawn(load)
            os._exit(0)
        except BaseException as error:
            os._exit(3 if "forked process" in str(error) else 4)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
"""
SPAWNS = """
workflow: spawns
params: {files: {type: array}, size: {type: integer, default: 1}}
tasks:
  scan: {job: scan, params: {files: "{{ params.files }}", size: "{{ params.size }}"}, retries: 1, retry_delay: 0}
  report: {job: report, after: scan}
  named: {job: log, after: scan, params: {message: "merged {{ scan.output.merged }}"}}
"""


@pytest.mark.parametrize("size", [1, 3000, 100_000])
def test_a_retried_job_spawns_once_and_outputs_reach_what_comes_after(database_url, tmp_path, size):
    """Small outputs travel along, large ones are fetched, those above 64 KB lie in a table of their own."""
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}, workflows={"spawns.yaml": SPAWNS})
    with daemon, connect(database_url) as client:
        run = client.submit("spawns", params={"files": ["IBM.csv", "AAPL.csv"], "size": size})
        assert run.wait(PATIENCE_S) == "SUCCESS", run.info().error
        merged = [["AAPL.csv", "AAPL.csv", size], ["IBM.csv", "IBM.csv", size]]
        assert run.output("report") == merged
        assert run.output("scan")["merged"] == merged
        tasks = {task.name: task for task in run.tasks()}
        assert list(tasks) == ["scan", "report", "named", "scan[IBM.csv]", "scan[AAPL.csv]", "scan[merged]"]
        assert (tasks["scan"].attempt, tasks["scan[merged]"].attempt, tasks["scan[IBM.csv]"].attempt) == (2, 2, 1)
        assert [tasks[name].job for name in ("scan", "scan[IBM.csv]", "scan[merged]")] == ["scan", "load", "merge"]
        assert tasks["scan[IBM.csv]"].params == {"file": "IBM.csv", "size": size}
        assert {line.name for line in run.logs() if line.message == "loading IBM.csv"} == {"scan[IBM.csv]"}
        assert [(one.name, one.attempt, one.state) for one in run.attempts() if one.name == "scan"] == [
            ("scan", 1, "FAILED"),
            ("scan", 2, "SUCCESS"),
        ]


def test_a_job_learns_that_its_forks_cannot_spawn(sqlite_url, tmp_path):
    with Daemon(sqlite_url, tmp_path, plugins={"jobs.py": JOBS}), connect(sqlite_url) as client:
        run = client.submit(job="forks")
        assert run.wait(PATIENCE_S) == "SUCCESS", run.info().error
        assert run.output() == 3


def test_jobs_in_threads_spawn_as_those_in_processes_do(database_url, tmp_path):
    def scan() -> None:
        loads = [context().spawn("load", {"day": day}, name=f"d{day}") for day in range(3)]
        context().spawn("total", after=loads, name="total")

    def load(day: int) -> int:
        return day * 10

    def total() -> int:
        return sum(context().upstream.values())

    builder = WorkflowBuilder("threads").with_task(TaskBuilder("scan", "scan").with_max_spawn(4))
    engine = Engine(database_url, pools={"default": 1}, run_dir=tmp_path)
    with engine.with_job(scan).with_job(load).with_job(total).with_workflow(builder):
        run = engine.client.submit("threads")
        assert run.wait(PATIENCE_S) == "SUCCESS", run.info().error
        assert run.output("scan") == {"d0": 0, "d1": 10, "d2": 20, "total": 30}


def test_a_job_that_no_daemon_knows_fails_the_task_that_asked_for_it(database_url, tmp_path):
    def scan() -> None:
        context().spawn("lod")

    engine = Engine(database_url, pools={"default": 1}, run_dir=tmp_path)
    with engine.with_job(scan):
        run = engine.client.submit(job="scan")
        assert run.wait(PATIENCE_S) == "FAILED"
        assert run.info().error == "task scan: spawn: no job 'lod' is registered; there are delay, log, scan"

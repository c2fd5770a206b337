"""Large outputs on their way to the tasks behind them: whole, by `context().upstream` and by expressions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import qflowd
from qflowd import Engine, TaskBuilder, WorkflowBuilder, context
from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from tests.support.daemon import Daemon, until

PATIENCE_S = 60
MB = 1 << 20
JOBS = """
import time
from pathlib import Path
from qflowd import context, job

@job
def make(size: int, letter: str) -> str:
    return letter * size

@job
def measures() -> dict:
    return {key: [len(output), output[:1]] for key, output in context().upstream.items()}

@job
def takes(text: str, first: str) -> list:
    return [len(text), first]

@job
def asks_late(flag: str, gate: str) -> int:
    Path(flag).touch()
    while not Path(gate).exists():
        time.sleep(0.01)
    return sum(map(len, context().upstream.values()))
"""
LARGE = """
workflow: large
tasks:
  a: {job: make, params: {size: 9000000, letter: a}}
  b: {job: make, params: {size: 1500000, letter: b}}
  c: {job: make, params: {size: 10, letter: c}}
  none: {job: measures}
  reads: {job: measures, after: [a, b, c]}
  takes: {job: takes, after: [a, b], params: {text: "{{ a.output }}", first: "{{ b.output[0] }}"}}
"""
LATE = """
workflow: late
params: {flag: {type: string}, gate: {type: string}}
tasks:
  a: {job: make, params: {size: 300000, letter: a}}
  late: {job: asks_late, after: a, params: {flag: "{{ params.flag }}", gate: "{{ params.gate }}"}}
"""


@pytest.fixture
def client(database_url) -> Iterator[Client]:
    store = Store(database_url)
    migrate(store)
    with Client(DatabaseTransport(store)) as found:
        yield found


def test_outputs_above_a_megabyte_together_reach_the_job_and_its_parameters_whole(database_url, client, tmp_path):
    with Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS}, workflows={"large.yaml": LARGE}):
        run = client.submit("large")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output("reads") == {"a": [9_000_000, "a"], "b": [1_500_000, "b"], "c": [10, "c"]}
        assert run.output("takes") == [9_000_000, "b"]
        assert run.output("none") == {}


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_task_that_asks_while_the_database_is_away_is_answered_when_it_is_back(kind, get_server, tmp_path):
    server = get_server(kind)
    url = server.create_store()
    flag, gate = tmp_path / "flag", tmp_path / "gate"
    plugins, workflows = {"jobs.py": JOBS}, {"late.yaml": LATE}
    with (
        Daemon(url, tmp_path, plugins=plugins, workflows=workflows, daemon={"lease": "60s"}) as daemon,
        qflowd.connect(url) as client,
    ):
        run = client.submit("late", params={"flag": str(flag), "gate": str(gate)})
        until(flag.exists, PATIENCE_S)
        client.close()
        server.kill()
        gate.touch()
        until(lambda: "reconcile" in daemon.log(), PATIENCE_S, what="the answer was tried in vain")
        server.start()
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output("late") == 300_000
        assert {(found.state, found.attempt) for found in run.attempts()} <= {("SUCCESS", 1)}
    server.give_back(url)


def test_a_closure_in_a_thread_has_its_upstream_too(database_url, tmp_path):
    sizes: list[dict[str, int]] = []

    def measure() -> None:
        sizes.append({key: len(output) for key, output in context().upstream.items()})

    builder = (
        WorkflowBuilder("threads")
        .with_task(TaskBuilder("large", "make").with_params(size=2 * MB))
        .with_task(TaskBuilder("small", "make").with_params(size=3))
        .with_task(TaskBuilder("both", "measure"))
        .with_dependency("both", "large")
        .with_dependency("both", "small")
    )
    engine = Engine(database_url, pools={"default": 1}, run_dir=tmp_path)
    with engine.with_job(lambda size: "x" * size, name="make").with_job(measure).with_workflow(builder):
        assert engine.client.submit("threads").wait(PATIENCE_S) == "SUCCESS"
    assert sizes == [{"large": 2 * MB, "small": 3}]

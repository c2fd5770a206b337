"""Events: what an Engine's listeners hear of a real run, on every database, and that the figures add up."""

from __future__ import annotations

import logging
import os
import signal
from collections import Counter
from typing import Any

import pytest

from qflowd import Engine, Rejected, TaskBuilder, WorkflowBuilder
from qflowd.engine.membership.lease import Lease
from qflowd.engine.membership.lease_watch import LeaseWatch
from qflowd.engine.membership.registration import mark_gone
from qflowd.model.instruments import (
    DaemonReregistered,
    LeaseExpired,
    LeaseRenewed,
    PluginsReloaded,
    SubmissionsAdmitted,
    TasksClaimed,
    TasksWritten,
    TransactionCommitted,
    WorkerExited,
    WorkerStarted,
)
from qflowd.store.clock import boottime
from tests.daemon import program_jobs
from tests.support.daemon import until

PATIENCE_S = 30


class Heard:
    """A listener that keeps everything."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def __call__(self, event: object) -> None:
        self.events.append(event)

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if type(event) is kind]

    def total(self, kind: type, figure: str) -> Any:
        values = [getattr(event, figure) for event in self.of(kind)]
        return sum(map(Counter, values), Counter()) if values and isinstance(values[0], dict) else sum(values)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def engine(database_url, tmp_path, heard):
    engine = Engine(database_url, pools={"default": 1}, lease="6s", grace="1s", run_dir=tmp_path)
    engine.with_job(program_jobs.divide).with_job(program_jobs.nap).with_job(program_jobs.double)
    yield engine.with_listener(heard)
    engine.stop(now=True)


def test_the_figures_of_a_run_with_failures_add_up(engine, heard):
    builder = WorkflowBuilder("mixed")
    builder.with_task(TaskBuilder("good", job="double").with_params(text="ab"))
    builder.with_task(TaskBuilder("bad", job="divide").with_params(a=1, b=0))  # tried twice
    builder.with_task(TaskBuilder("behind", job="double").with_params(text="never"))
    builder.with_task(TaskBuilder("further", job="double").with_params(text="never"))
    engine.with_workflow(builder.with_dependency("behind", "bad").with_dependency("further", "behind"))
    with engine:
        first = engine.client.submit("mixed", idempotency_key="once")
        assert first.wait(PATIENCE_S) == "FAILED"
        assert engine.client.submit("mixed", idempotency_key="once").wait(PATIENCE_S) == "FAILED"
        with pytest.raises(Rejected):
            engine.client.submit("unheard_of").wait(PATIENCE_S)
    admitted = {name: heard.total(SubmissionsAdmitted, name) for name in ("instances", "tasks", "repeated", "rejected")}
    assert admitted == {"instances": 1, "tasks": 4, "repeated": 1, "rejected": 1}
    ended = heard.total(TasksWritten, "ended")
    assert ended == {"SUCCESS": 1, "FAILED": 1, "UPSTREAM_FAILED": 2}
    assert heard.total(TasksWritten, "failed_attempts") == {"ERROR": 2}
    assert heard.total(TasksWritten, "rearmed") == 1
    assert heard.total(TasksWritten, "instances") == 1
    given_back = heard.total(TasksWritten, "released")
    assert heard.total(TasksClaimed, "tasks") - given_back == 3  # the failed one twice
    assert {(event.pool, event.job) for event in heard.of(TasksClaimed)} == {
        ("default", "double"),
        ("default", "divide"),
    }
    committed = heard.of(TransactionCommitted)
    assert "finish" in {event.transaction for event in committed}
    assert all(event.seconds > 0 and event.tries >= 1 for event in committed)
    assert heard.of(LeaseRenewed)
    assert heard.of(WorkerStarted)[0] == WorkerStarted("default", 1)


def test_a_worker_that_is_killed_is_heard_of_and_so_is_the_one_after_it(engine, heard, tmp_path):
    with engine:
        flag = tmp_path / "flag"
        engine.client.submit(job="nap", params={"seconds": 60, "flag": str(flag)})
        until(flag.exists, PATIENCE_S)
        [pid] = [worker.pid for worker in engine._daemon._backends._all[0]._workers.values()]
        os.kill(pid, signal.SIGKILL)
        until(lambda: len(heard.of(WorkerStarted)) > 1, PATIENCE_S)
        assert heard.of(WorkerExited) == [WorkerExited("default", 1, signal.SIGKILL)]
        until(lambda: heard.total(TasksWritten, "failed_attempts"), PATIENCE_S)
        assert heard.total(TasksWritten, "failed_attempts") == {"LOST": 1}
        engine.stop(now=True)  # it has begun once more


def test_a_daemon_that_others_mark_dead_says_under_which_number_it_continues(engine, heard):
    with engine:
        daemon = engine._daemon
        before = daemon.identity.id
        daemon.store.transact(lambda tx: mark_gone(tx, before), name="mark_gone")
        [event] = until(lambda: heard.of(DaemonReregistered), PATIENCE_S)
        assert event.daemon_id > before


def test_a_lease_that_runs_out_is_heard_of(engine, heard):
    with engine:
        daemon, lease = engine._daemon, Lease(30.0, lambda until: None)
        lease_watch = LeaseWatch(
            daemon.store, lease, daemon.executor, sever=daemon._sever, leave=daemon._leave_database
        )
        lease.renew(boottime())
        lease_watch.tick()
        assert heard.of(LeaseExpired) == []
        lease._until = 0.0
        lease_watch.tick()
        lease_watch.tick()
        assert heard.of(LeaseExpired) == [LeaseExpired()]


def test_another_set_of_plugins_is_heard_of(database_url, tmp_path, heard):
    folder = tmp_path / "plugins"
    folder.mkdir()
    engine = Engine(database_url, pools={"default": 1}, plugins=[folder], run_dir=tmp_path).with_listener(heard)
    with engine:
        known = len(engine.client.jobs())
        (folder / "one.py").write_text("from qflowd import job\n\n@job\ndef one() -> int:\n    return 1\n", "utf-8")
        until(lambda: any(event.jobs == known + 1 for event in heard.of(PluginsReloaded)), PATIENCE_S)
        (folder / "two.py").write_text("this is not Python\n", "utf-8")
        until(lambda: any(event.faults == 1 for event in heard.of(PluginsReloaded)), PATIENCE_S)


@pytest.mark.parametrize("error", [ValueError("a fault of the listener"), SystemExit(3)])
def test_a_listener_that_raises_is_logged_once_and_disturbs_nobody(engine, heard, caplog, error):
    def fails(event: object) -> None:
        raise error

    engine.with_listener(fails).with_listener(after := Heard())
    with caplog.at_level(logging.ERROR, "qflowd"), engine:
        assert engine.client.submit(job="double", params={"text": "a"}).wait(PATIENCE_S) == "SUCCESS"
    assert [record.message.split(" on ")[0] for record in caplog.records if record.levelno == logging.ERROR] == [
        "a listener failed"
    ]
    assert len(after.events) == len(heard.events) > 1

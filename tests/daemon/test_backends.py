"""A backend that qflowd does not ship, in the real daemon: what the protocol asks for is all that it takes.

Every task is a process of its own, started and waited for by a thread per chunk; the jobs come from the manifest.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from qflowd.client.client import Client
from qflowd.client.database import DatabaseTransport
from qflowd.config import PoolConfig, from_settings
from qflowd.daemon.daemon import Daemon
from qflowd.store.migrate import migrate
from qflowd.store.tx import Store
from qflowd.workers.backends import Backend, Bell
from qflowd.workers.events import Broken, Event, Finished, Returned, Running
from qflowd.workers.log_reader import PrintedLine
from qflowd.workers.wire import Assignment, Chunk, Ended, now_us
from tests.support.daemon import ROOT, until

PATIENCE_S = 30
TASK = """
import json, sys
from qflowd.workers.job_loader import JobLoader
job = JobLoader(int(sys.argv[1])).load(sys.argv[2], sys.argv[3])
print(json.dumps(job.function(**job.signature.bind(json.load(sys.stdin)))))
"""


class Subprocesses(Backend):
    """At most `size.slots` chunks at a time, the tasks of each one after the other."""

    def __init__(self, size: PoolConfig) -> None:
        self.slots = size.slots
        self.bell, self.lock = Bell(), threading.RLock()
        self.open: dict[int, Assignment] = {}
        self.running: dict[int, subprocess.Popen[str]] = {}
        self.reasons: dict[int, str] = {}  # why a task was stopped
        self.chunks: list[threading.Thread] = []
        self.events: list[Event] = []
        self.lines: list[PrintedLine] = []
        self.manifests: list[int] = []

    def start(self, manifest: bytes) -> None:
        self.adopt(manifest)

    def adopt(self, manifest: bytes) -> None:
        self.manifests.append(os.memfd_create("manifest"))
        os.write(self.manifests[-1], manifest)

    def room(self, pool: str) -> int:
        self.chunks = [thread for thread in self.chunks if thread.is_alive()]
        return max(0, self.slots - len(self.chunks))

    def idle(self, pool: str) -> int:
        return self.room(pool)

    def send(self, pool: str, chunk: Chunk) -> None:
        with self.lock:
            self.open |= {task.task_id: task for task in chunk.tasks}
        self.chunks.append(threading.Thread(target=self.run, args=(chunk, self.manifests[-1])))
        self.chunks[-1].start()

    def stop(self, task_ids, reason) -> None:
        with self.lock:
            for number in self.open.keys() & set(task_ids):
                self.reasons[number] = reason
                if number in self.running:
                    self.running[number].kill()
                else:
                    self.give_back(number)

    def held(self) -> set[tuple[int, int]]:
        with self.lock:
            return {(task.task_id, task.fence) for task in self.open.values()}

    def fileno(self) -> int:
        return self.bell.fileno()

    def take(self) -> list[Event]:
        self.bell.reset()
        with self.lock:
            events, self.events = self.events, []
        return events

    def read_logs(self) -> list[PrintedLine]:
        with self.lock:
            lines, self.lines = self.lines, []
        return lines

    def keep_alive(self, until_us: int) -> None:
        """Nobody freezes this one."""

    def drain(self) -> None:
        with self.lock:
            for number in self.open.keys() - self.running.keys():
                self.give_back(number)

    def kill_all(self) -> None:
        with self.lock:
            for number in list(self.open):
                self.give_back(number)
            for process in self.running.values():
                process.kill()

    def close(self) -> None:
        self.kill_all()
        for thread in self.chunks:
            thread.join()
        self.bell.close()
        for fd in self.manifests:
            os.close(fd)

    def give_back(self, number: int) -> None:
        task = self.open.pop(number)
        self.events.append(Returned(number, task.fence, number in self.running))
        self.bell.ring()

    def run(self, chunk: Chunk, manifest: int) -> None:
        command = [sys.executable, "-c", TASK, str(manifest), chunk.module, chunk.job]
        for task in chunk.tasks:
            with self.lock:
                if task.task_id not in self.open:
                    continue
                process = self.running[task.task_id] = subprocess.Popen(
                    command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                    env={**os.environ, "PYTHONPATH": str(ROOT)}, pass_fds=[manifest],
                )  # fmt: skip
                started_us = now_us()
                self.events.append(Running(task.task_id, task.fence, started_us))
            self.bell.ring()
            try:
                output, error = process.communicate(task.params, chunk.timeout_s)
            except subprocess.TimeoutExpired:
                self.stop([task.task_id], "timeout")
                output, error = process.communicate()
            self.end(chunk, task, process, output, error, started_us)

    def end(
        self,
        chunk: Chunk,
        task: Assignment,
        process: subprocess.Popen[str],
        output: str,
        error: str,
        started_us: int,
    ) -> None:
        code = process.returncode
        number, fence, times = task.task_id, task.fence, {"started_us": started_us, "ended_us": now_us()}
        with self.lock:
            if self.running.get(number) is process:  # else it was given back, and runs again already
                del self.running[number]
            if self.open.get(number) is not task:
                return
            del self.open[number]
            reason = self.reasons.pop(number, None)
            self.lines += [
                PrintedLine(number, fence, task.attempt, now_us(), "stderr", "ERROR", "", line, None)
                for line in error.splitlines()
            ]
            if reason or code < 0:
                self.events.append(
                    Broken(
                        number,
                        fence,
                        reason or "crash",
                        exit_signal=None if code >= 0 else -code,
                        started_us=started_us,
                    )
                )
            elif code:
                last = error.splitlines()[-1]
                self.events.append(Finished([Ended(number, fence, "error", error=last, traceback=error, **times)]))
            else:
                self.events.append(Finished([Ended(number, fence, "success", output, **times)]))
        self.bell.ring()


# ------------------------------------------------------------------------------------------------ tests

JOBS = """
import os, signal, sys, time
from qflowd import job

@job
def base() -> int:
    return 20

@job(pool="apart")
def add(number: int, more: int = 1) -> dict:
    print("adding", more, file=sys.stderr)
    return {"sum": number + more, "parent": os.getppid()}

@job(pool="apart", retries=1, retry_delay=0)
def fails(text: str):
    raise LookupError(text)

@job(pool="apart", timeout="500ms")
def hangs():
    time.sleep(60)

@job(pool="apart")
def waits():
    time.sleep(60)

@job(pool="apart")
def dies():
    os.kill(os.getpid(), signal.SIGKILL)

@job(pool="apart")
def version() -> int:
    return 1
"""


class QuietDaemon(Daemon):
    def _tune(self) -> None:
        """The garbage collector is the tests'."""


@pytest.fixture
def make_daemon(database_url, tmp_path) -> Iterator[Callable[[], Daemon]]:
    daemons: list[Daemon] = []
    (tmp_path / "plugins").mkdir(mode=0o700)
    (tmp_path / "plugins/desk.py").write_text(JOBS)

    def make() -> Daemon:
        config = from_settings({
            "database": {"url": database_url},
            "daemon": {"run_dir": str(tmp_path), "grace": "1s"},
            "pools": {"default": {"processes": 1}, "apart": {"processes": 2}},
            "plugins": {"dirs": [str(tmp_path / "plugins")]},
        })  # fmt: skip
        daemons.append(daemon := QuietDaemon(config, backends={"apart": Subprocesses}))
        daemon.start()
        return daemon

    yield make
    for daemon in daemons:
        daemon.stop(now=True)
        until(daemon.is_drained)
        daemon.close()


@pytest.fixture
def client(database_url) -> Iterator[Client]:
    store = Store(database_url)
    migrate(store)
    with Client(DatabaseTransport(store)) as found:
        yield found


def test_tasks_of_a_pool_run_by_its_own_backend_beside_worker_processes(make_daemon, client, tmp_path):
    make_daemon()
    run = client.submit(job="add", params={"number": 1, "more": 4})
    assert run.wait(PATIENCE_S) == "SUCCESS"
    assert run.output() == {"sum": 5, "parent": os.getpid()}
    in_worker = client.submit(job="base")
    assert in_worker.wait(PATIENCE_S) == "SUCCESS"
    assert in_worker.output() == 20
    until(lambda: [line.message for line in run.logs()] == ["adding 4"])


def test_many_tasks_of_another_backend_all_run_once(make_daemon, client):
    make_daemon()
    runs = [client.submit(job="add", params={"number": number}) for number in range(12)]
    assert {run.wait(PATIENCE_S) for run in runs} == {"SUCCESS"}
    assert [run.output()["sum"] for run in runs] == list(range(1, 13))


def test_errors_timeouts_and_crashes_of_another_backend_have_their_reasons(make_daemon, client):
    make_daemon()
    runs = {job: client.submit(job=job) for job in ("hangs", "dies")}
    runs["fails"] = client.submit(job="fails", params={"text": "no such symbol"})
    assert {job: run.wait(PATIENCE_S) for job, run in runs.items()} == dict.fromkeys(runs, "FAILED")
    reasons = {job: [attempt.reason for attempt in run.attempts()] for job, run in runs.items()}
    assert reasons == {"hangs": ["timeout"], "dies": ["lost", "lost", "poison"], "fails": ["error", "error"]}
    assert "no such symbol" in runs["fails"].attempts()[0].error


def test_another_backend_stops_tasks_and_gives_them_back(make_daemon, client):
    daemon = make_daemon()
    stopped, returned = client.submit(job="waits"), client.submit(job="waits")
    until(lambda: [task.state for run in (stopped, returned) for task in run.tasks()] == ["RUNNING"] * 2)
    stopped.terminate(timeout=PATIENCE_S)
    assert stopped.state() == "TERMINATED"
    daemon.stop(now=True)
    until(daemon.is_drained)
    assert [task.state for task in returned.tasks()] == ["READY"]


def test_another_backend_adopts_changed_code(make_daemon, client, tmp_path):
    make_daemon()
    first = client.submit(job="version")
    assert first.wait(PATIENCE_S) == "SUCCESS"
    Path(tmp_path / "plugins/desk.py").write_text(JOBS.replace("return 1", "return 2"))

    def runs_the_new_code() -> bool:
        run = client.submit(job="version")
        return run.wait(PATIENCE_S) == "SUCCESS" and run.output() == 2

    until(runs_the_new_code, PATIENCE_S)

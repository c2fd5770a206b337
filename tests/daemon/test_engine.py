"""The Engine: a daemon inside this very process, with real workers beside it, on every database."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import qflowd
from qflowd import Engine, TaskBuilder, WorkflowBuilder, context
from qflowd.daemon.idle import is_nothing_left
from qflowd.engine.running import dispatch, executor
from qflowd.jobs.decorators import InvalidJob
from qflowd.model.errors import InvalidConfig, InvalidRequest, Rejected
from tests.daemon import program_jobs
from tests.support.daemon import ROOT, until

PATIENCE_S = 30
END_S = 60  # an attempt that hangs is given up by its own test long before


@pytest.fixture
def make_engine(tmp_path):
    """Engines with small pools; whatever a test leaves running is stopped at once."""
    engines: list[Engine] = []

    def make(url: str, **settings) -> Engine:
        engine = Engine(url, **{"pools": {"default": 1}, "grace": "1s", "run_dir": tmp_path, **settings})
        engines.append(engine)
        return engine

    yield make
    for engine in engines:
        engine.stop(now=True)


# ------------------------------------------------------------------------------------------------ jobs


def test_a_function_of_a_module_runs_in_a_worker_process(database_url, make_engine):
    engine = make_engine(database_url).with_job(program_jobs.divide).with_job(program_jobs.double)
    engine.with_job(program_jobs.Desk.half).with_job(program_jobs.made_by_a_factory)
    with engine.with_job(program_jobs.send_order).with_job(program_jobs.cancel_order):
        run = engine.client.submit(job="divide", params={"a": 7, "b": 2})
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output()["result"] == 3
        assert run.output()["pid"] != os.getpid()
        plain = engine.client.submit(job="double", params={"text": "ab"})
        half = engine.client.submit(job="half", params={"number": 9})
        made = engine.client.submit(job="factory_made")
        assert [found.wait(PATIENCE_S) for found in (plain, half, made)] == ["SUCCESS"] * 3
        assert (plain.output(), half.output(), made.output()) == ("abab", 4, "factory_made")
        with pytest.raises(Rejected, match="b"):
            engine.client.submit(job="divide", params={"a": 7}).wait(PATIENCE_S)
        until(lambda: [line.message for line in run.logs()] == ["dividing"])
        jobs = {row["job"]: row for row in engine.client.jobs()}
        assert jobs["divide"]["doc"] == "Divide, in whole numbers."
        assert jobs["divide"]["file"] == program_jobs.__file__
        engine.with_workflow(
            WorkflowBuilder("orders").with_saga().with_task(TaskBuilder("send", "send_order").with_params(quantity=7))
        )
        sent = engine.client.submit("orders")
        assert (sent.wait(PATIENCE_S), sent.info().saga_state) == ("FAILED", "COMPENSATED")
        assert [(task.name, task.state) for task in sent.compensations()] == [("send", "SUCCESS")]


def test_a_closure_runs_in_a_thread_of_this_process(database_url, make_engine):
    seen: list[object] = []

    def remember(symbol: str, times: int = 1) -> dict:
        seen.append((os.getpid(), symbol, context().attempt, threading.current_thread().name))
        context().logger.info("careful with %s", symbol, extra={"symbol": symbol})
        context().progress(1, 2, "half")
        return {"symbol": symbol * times, "task": context().task}

    async def answer() -> int:
        await asyncio.sleep(0)
        return 42

    with make_engine(database_url).with_job(remember).with_job(answer) as engine:
        run = engine.client.submit(job="remember", params={"symbol": "AAPL", "times": 2})
        coroutine = engine.client.submit(job="answer")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output() == {"symbol": "AAPLAAPL", "task": "remember"}
        assert seen == [(os.getpid(), "AAPL", 1, "qflowd-inline")]
        assert [task.pool for task in run.tasks()] == ["inline"]
        assert coroutine.wait(PATIENCE_S) == "SUCCESS"
        assert coroutine.output() == 42
        line = until(lambda: list(run.logs()))[0]
        assert (line.stream, line.logger, line.message) == ("log", "remember", "careful with AAPL")
        assert "AAPL" in str(line.attributes)
        with pytest.raises(Rejected, match="symbol"):
            engine.client.submit(job="remember").wait(PATIENCE_S)
    assert logging.getLogger("remember").handlers == []
    assert logging.getLogger("remember").level == logging.NOTSET


def test_many_short_closures_all_run_once(database_url, make_engine):
    counted: list[int] = []
    tasks = 60
    builder = WorkflowBuilder("many")
    for number in range(tasks):
        builder.with_task(TaskBuilder(f"t{number}", "count").with_params(number=number))

    with make_engine(database_url).with_job(lambda number: counted.append(number), name="count") as engine:  # noqa: PLW0108
        engine.with_workflow(builder)
        run = engine.client.submit("many")
        assert run.wait(PATIENCE_S) == "SUCCESS"
    assert sorted(counted) == list(range(tasks))


def test_what_fails_is_tried_again_and_then_fails_with_its_traceback(database_url, make_engine):
    attempts: list[int] = []

    def unlucky(until_attempt: int) -> int:
        attempts.append(context().attempt)
        if context().attempt < until_attempt:
            raise LookupError(f"attempt {context().attempt}")
        return context().attempt

    engine = make_engine(database_url).with_job(unlucky, retries=1, retry_delay=0).with_job(program_jobs.divide)
    with engine:
        lucky = engine.client.submit(job="unlucky", params={"until_attempt": 2})
        assert lucky.wait(PATIENCE_S) == "SUCCESS"
        assert (lucky.output(), attempts) == (2, [1, 2])
        lost = engine.client.submit(job="unlucky", params={"until_attempt": 3})
        in_worker = engine.client.submit(job="divide", params={"a": 1, "b": 0})
        assert [lost.wait(PATIENCE_S), in_worker.wait(PATIENCE_S)] == ["FAILED", "FAILED"]
        for run, error in ((lost, "LookupError: attempt 2"), (in_worker, "ZeroDivisionError")):
            last = run.attempts()[-1]
            assert (last.attempt, last.reason) == (2, "error")
            assert error in last.error
            assert "test_engine.py" in last.traceback or "program_jobs.py" in last.traceback


def test_a_closure_that_takes_too_long_fails_and_its_late_result_is_dropped(database_url, make_engine):
    may_end, ended = threading.Event(), threading.Event()
    cancelled: list[bool] = []

    def hang() -> str:
        if context().attempt == 1:
            may_end.wait(END_S)
            cancelled.append(context().cancelled)
            ended.set()
            return "late"
        return "in time"

    engine = make_engine(database_url, pools={"default": 1, "inline": 1})
    with engine.with_job(hang, timeout=0.2, retries=1, retry_delay=0):
        run = engine.client.submit(job="hang")
        # One thread was lost to the first attempt; the second had another.
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert not ended.is_set()
        may_end.set()
        assert ended.wait(PATIENCE_S)
        assert run.output() == "in time"
        first = run.attempts()[0]
        assert (first.state, first.reason) == ("FAILED", "timeout")
        assert first.error == (
            "ran longer than its timeout of 0.2 s and was given up: it is asked to end, but nobody can kill a thread"
        )
        assert "may_end.wait(END_S)" in first.traceback
    assert cancelled[0] is True


def test_a_coroutine_that_takes_too_long_is_cancelled(sqlite_url, make_engine):
    ends: list[str] = []

    async def wait() -> None:
        try:
            await asyncio.sleep(END_S)
        except asyncio.CancelledError:
            ends.append("cancelled")
            raise

    with make_engine(sqlite_url).with_job(wait, timeout=0.1) as engine:
        assert engine.client.submit(job="wait").wait(PATIENCE_S) == "FAILED"
        assert until(lambda: ends) == ["cancelled"]


def test_a_closure_can_be_terminated(database_url, make_engine):
    begun = threading.Event()

    def until_cancelled() -> None:
        begun.set()
        until(lambda: context().cancelled, END_S)

    with make_engine(database_url).with_job(until_cancelled) as engine:
        run = engine.client.submit(job="until_cancelled")
        assert begun.wait(PATIENCE_S)
        run.terminate(timeout=PATIENCE_S)
        assert run.state() == "TERMINATED"


def test_a_checkpoint_of_a_closure_is_there_in_the_next_attempt(sqlite_url, make_engine):
    def step() -> object:
        if context().saved is None:
            context().save({"row": 7})
            raise RuntimeError("after the checkpoint")
        return context().saved

    with make_engine(sqlite_url).with_job(step, retries=1, retry_delay=0) as engine:
        run = engine.client.submit(job="step")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output() == {"row": 7}


def test_a_job_in_a_thread_may_use_the_client(sqlite_url, make_engine):
    engine = make_engine(sqlite_url)

    def submit_another() -> int:
        return engine.client.submit(job="double", params={"text": "x"}).id

    with engine.with_job(submit_another).with_job(program_jobs.double):
        first = engine.client.submit(job="submit_another")
        assert first.wait(PATIENCE_S) == "SUCCESS"
        assert engine.client.instance(first.output()).wait(PATIENCE_S) == "SUCCESS"


# ------------------------------------------------------------------------------------------------ refused jobs


def main_function() -> None: ...


@pytest.fixture
def in_main_file(monkeypatch):
    monkeypatch.setattr(main_function, "__module__", "__main__")
    return main_function


def test_a_function_of_the_main_file_is_refused_with_the_remedy(sqlite_url, make_engine, in_main_file):
    with pytest.raises(InvalidJob, match=r"main file.*module of its own.*inline=True"):
        make_engine(sqlite_url).with_job(in_main_file)


@pytest.mark.parametrize(
    ("function", "settings", "message"),
    [
        (lambda: None, {}, "<lambda>"),
        (lambda: None, {"name": "f", "inline": False}, "would not find it"),
        (lambda: None, {"name": "f", "pool": "io"}, "cannot be in pool 'io'"),
        (lambda: None, {"name": "f", "memory": "1G"}, "no memory limit"),
        (lambda: None, {"name": "f", "retrys": 2}, "retrys is not a setting"),
        (program_jobs.double, {"pool": "inline"}, "is for jobs in threads"),
        (program_jobs.divide, {"retries": 2}, "change them there"),
        (print, {}, "goes on a function"),
    ],
)
def test_what_cannot_be_a_job_is_refused(function, settings, message, sqlite_url, make_engine):
    with pytest.raises(InvalidJob, match=message):
        make_engine(sqlite_url).with_job(function, **settings)


def test_two_functions_cannot_have_one_name(sqlite_url, make_engine):
    engine = make_engine(sqlite_url).with_job(program_jobs.double).with_job(program_jobs.double)
    with pytest.raises(InvalidJob, match="another function"):
        engine.with_job(lambda: None, name="double")


def test_a_task_that_names_the_wrong_pool_fails_with_the_reason(sqlite_url, make_engine):
    engine = make_engine(sqlite_url).with_job(lambda: 1, name="here").with_job(program_jobs.double)
    engine.with_workflow(
        WorkflowBuilder("astray")
        .with_task(TaskBuilder("a", "here").with_pool("default"))
        .with_task(TaskBuilder("b", "double").with_pool("inline").with_params(text="x"))
    )
    with engine:
        run = engine.client.submit("astray")
        assert run.wait(PATIENCE_S) == "FAILED"
        errors = [task.error for task in run.tasks()]
    assert "only in threads" in errors[0]
    assert "another pool than inline" in errors[1]


# ------------------------------------------------------------------------------------------------ workflows, folders


def test_a_workflow_of_a_builder_is_stored_once_and_a_changed_one_is_the_next_version(database_url, make_engine):
    def builder(factor: int) -> WorkflowBuilder:
        return (
            WorkflowBuilder("pair")
            .with_params(a={"type": "integer", "default": 8})
            .with_task(TaskBuilder("first", "divide").with_params(a="{{ params.a }}", b=2))
            .with_task(TaskBuilder("then", "scale").with_params(number="{{ first.output.result }}"))
            .with_dependency("then", "first")
            .with_defaults(priority=factor)
        )

    engine = make_engine(database_url).with_job(program_jobs.divide).with_job(lambda number: number * 10, name="scale")
    engine.with_workflow(builder(1))
    for _ in range(2):
        with engine:
            run = engine.client.submit("pair", params={"a": 6})
            assert run.wait(PATIENCE_S) == "SUCCESS"
            assert run.output("then") == 30
            assert run.info().version == 1
            [row] = engine.client.workflows()
            assert (row["workflow"], row["source"], row["version"]) == ("pair", "sdk", 1)
    with engine:
        engine.with_workflow(builder(2).build())
        run = engine.client.submit("pair")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert (run.output("then"), run.info().version) == (40, 2)


def test_folders_of_a_configuration_are_followed_too(sqlite_url, tmp_path):
    for name in ("plugins", "workflows"):
        (tmp_path / name).mkdir(mode=0o700)
    (tmp_path / "plugins/desk.py").write_text(
        "from qflowd import job\n@job\ndef add(a: int) -> int:\n    return a + 1\n@job\ndef double(text: str) -> str:\n    return ''\n"
    )
    (tmp_path / "workflows/w.yaml").write_text("workflow: w\ntasks: {add: {job: add, params: {a: 1}}}\n")
    (tmp_path / "qflowd.toml").write_text(
        "[pools.default]\nprocesses = 1\n[database]\nhost = 'elsewhere'\nkind = 'mysql'\n"
    )
    engine = Engine(sqlite_url, config=tmp_path / "qflowd.toml").with_job(program_jobs.double)
    with engine:
        run = engine.client.submit("w")
        assert run.wait(PATIENCE_S) == "SUCCESS"
        assert run.output() == 2
        # A name that both define is the program's, and the plugin's file says so.
        assert {row["job"]: row["file"] for row in engine.client.jobs()}["double"] == program_jobs.__file__
        [error] = [row["error"] for row in engine.client.plugins() if row["error"]]
        assert "already defined by" in error
        with pytest.raises(InvalidRequest, match=r"w\.yaml"):
            engine.with_workflow(WorkflowBuilder("w").with_task(TaskBuilder("a", "add")))
    threads = threading.active_count()
    engine.with_workflow(WorkflowBuilder("w").with_task(TaskBuilder("a", "add")))
    with pytest.raises(InvalidRequest, match=r"w\.yaml"):
        engine.start()
    assert not engine.is_running
    until(lambda: threading.active_count() == threads)


def test_a_url_alone_reads_no_configuration(sqlite_url, tmp_path, monkeypatch):
    (tmp_path / "qflowd.toml").write_text("nonsense = true\n")
    monkeypatch.chdir(tmp_path)
    Engine(sqlite_url)
    with pytest.raises(InvalidConfig, match="nonsense"):
        Engine()


def test_all_faults_of_the_settings_are_told_at_once(sqlite_url):
    with pytest.raises(InvalidConfig) as refusal:
        Engine(sqlite_url, pools={"default": 0}, lease="1s", colour="red")
    assert all(word in str(refusal.value) for word in ("default", "lease", "colour"))


# ------------------------------------------------------------------------------------------------ its life


def submit_nap(engine, flag):
    return engine.client.submit(job="nap", params={"seconds": END_S, "flag": str(flag)})


def test_the_end_of_the_block_waits_for_what_runs(database_url, make_engine, tmp_path):
    begun, flag = threading.Event(), tmp_path / "begun"

    def slow() -> str:
        begun.set()
        time.sleep(0.5)  # there is nothing to wait for: it is what takes the time
        return "ended"

    engine = make_engine(database_url).with_job(slow).with_job(program_jobs.nap)
    with engine:
        here = engine.client.submit(job="slow")
        there = engine.client.submit(job="nap", params={"seconds": 0.5, "flag": str(flag)})
        assert begun.wait(PATIENCE_S)
        until(flag.exists)
        assert engine.is_running
    assert not engine.is_running
    assert (here.state(), there.state()) == ("SUCCESS", "SUCCESS")
    assert (here.output(), there.output()) == ("ended", "slept")
    assert engine.client.daemons() == []
    engine.stop()
    engine.client.close()


def test_what_is_stopped_now_runs_again_at_the_next_start(database_url, make_engine, tmp_path):
    begun, may_end, flag = threading.Event(), threading.Event(), tmp_path / "begun"
    fences: list[int] = []

    def hang() -> int:
        fences.append(context().fence)
        begun.set()
        may_end.wait(END_S)
        return context().fence

    engine = make_engine(database_url).with_job(hang).with_job(program_jobs.nap)
    with pytest.raises(ZeroDivisionError), engine:  # noqa: PT012 - the error comes last in the block
        runs = [engine.client.submit(job="hang"), submit_nap(engine, flag)]
        assert begun.wait(PATIENCE_S)
        until(flag.exists)
        _ = 1 // 0
    assert {run.state() for run in runs} == {"RUNNING"}
    may_end.set()
    with engine:
        assert runs[0].wait(PATIENCE_S) == "SUCCESS"
        assert runs[0].output() == fences[-1] > fences[0]
        assert runs[0].tasks()[0].attempt == 1
        runs[1].terminate(timeout=PATIENCE_S)
    engine.client.close()


def test_run_until_idle_takes_what_was_submitted_before(database_url, make_engine):
    engine = make_engine(database_url).with_job(program_jobs.divide)
    good = engine.client.submit(job="divide", params={"a": 4, "b": 2})
    assert engine.run_until_idle(PATIENCE_S) is True
    assert not engine.is_running
    assert good.state() == "SUCCESS"
    with engine:
        bad = engine.client.submit(job="divide", params={"a": 4, "b": 0})
        assert engine.run_until_idle(PATIENCE_S) is False
        assert engine.is_running
        assert bad.state() == "FAILED"
    assert engine.run_until_idle(PATIENCE_S) is True


def test_run_until_idle_ends_where_only_a_person_can_let_a_task_begin(database_url, make_engine, caplog):
    engine = make_engine(database_url).with_job(program_jobs.double, limits={"vendor": 3})
    with engine:
        vendor = engine.client.limit("vendor")
        vendor.set(3)
        vendor.pause()
        run = engine.client.submit(job="double", params={"text": "ab"})
        assert engine.run_until_idle(PATIENCE_S) is True
        paused = (
            f"task double of instance {run.id} waits for limit vendor, which is paused: `qflowd limits resume vendor`"
        )
        assert paused in caplog.messages
        engine.client.submit(job="double", params={"text": "cd"})
        assert engine.run_until_idle(PATIENCE_S) is True
        assert paused.replace(" waits", " and others wait") in caplog.messages
        vendor.set(2)
        vendor.resume()
        assert engine.run_until_idle(PATIENCE_S) is False
        never = (
            f"task double of instance {run.id} and others can never begin: an attempt takes 3 of limit vendor, "
            "which has 2 slots; "
        )
        assert any(message.startswith(never) for message in caplog.messages)
        vendor.set(10, rate="2/min")
        assert engine.run_until_idle(PATIENCE_S) is False
        vendor.set(rate=[])
        assert engine.run_until_idle(PATIENCE_S) is True
        assert run.state() == "SUCCESS"


def test_run_until_idle_ends_where_a_fact_cannot_be_read_and_says_so(database_url, make_engine, caplog):
    nav = WorkflowBuilder("nav").with_task(TaskBuilder("double", "double").with_params(text="ab"))
    engine = make_engine(database_url).with_job(program_jobs.double)
    engine.with_workflow(nav.with_schedule("after", start_on={"signal": "ready"}))
    with engine:
        engine._daemon.store.connection().script("UPDATE qflow.schedule SET params = 'not JSON'")
        number = engine.client.signal("ready")
        assert engine.run_until_idle(PATIENCE_S) is True
        said = f"start of nav by schedule after on signal ready {number} waits for a daemon that can read it"
        assert len([message for message in caplog.messages if message.startswith(said)]) == 1


def test_work_for_a_daemon_whose_lease_has_lapsed_is_work(database_url, make_engine):
    engine = make_engine(database_url).with_job(program_jobs.double).start()
    daemon = engine._daemon
    daemon.executor.stop_claiming()
    engine.client.submit(job="double", params={"text": "ab"})
    store = daemon.store
    until(lambda: store.read(lambda tx: tx.run("list_heads")), what="it stands in its lane")
    store.connection().script("UPDATE qflow.daemon SET lease_ends_at = started_at")
    assert not is_nothing_left(daemon)


def test_run_until_idle_gives_up_after_its_timeout(sqlite_url, make_engine, tmp_path):
    engine = make_engine(sqlite_url).with_job(program_jobs.nap)
    submit_nap(engine, tmp_path / "begun")
    with pytest.raises(TimeoutError, match="still work"):
        engine.run_until_idle(0.5)
    assert not engine.is_running


def test_a_stop_with_a_timeout_does_not_wait_for_a_closure_that_hangs(sqlite_url, make_engine):
    begun, may_end = threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        may_end.wait(END_S)

    engine = make_engine(sqlite_url).with_job(hang).start()
    run = engine.client.submit(job="hang")
    assert begun.wait(PATIENCE_S)
    engine.stop(timeout=0.1)
    assert [task.state for task in run.tasks()] == ["READY"]
    may_end.set()
    engine.client.close()


def test_two_engines_live_side_by_side(get_server, sqlite_url, make_engine):
    server = get_server("sqlite")
    other_url = server.create_database()
    one = make_engine(sqlite_url).with_job(lambda: "one", name="which")
    two = make_engine(other_url).with_job(lambda: "two", name="which")
    with one, two:
        runs = [engine.client.submit(job="which") for engine in (one, two)]
        assert [run.wait(PATIENCE_S) for run in runs] == ["SUCCESS", "SUCCESS"]
        assert [run.output() for run in runs] == ["one", "two"]
    server.drop_database(other_url)


def test_the_program_is_left_as_it_was(sqlite_url, make_engine):
    def state() -> tuple[object, ...]:
        handlers = [
            signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)
        ]
        loggers = [(logging.getLogger(name).handlers[:], logging.getLogger(name).level) for name in ("", "qflowd")]
        return handlers, loggers, gc.get_threshold(), gc.get_freeze_count(), Path.cwd(), sys.path[:]

    def threads() -> set[str]:
        return {thread.name for thread in threading.enumerate()}

    def descriptors() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    engine = make_engine(sqlite_url).with_job(lambda: 1, name="one").with_job(program_jobs.double)
    engine.run_until_idle(PATIENCE_S)  # what is imported and opened for good, is now
    before, threads_before, descriptors_before = state(), threads(), descriptors()
    with engine:
        assert engine.client.submit(job="one").wait(PATIENCE_S) == "SUCCESS"
        assert state() == before
    assert state() == before
    until(lambda: threads() == threads_before, what=f"threads like before: {threads_before}")
    assert descriptors() <= descriptors_before


def test_the_thread_that_renders_ends_with_the_engine(sqlite_url, make_engine, monkeypatch):
    def is_there() -> bool:
        return any(thread.name.startswith("qflowd-render") for thread in threading.enumerate())

    monkeypatch.setattr(dispatch, "WORTH_A_THREAD", 1)
    with make_engine(sqlite_url).with_job(lambda: 1, name="one") as engine:
        assert engine.client.submit(job="one").wait(PATIENCE_S) == "SUCCESS"
        assert is_there()
    until(lambda: not is_there(), what="it has ended")


def test_jobs_cannot_be_added_while_it_runs(sqlite_url, make_engine):
    with make_engine(sqlite_url) as engine, pytest.raises(InvalidRequest, match="before start"):
        engine.with_job(program_jobs.double)


# ------------------------------------------------------------------------------------------------ traps


def test_a_file_that_the_program_has_open_with_sqlite3_is_refused(sqlite_url, make_engine):
    file = sqlite_url.removeprefix("sqlite:///")
    engine = make_engine(sqlite_url).with_job(program_jobs.double)
    engine.run_until_idle(PATIENCE_S)
    other = sqlite3.connect(file)
    with pytest.raises(InvalidRequest, match=r"qflow\.db open by other means"):
        engine.start()
    assert not engine.is_running
    other.close()
    with open(file, "rb"), pytest.raises(InvalidRequest, match="open by other means"):  # noqa: PTH123
        engine.start()
    with qflowd.connect(sqlite_url) as client, engine:  # our own library is none of the others
        run = client.submit(job="double", params={"text": "x"})
        assert run.wait(PATIENCE_S) == "SUCCESS"


def test_a_sqlite3_connection_is_seen_beside_a_client_of_ours(sqlite_url, make_engine):
    engine = make_engine(sqlite_url)
    engine.client.daemons()
    other = sqlite3.connect(sqlite_url.removeprefix("sqlite:///"))
    with pytest.raises(InvalidRequest, match="open by other means"):
        engine.start()
    other.close()
    engine.client.close()


def test_what_no_object_of_this_thread_shows_is_seen_while_our_library_has_nothing_open(sqlite_url, make_engine):
    engine, file = make_engine(sqlite_url), sqlite_url.removeprefix("sqlite:///")
    engine.run_until_idle(PATIENCE_S)
    with ThreadPoolExecutor(1) as elsewhere:  # sqlite3 answers no other thread than the connection's own
        other = elsewhere.submit(sqlite3.connect, file).result()
        elsewhere.submit(other.execute, "SELECT 1 FROM sqlite_master").result()
        with pytest.raises(InvalidRequest, match="open by other means"):
            engine.start()
        elsewhere.submit(other.close).result()
    descriptor = os.open(file, os.O_RDONLY)  # as any other SQLite library has it
    with pytest.raises(InvalidRequest, match="open by other means"):
        engine.start()
    os.close(descriptor)
    engine.run_until_idle(PATIENCE_S)


SCRIPT = """
import sys
from qflowd import Engine
from qflowd.jobs.decorators import InvalidJob

def here() -> str:
    return "from the main file"

engine = Engine(sys.argv[1], pools={"default": 1})
try:
    engine.with_job(here)
except InvalidJob as error:
    print(error)
with engine.with_job(here, inline=True):
    run = engine.client.submit(job="here")
    print(run.wait(30), run.output())
"""


def test_a_script_gets_along_with_the_remedy(sqlite_url, tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, "-W", "error", "script.py", sqlite_url]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    refusal, result = done.stdout.splitlines()
    assert "inline=True" in refusal
    assert result == "SUCCESS from the main file"
    assert (done.returncode, done.stderr) == (0, "")


UNGUARDED = """
import sys
from pathlib import Path
from qflowd import Engine

def job_of_ours() -> str:
    return "never"

def main(url: str) -> None:
    with Engine(url, pools={"default": 1}).with_job(job_of_ours) as engine:
        run = engine.client.submit(job="job_of_ours")
        print(run.wait(30), run.tasks()[0].error)

main(Path("url").read_text())
"""


def test_a_module_that_starts_an_engine_when_a_worker_imports_it_is_told_so(sqlite_url, tmp_path):
    (tmp_path / "unguarded.py").write_text(UNGUARDED)
    (tmp_path / "url").write_text(sqlite_url)
    command = [sys.executable, "-c", "import unguarded"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.startswith("FAILED"), done.stderr
    assert "__main__" in done.stdout


def test_a_program_that_ends_without_a_stop_leaves_no_process_behind(sqlite_url, tmp_path):
    script = """
import sys
from qflowd import Engine
from tests.daemon import program_jobs
engine = Engine(sys.argv[1], pools={"default": 1}).with_job(program_jobs.nap).start()
print(engine._daemon._backends._by_pool['default'].nursery_pid)
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script, sqlite_url],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    pid = int(done.stdout)
    until(lambda: not Path(f"/proc/{pid}/stat").exists() or ") Z" in Path(f"/proc/{pid}/stat").read_text())


def test_a_job_never_met_before_does_not_wait_for_the_next_look(database_url, make_engine, monkeypatch):
    monkeypatch.setattr(executor, "LOOK_S", 3600.0)
    engine = make_engine(database_url).with_job(program_jobs.divide).with_job(program_jobs.double)
    with engine:
        for _ in range(2):  # a lane unknown, then known
            assert engine.client.submit(job="divide", params={"a": 7, "b": 2}).wait(PATIENCE_S) == "SUCCESS"
        assert engine.client.submit(job="double", params={"text": "ab"}).wait(PATIENCE_S) == "SUCCESS"

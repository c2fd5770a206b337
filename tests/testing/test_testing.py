"""`qflowd.testing`: what a user's test sees is what the engine does, by a clock that is set."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import qflowd
from qflowd import Defer, Fail, InvalidRequest, Rejected, RetryAfter, Skip, TaskBuilder, WorkflowBuilder, context, job
from qflowd.define.workflow_file import parse
from qflowd.testing import Clock, Harness, run_job, run_workflow

START = "2026-11-20T09:30:00Z"


@job(retries=3, retry_delay="5m", jitter=0.5)
def flaky(fails: int, day: date) -> dict[str, object]:
    """Fails so many times, then tells what it was given."""
    attempt = context()
    attempt.logger.info("attempt %d", attempt.attempt)
    if attempt.attempt <= fails:
        raise ConnectionError("the vendor is away")
    return {"attempt": attempt.attempt, "weekday": day.weekday(), "business_date": attempt.business_date}


def double(n: int) -> int:
    return 2 * n


def test_a_job_runs_in_this_process_with_its_params_converted_by_its_hints() -> None:
    clock = Clock(START)
    run = run_job(flaky, {"fails": 0, "day": "2026-11-20"}, clock=clock, business_date="2026-11-19")
    assert run.state == "SUCCESS", run.error
    assert run.output == {"attempt": 1, "weekday": 4, "business_date": "2026-11-19"}
    assert [line.message for line in run.logs] == ["attempt 1"]
    assert (
        run.tasks["flaky"].created_at
        == run.tasks["flaky"].finished_at
        == clock.now()
        == datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
    )


def test_a_retry_sets_the_clock_instead_of_waiting() -> None:
    clock = Clock(START)
    run = run_job(flaky, {"fails": 2, "day": "2026-11-20"}, clock=clock)
    assert run.output == {"attempt": 3, "weekday": 4, "business_date": None}
    assert clock.now() == datetime(2026, 11, 20, 9, 40, tzinfo=UTC)  # twice 5 min, without jitter
    assert [tried.state for tried in run.attempts] == ["FAILED", "FAILED", "SUCCESS"]


def test_a_job_that_fails_for_good_tells_its_tracebacks() -> None:
    run = run_job(flaky, {"fails": 9, "day": "2026-11-20"})
    assert run.state == "FAILED"
    assert len(run.attempts) == 4
    assert run.error is not None
    assert run.error.count("the vendor is away") >= 4
    assert "in flaky" in run.error
    with pytest.raises(AssertionError, match="the vendor is away"):
        _ = run.output


@pytest.mark.parametrize(
    ("error", "state", "attempts", "minutes"),
    [
        (Skip("a holiday"), "SKIPPED", 1, 0),
        (Fail("not a symbol"), "FAILED", 1, 0),
        (RetryAfter(1800), "SUCCESS", 2, 30),
        (Defer(7200), "SUCCESS", None, 120),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_the_words_of_a_job_mean_what_they_mean_in_a_daemon(
    error: Exception, state: str, attempts: int | None, minutes: int
) -> None:
    calls = []

    @job(retries=2)
    def ask() -> str:
        calls.append(threading.current_thread())
        if len(calls) == 1:
            raise error
        return "there"

    clock = Clock(START)
    run = run_job(ask, clock=clock)
    assert run.tasks["ask"].state == state
    assert clock.now() == datetime(2026, 11, 20, 9, 30, tzinfo=UTC) + timedelta(minutes=minutes)
    if attempts is not None:
        assert run.tasks["ask"].attempt == attempts


def test_a_checkpoint_is_there_at_the_next_attempt() -> None:
    @job(retries=1, retry_delay=1)
    def load() -> int:
        done = context().saved or 0
        context().save(done + 10)
        context().progress(done, 20)
        if not done:
            raise OSError("half-way")
        return done + 10

    run = run_job(load)
    assert run.output == 20
    assert run.tasks["load"].progress_total == 20


def test_a_coroutine_and_a_lambda_are_jobs_too() -> None:
    async def fetch(n: int) -> int:
        return n + 1

    assert run_job(fetch, {"n": 1}).output == 2
    builder = WorkflowBuilder("one").with_task(TaskBuilder("add", job="add").with_params(n=2))
    assert run_workflow(builder, {"add": lambda n: n + 1}).output == 3


def test_a_workflow_passes_outputs_on_and_skips_what_a_failure_reaches() -> None:
    def fails(n: int) -> None:
        raise ValueError(n)

    builder = (
        WorkflowBuilder("chain")
        .with_params(n={"type": "integer"})
        .with_task(TaskBuilder("first", job="double").with_params(n="{{ params.n }}"))
        .with_task(TaskBuilder("second", job="double").with_params(n="{{ first.output }}"))
        .with_dependency("second", "first")
    )
    run = run_workflow(builder, [double], {"n": 3})
    assert run.state == "SUCCESS", run.error
    assert run.outputs == {"first": 6, "second": 12}

    run = run_workflow(builder, {"double": fails}, {"n": 3})
    assert run.state == "FAILED"
    assert {key: task.state for key, task in run.tasks.items()} == {"first": "FAILED", "second": "UPSTREAM_FAILED"}
    assert "ValueError: 3" in str(run.error)


def test_a_workflow_file_runs_with_its_own_pools_and_settings(tmp_path: Path) -> None:
    file = tmp_path / "pooled.yaml"
    file.write_text(
        "workflow: pooled\ndefaults: {pool: heavy, retries: 1}\ntasks:\n"
        "  a: {job: double, params: {n: 1}}\n  b: {job: double, pool: light, after: a, params: {n: '{{ a.output }}'}}\n",
        "utf-8",
    )
    assert run_workflow(file, [double]).outputs == {"a": 2, "b": 4}


def test_outputs_of_tasks_before_can_be_asked_for() -> None:
    def ask() -> object:
        return context().upstream["first"]

    builder = (
        WorkflowBuilder("asking")
        .with_task(TaskBuilder("first", job="double").with_params(n=2))
        .with_task(TaskBuilder("second", job="ask"))
        .with_dependency("second", "first")
    )
    assert run_workflow(builder, [double, ask]).output == 4


def test_a_schedule_fires_by_the_set_clock() -> None:
    builder = (
        WorkflowBuilder("closes")
        .with_cron("0 17 * * mon-fri", "America/New_York")
        .with_task(TaskBuilder("t", job="say"))
    )
    with Harness({"say": lambda: str(context().business_date)}, [builder], Clock("2026-11-20T21:59:00Z")) as harness:
        assert harness.client.history("closes") == []
        harness.advance("1m")
        [friday] = harness.client.history("closes")
        assert (friday.state, friday.business_date) == ("SUCCESS", date(2026, 11, 20))
        harness.advance("3d")
        assert [run.business_date.isoformat() for run in harness.client.history("closes")] == [
            "2026-11-23",
            "2026-11-20",
        ]
        assert harness.clock.now() == datetime(2026, 11, 23, 22, 0, tzinfo=UTC)


def test_an_instance_that_waits_for_a_person_is_an_error_and_a_command_lets_it_go() -> None:
    with Harness([double]) as harness:
        held = harness.client.submit(job="double", params={"n": 1}, hold=True)
        with pytest.raises(TimeoutError, match="has not ended"):
            harness.finish(held)
        harness.client.command("resume", held.id, timeout=0)
        assert harness.finish(held).output == 2


def test_a_deadline_ends_what_waits_too_long(tmp_path: Path) -> None:
    def later() -> None:
        raise Defer(3600)

    file = tmp_path / "late.yaml"
    file.write_text("workflow: late\ntimeout: 90m\ntasks: {t: {job: later}}\n", "utf-8")
    clock = Clock(START)
    run = run_workflow(file, [later], clock=clock)
    assert (run.state, run.tasks["t"].state) == ("FAILED", "CANCELLED")
    assert clock.now() == datetime(2026, 11, 20, 11, 0, tzinfo=UTC)


def test_a_job_that_defers_for_ever_is_an_error() -> None:
    def never() -> None:
        raise Defer(86400)

    with pytest.raises(TimeoutError, match="has not ended"):
        run_job(never)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(Rejected, match="n"):
        run_job(double, {"n": "many"})
    with pytest.raises(InvalidRequest, match=r"task t of w runs the job 'fetch': add it to jobs="):
        run_workflow(WorkflowBuilder("w").with_task(TaskBuilder("t", job="fetch")), [double])
    with pytest.raises(ValueError, match="tomorrow"):
        Clock("tomorrow")


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run_job(double, {"n": 1}).output == 2
    assert list(tmp_path.iterdir()) == []
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("qflowd")]


def test_instances_that_take_turns_do_so_on_the_set_clock() -> None:
    workflow = WorkflowBuilder("turns").with_concurrency("sequential").with_task(TaskBuilder("wait", job="wait"))

    def wait() -> None:
        if context().saved is None:
            context().save(1)
            raise Defer(delay_s=60)

    with Harness({"wait": wait}, [workflow], Clock(START)) as harness:
        first, second = harness.client.submit("turns"), harness.client.submit("turns")
        harness.settle()
        assert second.wait_reason() == f"queued behind instance {first.id} of workflow turns, which is RUNNING"
        assert harness.finish(second).state == first.state() == "SUCCESS"
        assert harness.clock.now() == datetime(2026, 11, 20, 9, 32, tzinfo=UTC)


@pytest.mark.parametrize("level", ["overrides", "task", "defaults", "job"])
def test_a_failure_that_waits_for_a_person_is_an_error_and_a_command_lets_it_continue(level: str) -> None:
    tries: list[int] = []

    @job(retry="manual" if level == "job" else None)
    def moody() -> int:
        tries.append(len(tries))
        if len(tries) == 1:
            raise ConnectionError("the vendor is away")
        return len(tries)

    task = TaskBuilder("t", job="moody")
    workflow = WorkflowBuilder("w").with_task(task.with_retry(manual=True) if level == "task" else task)
    if level == "defaults":
        workflow = workflow.with_defaults(retry="manual")
    overrides = {"tasks": {"t": {"retry": "manual"}}} if level == "overrides" else None
    with Harness([moody], [workflow]) as harness:
        instance = harness.client.submit("w", overrides=overrides)
        with pytest.raises(TimeoutError, match="failed tasks that wait for a person: 1"):
            harness.finish(instance)
        harness.client.command("retry", instance.id, timeout=0)
        assert harness.finish(instance).outputs == {"t": 2}


def test_a_task_may_fail_at_once_where_others_of_its_workflow_wait_for_a_person(tmp_path: Path) -> None:
    def broken() -> None:
        raise ValueError("no close")

    file = tmp_path / "w.yaml"
    file.write_text("workflow: w\ndefaults: {retry: manual}\ntasks: {t: {job: broken, retry: automatic}}\n", "utf-8")
    assert run_workflow(file, [broken]).state == "FAILED"


def test_a_job_asks_the_calendar_as_its_tenant_has_it() -> None:
    def ask() -> list[bool]:
        own = context().calendar
        assert own is not None
        return [own.is_session("2026-11-24"), qflowd.calendar("XHKG").is_session("2026-11-24")]

    workflow = parse("workflow: w\ncalendar: XSHG\ntasks: {ask: {job: ask}}\n", "yaml", "w")
    with Harness(jobs={"ask": ask}, workflows=[workflow]) as harness:
        for calendar, expected in (("XSHG", [False, True]), ("XHKG", [False, False])):
            harness.client.override_day(calendar, "2026-11-24", "closed", "typhoon", timeout=0)
            harness.settle()
            run = harness.finish(harness.client.submit("w"))
            assert run.output == expected, run.error
    assert qflowd.calendar("XSHG").is_session("2026-11-24")

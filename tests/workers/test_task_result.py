"""What a task may end as, as long as its worker lives."""

import json

import pytest

from qflowd.workers.wire import Done, Ended, InstanceFacts

JOBS = """
    import asyncio, datetime, decimal, math, sys

    @job
    def noop():
        return {"ok": 1}

    @job
    def nothing():
        pass

    @job
    def typed(day: datetime.date, lots: int = 2):
        return {"next": day + datetime.timedelta(days=1), "lots": lots}

    @job
    async def gather(n: int):
        return sum(await asyncio.gather(*(asyncio.sleep(0.001, i) for i in range(n))))

    @job
    def skips():
        raise Skip("no data")

    @job
    def defers():
        raise Defer(5)

    @job
    def fails():
        inner()

    def inner():
        raise ValueError("no such \\x00 \\ud800 symbol")

    @job
    def exits():
        sys.exit(3)

    @job
    def interrupts():
        raise KeyboardInterrupt

    @job
    def nan():
        return {"close": [1.0, math.nan]}

    @job
    def odd():
        return {"a": [{1, 2}]}

    @job
    def cyclic():
        found = []
        found.append(found)
        return found

    @job
    def huge():
        return "x" * (17 << 20)

    @job
    def large():
        return "x" * (15 << 20)

    @job
    def dirty():
        return {"text": "a\\x00b\\ud800c", "price": decimal.Decimal("1.10")}

    @job
    def facts():
        c = context()
        return [c.workflow, c.tenant, str(c.business_date), c.upstream, c.saved, c.attempt, c.fence, c.task]

    @job
    def session_before():
        c = context()
        return c.calendar and str(c.calendar.prev_session(c.business_date))

    @job
    def forks():
        import os
        if os.fork() == 0:
            return "from the child"
        os.wait()
        return "from the parent"
"""


def test_a_short_job_is_told_as_done_with_its_output(hire):
    done = hire(JOBS).end("noop")
    assert isinstance(done, Done)
    assert json.loads(done.output) == {"ok": 1}
    assert 0 < done.started_us <= done.ended_us


def test_a_job_that_returns_nothing_has_no_output(hire):
    assert hire(JOBS).end("nothing").output is None


def test_params_come_in_the_types_of_the_hints_and_dates_go_back_as_text(hire):
    done = hire(JOBS).end("typed", params='{"day": "2026-02-28"}')
    assert json.loads(done.output) == {"next": "2026-03-01", "lots": 2}


def test_thousands_of_tasks_each_come_back_once(hire):
    story = hire(JOBS, processes=2)
    ids = []
    while len(ids) < 6000:
        while story.crew.room("default") and len(ids) < 6000:
            ids += story.send("noop", tasks=100)
        story.events += story.backends.poll(0.02)
    story.until_ended(ids)
    # On a busy machine a worker may seem to stall; what it gave back was not begun.
    assert all(isinstance(end, Done) or not end.solo for end in story.ends().values())
    assert story.crew.held() == set()


def test_a_coroutine_is_run(hire):
    assert hire(JOBS).end("gather", params='{"n": 5}').output == "10"


def test_skip_and_defer_are_ends_of_their_own(hire):
    story = hire(JOBS)
    skipped, deferred = story.end("skips"), story.end("defers")
    assert (skipped.outcome, skipped.error) == ("skip", "no data")
    assert (deferred.outcome, deferred.defer_s) == ("defer", 5.0)


def test_an_error_comes_with_the_frames_of_the_user_only_and_clean_text(hire):
    failed = hire(JOBS).end("fails")
    assert failed.outcome == "error"
    assert failed.error.startswith("ValueError: no such")
    assert "\0" not in failed.error
    failed.error.encode()
    assert "desk.py" in failed.traceback
    assert "raise ValueError" in failed.traceback
    assert "qflowd/workers" not in failed.traceback


@pytest.mark.parametrize(
    ("job", "words"),
    [
        ("exits", "sys.exit(3)"),
        ("interrupts", "KeyboardInterrupt"),
        ("nan", "output['close'][1] is nan"),
        ("odd", "output['a'][0] is a builtins.set"),
        ("cyclic", "contains itself"),
        ("huge", "at most 16,777,216"),
        ("unheard_of", "unheard_of"),
    ],
)
def test_what_cannot_be_an_output_or_an_exit_is_a_clear_error(hire, job, words):
    story = hire(JOBS)
    failed = story.end(job)
    assert isinstance(failed, Ended)
    assert failed.outcome == "error"
    assert words in failed.error
    assert isinstance(story.end("noop"), Done), "the worker goes on"


def test_bad_params_name_the_parameter(hire):
    failed = hire(JOBS).end("typed", params='{"day": "tomorrow"}')
    assert "'day'" in failed.error
    assert failed.traceback is None


def test_fifteen_megabytes_of_output_arrive(hire):
    assert len(hire(JOBS).end("large").output) == (15 << 20) + 2


def test_ten_megabytes_of_params_arrive(hire):
    story = hire("@job\ndef size(text: str):\n    return len(text)\n")
    assert story.end("size", params=json.dumps({"text": "x" * (10 << 20)})).output == str(10 << 20)


def test_output_is_free_of_nul_and_lone_surrogates(hire):
    output = json.loads(hire(JOBS).end("dirty").output)
    assert output["price"] == "1.10"
    assert "\0" not in output["text"]
    output["text"].encode()


def test_context_knows_the_instance_and_the_upstream(hire):
    facts = {1: InstanceFacts("daily", tenant="desk", business_date="2026-01-05")}
    done = hire(JOBS).end("facts", instances=facts)
    assert json.loads(done.output) == ["daily", "desk", "2026-01-05", {}, None, 1, 3, "t0"]


@pytest.mark.parametrize(("calendar", "day"), [("", None), ("XSHG", "2026-09-30")])
def test_context_has_the_calendar_of_the_workflow(hire, calendar, day):
    facts = {1: InstanceFacts("daily", business_date="2026-10-08", calendar=calendar)}
    assert json.loads(hire(JOBS).end("session_before", instances=facts).output or "null") == day


def test_a_plugin_that_cannot_be_imported_fails_its_task_with_the_reason(hire):
    failed = hire("import no_such_module").end("noop")
    assert "no_such_module" in failed.error
    assert "desk.py" in failed.traceback


def test_a_fork_that_returns_into_the_worker_is_not_heard(hire):
    story = hire(JOBS)
    ids = story.send("forks", tasks=3, estimate_s=100)
    story.until_ended(ids)
    assert [story.ends()[task_id].output for task_id in ids] == ['"from the parent"'] * 3
    assert isinstance(story.end("noop"), Done)


def test_a_long_task_is_measured(hire):
    story = hire("@job\ndef burns():\n    x = bytearray(60 << 20)\n    return sum(range(3_000_000)) and len(x)\n")
    ended = story.end("burns", long=True)
    assert ended.outcome == "success"
    assert ended.cpu_s > 0.01
    assert ended.peak_memory > 60 << 20


BURNS = """
    import os, time

    @job
    def burns(code: str = ""):
        end = time.process_time() + 0.6
        while time.process_time() < end:
            pass
        exec(code)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_cpu_time_is_told_of_tasks_that_took_long_though_nobody_expected_it(hire, threads):
    story = hire(BURNS, threads=threads)
    ids = story.send("burns", tasks=2, estimate_s=100)
    story.until_ended(ids)
    for task_id in ids:
        assert 0.6 <= story.ends()[task_id].cpu_s < 1.1


def test_cpu_time_of_a_killed_task_is_what_it_took_itself(hire):
    story = hire(BURNS)
    story.end("burns")
    broken = story.end("burns", params=json.dumps({"code": "os.abort()"}))
    assert broken.reason == "crash"
    assert 0.6 <= broken.cpu_s < 1.1


def test_progress_and_checkpoints_are_told_before_the_end(hire):
    story = hire(
        """
        @job
        def works():
            context().progress(1, 4, "one")
            context().save({"page": 7})
            return context().saved["page"]
        """
    )
    assert story.end("works").output == "7"
    kinds = [type(event).__name__ for event in story.events]
    assert {"Progressed", "Checkpointed", "Finished"} <= set(kinds)

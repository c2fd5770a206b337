"""What another attempt cannot change is not tried again; and a job may say when it should be."""

from __future__ import annotations

from pathlib import Path

import pytest

import qflowd
from tests.conftest import KINDS, GetServer
from tests.support.daemon import Daemon, until

# An hour's wait: a task that is retried when it should not be, or by the settings, ends in no test's time.
JOBS = """
from datetime import UTC, datetime, timedelta
from qflowd import Fail, RetryAfter, context, job

often = job(retries=5, retry_delay="1h")

@often
def nan():
    return {"close": float("nan")}

@often
def takes(n: int):
    return n

@often
def fails():
    try:
        {}["IBM"]
    except KeyError as error:
        raise Fail("no symbol 'IBM'") from error

class NoSuchSymbol(Fail):
    pass

@often
def fails_by_a_class_of_its_own():
    raise NoSuchSymbol("IBM")

@often
def busy(how: str):
    if context().attempt < 3:
        soon = {"delay": {"delay_s": 0.05}, "until": {"until": datetime.now(UTC) + timedelta(seconds=0.05)}}[how]
        raise RetryAfter(**soon, reason="429: too many requests")
    return context().attempt

@job(retries=1)
def always_busy():
    raise RetryAfter(0)
"""
WORKFLOW = """
workflow: late
tasks:
  make: {job: nan_free}
  take: {job: takes, after: make, params: {n: "{{ make.output }}"}}
"""
MORE = "from qflowd import job\n@job\ndef nan_free():\n    return 'five'\n"


@pytest.fixture(scope="module", params=KINDS)
def client(request: pytest.FixtureRequest, get_server: GetServer, tmp_path_factory: pytest.TempPathFactory):
    server = get_server(request.param)
    url = server.create_store()
    folder: Path = tmp_path_factory.mktemp("retries")
    plugins = {"jobs.py": JOBS, "more.py": MORE}
    with Daemon(url, folder, plugins=plugins, workflows={"late.yaml": WORKFLOW}), qflowd.connect(url) as found:
        until(found.workflows, what="the workflow is stored")
        yield found
    server.give_back(url)


@pytest.mark.parametrize(
    ("job", "error"),
    [
        ("nan", "output['close'] is nan, which JSON does not have; give None instead"),
        ("fails", "no symbol 'IBM'"),
        ("fails_by_a_class_of_its_own", "NoSuchSymbol: IBM"),
    ],
)
def test_what_no_retry_repairs_fails_at_the_first_attempt(client, job, error):
    run = client.submit(job=job)
    assert run.wait(30) == "FAILED"
    [attempt] = run.attempts()
    assert (attempt.attempt, attempt.state, attempt.reason) == (1, "FAILED", "error")
    assert attempt.error.endswith(error)


def test_a_param_that_does_not_convert_is_not_retried(client):
    run = client.submit("late")
    assert run.wait(30) == "FAILED"
    [attempt] = [attempt for attempt in run.attempts() if attempt.task == "take"]
    assert attempt.attempt == 1
    assert "parameter 'n'" in attempt.error


@pytest.mark.parametrize("how", ["delay", "until"])
def test_a_job_says_when_it_is_tried_again(client, how):
    run = client.submit(job="busy", params={"how": how})
    assert run.wait(30) == "SUCCESS"
    assert run.output() == 3
    failed = [attempt for attempt in run.attempts() if attempt.state == "FAILED"]
    assert [(attempt.attempt, attempt.error) for attempt in failed] == [
        (1, "429: too many requests"),
        (2, "429: too many requests"),
    ]


def test_a_retry_that_is_asked_for_needs_one_that_is_left(client):
    run = client.submit(job="always_busy")
    assert run.wait(30) == "FAILED"
    assert [attempt.attempt for attempt in run.attempts()] == [1, 2]

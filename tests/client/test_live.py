"""The SDK against a real daemon, on every database."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from qflowd.model.errors import NotFound, Rejected
from tests.client.conftest import Connect, opener
from tests.client.live import Project, project_of
from tests.conftest import KINDS, GetServer

PATIENCE_S = 30


@pytest.fixture(scope="module", params=KINDS)
def project(
    request: pytest.FixtureRequest, way: str, get_server: GetServer, tmp_path_factory: Any
) -> Iterator[Project]:
    yield from project_of(request.param, get_server, tmp_path_factory)


@pytest.fixture(scope="module")
def connect(project: Project, way: str) -> Iterator[Connect]:
    with opener(project.url, way) as found:
        yield found


def until(question, patience_s: float = PATIENCE_S):
    """The first true answer."""
    end = time.monotonic() + patience_s
    while not (answer := question()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)
    return answer


def test_what_is_submitted_runs_and_can_be_read(client):
    single = client.submit(job="add", params={"a": 4})
    pair = client.submit("pair", params={"a": 7}, name="seven", business_date="2026-11-20", idempotency_key="k")
    again = client.submit("pair", params={"a": 7}, name="seven", business_date="2026-11-20", idempotency_key="k")
    assert pair.wait(PATIENCE_S) == "SUCCESS"
    other = client.submit(
        "pair", params={"a": 8}, idempotency_key="k"
    )  # while `pair` is open, either may be taken first
    assert single.wait(PATIENCE_S) == "SUCCESS"
    assert single.output() == 5
    assert pair.output() == {"first": 8, "second": 18}
    assert pair.output("second") == 18
    assert again.wait(PATIENCE_S) == "SUCCESS"
    assert again.id == pair.id
    with pytest.raises(Rejected, match="k"):
        other.wait(PATIENCE_S)
    info = pair.info()
    assert (info.name, str(info.business_date), info.progress, info.version) == ("seven", "2026-11-20", 1.0, 1)
    assert [task.task for task in pair.tasks()] == ["first", "second"]
    assert [info.id for info in client.history("pair")] == [pair.id]
    messages = until(lambda: {line.message for line in single.logs()} >= {"adding"} and list(single.logs()))
    assert {(line.stream, line.message) for line in messages} >= {("stdout", "adding"), ("log", "careful with 4")}


def test_bad_requests_are_answered(client):
    with pytest.raises(Rejected, match="nobody"):
        client.submit("nobody").wait(PATIENCE_S)
    with pytest.raises(Rejected, match="a"):
        client.submit("pair", params={"a": "seven"}).wait(PATIENCE_S)


def test_outputs_above_64_kb_come_whole(client):
    instance = client.submit(job="large", params={"size": 3_000_000})
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    assert instance.output() == "x" * 3_000_000


def test_what_runs_can_be_terminated(client):
    instance = client.submit(job="nap", params={"seconds": 60})
    until(lambda: "RUNNING" in [task.state for task in instance.tasks()])
    instance.terminate("enough", timeout=PATIENCE_S)
    assert instance.state() == "TERMINATED"
    with pytest.raises(Rejected):
        instance.terminate(timeout=PATIENCE_S)


def test_a_failed_instance_can_be_retried(client, tmp_path):
    flag = tmp_path / "flag"
    instance = client.submit("flaky", params={"flag": str(flag)})
    assert instance.wait(PATIENCE_S) == "FAILED"
    assert "no " in (instance.info().error or "")
    assert [task.state for task in instance.tasks()] == ["FAILED", "UPSTREAM_FAILED"]
    assert "RuntimeError" in (instance.attempts()[0].error or "")
    with pytest.raises(NotFound, match="is FAILED, so it has no output"):
        instance.output("look")
    flag.touch()
    instance.retry("data has come", timeout=PATIENCE_S)
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    assert instance.output() == {"look": "there", "then": 2}


def test_one_task_runs_again_with_other_params_and_so_does_what_depends_on_it(client):
    instance = client.submit("pair", params={"a": 3})
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    about: dict[str, Any] = {"task": "first", "args": {"set": {"a": 5}, "dry_run": True}, "timeout": PATIENCE_S}
    assert client.command("rerun", instance.id, **about).result["restarted"] == 2
    assert instance.output() == {"first": 4, "second": 14}
    answer = instance.rerun("first", "restated", params={"a": 5}, timeout=PATIENCE_S)
    assert answer.result["restarted"] == 2
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    assert instance.output() == {"first": 6, "second": 16}
    with pytest.raises(Rejected, match="has no task 'third'; there are first, second"):
        instance.rerun("third", timeout=PATIENCE_S)
    with pytest.raises(Rejected, match=r"args\.set"):
        instance.rerun("first", params={"c": 1}, timeout=PATIENCE_S)


def test_an_instance_continues_without_a_task(client):
    instance = client.submit("flaky")
    assert instance.wait(PATIENCE_S) == "FAILED"
    instance.skip("look", "vendor is down", timeout=PATIENCE_S)
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    look, then = instance.tasks()
    assert (look.state, look.reason, then.state) == ("SKIPPED", "manual", "SUCCESS")
    assert (look.error or "").endswith(": vendor is down")


def test_a_task_is_skipped_when_its_turn_comes_or_by_the_submission(client):
    instance = client.submit("pair", overrides={"tasks": {"second": {"skip": "not today"}}})
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    assert [(task.state, task.error) for task in instance.tasks()] == [("SUCCESS", None), ("SKIPPED", "not today")]
    instance.rerun("second", timeout=PATIENCE_S)
    assert instance.wait(PATIENCE_S) == "SUCCESS"
    assert instance.output("second") == 13


def test_a_held_instance_starts_when_it_is_resumed(client):
    instance = client.submit(job="add", params={"a": 1}, hold=True)
    until(lambda: instance.state() == "READY")
    assert instance.tasks() == []
    instance.resume(timeout=PATIENCE_S)
    assert instance.wait(PATIENCE_S) == "SUCCESS"


def test_everything_there_is_can_be_listed(client):
    assert {row["job"] for row in client.jobs()} >= {"add", "large", "nap"}
    assert [row["workflow"] for row in client.workflows()] == ["flaky", "pair"]
    assert [row["cron"] for row in client.schedules()] == ["0 17 * * *"]
    assert [row["state"] for row in client.daemons()] == ["READY"]
    assert client.pools()[0]["processes"] == 2
    client.command("disable", workflow="flaky", timeout=PATIENCE_S)
    assert [row["enabled"] for row in client.schedules()] == [False]


def test_a_job_in_a_worker_knows_what_was_said_of_a_calendar_before_it_was_submitted(client):
    def is_session(name: str) -> Any:
        instance = client.submit(job="is_session", params={"name": name, "day": "2027-03-17"})
        assert instance.wait(PATIENCE_S) == "SUCCESS", instance.info().error
        return instance.output()

    client.import_calendar({"calendar": "both", "all_of": ["XHKG", "XNYS"]}, timeout=PATIENCE_S)
    assert [is_session(name) for name in ("XHKG", "both", "XHKG & XNYS")] == [True] * 3
    client.override_day("XHKG", "2027-03-17", "closed", "typhoon", timeout=PATIENCE_S)
    assert [is_session(name) for name in ("XHKG", "both", "XHKG & XNYS", "XNYS")] == [False, False, False, True]
    client.restore_day("XHKG", "2027-03-17", timeout=PATIENCE_S)
    assert is_session("XHKG")
    client.remove_calendar("both", timeout=PATIENCE_S)

"""Submitting, waiting and reading through the SDK, on every database."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime

import pytest

import qflowd
from qflowd.model.errors import InvalidRequest, NotFound, Rejected


def test_a_submission_is_one_row_and_its_id_is_the_instances(client, engine):
    instance = client.submit(
        job="fetch",
        params={"symbol": "000300", "day": date(2026, 11, 20), "n": 3},
        business_date="2026-11-20",
        priority=7,
        run_at=datetime(2026, 11, 20, 9, 30, tzinfo=UTC),
        name="一次",
        idempotency_key="k",
    )
    columns = "id, params, job, workflow, priority, name, hold, trigger_type, idempotency_key, business_date, run_at"
    [row] = engine.sql(f"SELECT {columns} FROM qflow.submissions WHERE id = {instance.id}")
    assert row[:2] == (instance.id, '{"day":"2026-11-20","n":3,"symbol":"000300"}')
    assert row[2:9] == ("fetch", None, 7, "一次", 0, "sdk", "k")
    assert str(row[9]) == "2026-11-20"
    assert "09:30" in str(row[10])


def test_an_instance_goes_from_new_to_its_end(client, engine):
    instance = client.submit(job="hello")
    assert instance.state() == "NEW"
    assert instance.tasks() == []
    engine.admit(instance.id)
    assert instance.state() == "RUNNING"
    assert [task.state for task in instance.tasks()] == ["READY"]
    engine.finish(instance.id, '{"rows": 5}')
    engine.end(instance.id)
    assert instance.wait(5) == "SUCCESS"
    assert instance.output() == {"rows": 5}
    assert instance.output("hello") == {"rows": 5}
    [task] = instance.tasks()
    assert (task.state, task.job, task.output, task.attempt) == ("SUCCESS", "hello", {"rows": 5}, 1)
    assert isinstance(task.finished_at, datetime)
    assert task.finished_at.tzinfo is not None
    info = instance.info()
    assert (info.state, info.progress, info.params, info.name) == ("SUCCESS", 1.0, {"a": 1}, "hello")
    assert [attempt.state for attempt in instance.attempts()] == ["SUCCESS"]


def test_waiting_ends_when_the_instance_does(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id)
    waiting = threading.Thread(target=lambda: ends.append(instance.wait(20)))
    ends: list[str] = []
    waiting.start()
    engine.end(instance.id, "FAILED", "boom")
    waiting.join()
    assert ends == ["FAILED"]
    assert instance.info().error == "boom"


def test_a_wait_that_is_too_short_says_so(client):
    instance = client.submit(job="hello")
    with pytest.raises(TimeoutError, match=f"instance {instance.id} has not ended within 0.05 s"):
        instance.wait(0.05)


def test_what_the_engine_refused_is_told_by_wait(client, engine):
    instance = client.submit("nope")
    engine.answer(instance.id, "REJECTED", error="there is no workflow 'nope'")
    assert instance.state() == "REJECTED"
    with pytest.raises(Rejected, match="no workflow 'nope'"):
        instance.wait(1)
    with pytest.raises(Rejected):
        instance.info()


def test_a_duplicate_of_a_key_becomes_the_first_instance(client, engine):
    first = client.submit(job="hello", idempotency_key="k")
    second = client.submit(job="hello", idempotency_key="k")
    engine.admit(first.id)
    engine.answer(second.id, "ACCEPTED", first.id)
    assert second.state() == "RUNNING"
    assert second.id == first.id
    assert second.submission_id != first.id


def test_an_output_above_64_kb_is_put_together_from_its_parts(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id)
    engine.finish(instance.id, None)
    value = "x" * 100_000
    for part, text in enumerate(('"' + value[:50_000], value[50_000:] + '"')):
        engine.sql(engine.insert("large_value", task_id=instance.id << 20, part=part, value=text))
    assert instance.output() == value


def test_a_task_without_output_is_named_with_its_state(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id)
    with pytest.raises(NotFound, match="has no task 'other'"):
        instance.output("other")
    with pytest.raises(NotFound, match=f"task hello of instance {instance.id} is READY, so it has no output"):
        instance.output()


def test_logs_come_in_order_and_in_pages(client, engine):
    instance = client.submit(job="hello")
    engine.admit(instance.id, tasks=("RUNNING", "RUNNING"))
    engine.log(instance.id, *(f"line {i}" for i in range(2100)))
    engine.log(instance.id, "from the other", ordinal=1)
    lines = list(instance.logs())
    assert [line.message for line in lines] == [f"line {i}" for i in range(2100)] + ["from the other"]
    assert (lines[0].level, lines[0].logger, lines[0].attributes, lines[0].stream) == ("INFO", "app", {"n": 1}, "log")
    assert lines[0].at.tzinfo is not None


def test_history_is_newest_first_and_limited(client, engine):
    numbers = [engine.admit(client.submit(job="often").id, "often") for _ in range(4)]
    other = engine.admit(client.submit(job="seldom").id, "seldom")
    engine.end(numbers[1], "FAILED")

    def ids(**filters):
        return [info.id for info in client.instances(**filters)]

    assert [info.id for info in client.history("often", limit=3)] == numbers[:0:-1]
    assert ids(workflow="often", state="FAILED") == [numbers[1]]
    assert ids(workflow="often", state="OPEN") == [numbers[3], numbers[2], numbers[0]]
    assert ids(state="OPEN", limit=2) == [other, numbers[3]]
    assert ids(state="FAILED")[0] == numbers[1]
    assert ids(limit=1) == [other]
    with pytest.raises(InvalidRequest, match="no state 'BROKEN'; there are OPEN, READY"):
        ids(state="BROKEN")


def test_instances_of_earlier_can_be_taken_up_again(client, engine):
    number = client.submit(job="hello").id
    assert client.instance(number).state() == "NEW"
    engine.admit(number)
    assert client.instance(number).state() == "RUNNING"
    with pytest.raises(NotFound, match="no instance 4711"):
        client.instance(4711)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "either a workflow or a job"),
        ({"workflow": "a", "job": "b"}, "not both"),
        ({"workflow": "a b"}, "contains ' '"),
        ({"job": "a", "params": [1]}, "params must be a mapping"),
        ({"job": "a", "params": {"x": float("nan")}}, r"params\['x'\] is nan, which JSON does not have"),
        ({"job": "a", "params": {"x": object()}}, r"params\['x'\] is a builtins.object"),
        ({"job": "a", "business_date": "20.11.2026"}, "is not a date"),
        ({"job": "a", "run_at": "tomorrow"}, "is not an instant"),
        ({"job": "a", "run_at": datetime(2026, 1, 1)}, "needs a time zone"),  # noqa: DTZ001
    ],
)
def test_what_cannot_mean_anything_is_refused_before_it_is_written(tmp_path, arguments, message):
    from qflowd.client import Client
    from qflowd.client.database import DatabaseTransport
    from qflowd.store.tx import Store

    with pytest.raises(InvalidRequest, match=message):
        Client(DatabaseTransport(Store(f"sqlite:///{tmp_path}/never.db"))).submit(**arguments)
    assert not (tmp_path / "never.db").exists()


def test_a_client_may_be_shared_by_threads(client, engine):
    found = []
    threads = [threading.Thread(target=lambda: found.append(client.submit(job="hello").id)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 4


def test_the_public_name_connects(engine, monkeypatch):
    monkeypatch.setenv("QFLOWD_DATABASE_URL", engine.url)
    with qflowd.connect() as client:
        assert client.count_new() >= 0


def test_who_is_there_and_what_they_know_comes_as_plain_values(client, engine):
    engine.daemon()
    engine.workflow("daily", "{}", cron="0 17 * * *")
    [daemon] = client.daemons()
    assert (daemon["name"], daemon["pools"], daemon["memory_mb"], daemon["state"]) == ("desk", "default", 30.0, "READY")
    [pool] = client.pools()
    assert (pool["pool"], pool["daemon"], pool["processes"], pool["busy"]) == ("default", "desk", 2, 0)
    [job] = client.jobs()
    assert (job["job"], job["state"], job["params_schema"]) == ("hello", "ACTIVE", {"type": "object"})
    plugins = [(plugin["file"], plugin["jobs"], plugin["error"]) for plugin in client.plugins()]
    assert plugins == [("/p/a.py", ["hello"], None), ("/p/b.py", [], "line 3: SyntaxError: bad")]
    [workflow] = client.workflows()
    assert (workflow["workflow"], workflow["enabled"], workflow["tags"], workflow["version"]) == (
        "daily",
        True,
        ["a"],
        1,
    )
    [schedule] = client.schedules()
    assert (schedule["cron"], schedule["enabled"]) == ("0 17 * * *", True)
    assert schedule["next_fire_at"].tzinfo is not None

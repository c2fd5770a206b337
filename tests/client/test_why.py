"""`client.why()` and `qflowd why`: one sentence about an instance or a task, on every database."""

from __future__ import annotations

import json
import re

import pytest

from qflowd.cli import main
from qflowd.client import Client
from qflowd.model.errors import NotFound
from qflowd.model.ids import ORDINALS
from qflowd.model.states import TaskKind
from tests.client.conftest import Connect
from tests.support.stand_in import StandIn


@pytest.fixture
def number(engine: StandIn, client: Client) -> int:
    """Two items of a map are ready, and a third row has failed; no daemon is running."""
    number = engine.admit(client.submit(job="hello").id, tasks=("READY", "READY", "READY"))
    for index, label in enumerate(("AAPL", "IBM")):
        where = f"WHERE id = {number * ORDINALS + index}"
        engine.sql(f"UPDATE qflow.task_instance SET map_index = {index}, label = '{label}' {where}")
    engine.fail(number, "ValueError: no data\nfor 000300", ordinal=2)
    return number


def test_an_instance_says_what_it_waits_for_until_it_has_ended(engine: StandIn, client: Client, number: int):
    assert str(client.why(number)) == f"instance {number} is RUNNING: no daemon is running"
    engine.sql(f"UPDATE qflow.task_instance SET state = 4 WHERE state = 1 AND id >= {number * ORDINALS}")
    assert str(client.why(number)) == f"instance {number} is RUNNING; nothing keeps it waiting"
    engine.end(number, "FAILED", "task hello failed: ValueError: no data")
    assert str(client.why(number)) == (f"instance {number} has ended: FAILED: task hello failed: ValueError: no data")
    assert client.why(number).has_ended


def test_a_submission_that_nobody_has_taken_or_that_is_refused_says_so(engine: StandIn, client: Client):
    new, refused = client.submit(job="hello").id, client.submit(job="hello").id
    engine.answer(refused, "REJECTED", error="unknown job")
    reason = "waits for a daemon; none is running, `qflowd run` starts one"
    assert str(client.why(new)) == str(client.why(new, "hello")) == f"instance {new} is NEW: {reason}"
    assert str(client.why(refused)) == f"instance {refused} has ended: REJECTED: unknown job"


def test_a_task_is_found_by_its_number_and_by_its_name_in_its_instance(client: Client, number: int):
    waits = f"task hello[IBM] of instance {number} is READY: no daemon is running"
    assert str(client.why(number * ORDINALS + 1)) == waits
    assert str(client.why(number, "hello[IBM]")) == str(client.why(number, "hello[1]")) == waits
    failed = client.why(number, "hello")
    assert (failed.id, failed.instance_id, failed.reason) == (number * ORDINALS + 2, number, None)
    assert str(failed) == f"task hello of instance {number} has ended: FAILED: ValueError: no data"


def test_the_compensation_of_a_task_is_told_from_the_task(engine: StandIn, client: Client, number: int):
    row = number * ORDINALS + 1
    engine.sql(f"UPDATE qflow.task_instance SET kind = {int(TaskKind.COMPENSATION)} WHERE id = {row}")
    assert str(client.why(row)) == (
        f"the compensation of task hello[IBM] of instance {number} is READY: no daemon is running"
    )
    with pytest.raises(NotFound, match="has no task"):
        client.why(number, "hello[IBM]")


def test_what_an_instance_waits_for_is_followed_and_tasks_are_named(engine: StandIn, client: Client, number: int):
    parent = engine.admit(client.submit(job="hello").id, tasks=("PENDING",))
    child = engine.insert(
        "child",
        task_id=parent * ORDINALS,
        parent_id=parent,
        instance_id=number,
        fence=0,
        depth=1,
        is_current=1,
        is_open=1,
        created_at="NOW",
    )
    engine.sql(
        child, f"UPDATE qflow.task_instance SET kind = {int(TaskKind.CHILD)}, need = 0 WHERE id = {parent * ORDINALS}"
    )
    waits = f"instance {number} is RUNNING: no daemon is running"
    assert (
        str(client.why(parent))
        == f"instance {parent} is RUNNING: waits for instance {number} of workflow hello, which is RUNNING; {waits}"
    )
    assert str(client.why(parent, "hello")).endswith(f"which is RUNNING; {waits}")
    engine.daemon()
    engine.sql(f"UPDATE qflow.task_instance SET state = 4 WHERE id = {number * ORDINALS}")
    reason = client.why(number * ORDINALS + 1).reason or ""
    slot = r"waits for a free slot in pool default, the oldest task in it is (\d+) \(hello\[AAPL\] of instance (\d+)\)"
    match = re.fullmatch(slot, reason)
    assert match is not None, reason
    assert int(match[1]) == int(match[2]) * ORDINALS
    engine.sql("DELETE FROM qflow.daemon_job", "DELETE FROM qflow.daemon_pool", "DELETE FROM qflow.plugin")
    engine.sql("DELETE FROM qflow.daemon", "DELETE FROM qflow.job")


def test_a_number_of_both_means_the_one_that_has_not_ended(engine: StandIn, client: Client, number: int):
    """After a million instances, the number of one may be that of a task of an old one."""
    row = number * ORDINALS
    engine.sql(
        engine.insert("submissions", id=row, job="hello")
        .replace(") VALUES", ") {over} VALUES")
        .format(over="OVERRIDING SYSTEM VALUE" if "postgres" in engine.url else "")
    )
    engine.admit(row, tasks=("RUNNING",))
    assert client.why(row).kind == "instance"
    engine.end(row)
    assert (client.why(row).kind, client.why(row).reason) == ("task", "no daemon is running")
    engine.finish(number)
    assert client.why(row).kind == "instance"


@pytest.mark.parametrize("missing", [0, -1, 4711, 4711 * ORDINALS, 10**30])
def test_a_number_of_nothing_is_refused(client: Client, missing: int):
    with pytest.raises(NotFound, match=f"there is no instance or task {missing}; `qflowd ps` lists instances"):
        client.why(missing)


def test_a_task_that_an_instance_does_not_have_is_refused(client: Client, number: int):
    for task in ("other", "hello[2]", "hello[", "hello[MSFT]"):
        with pytest.raises(
            NotFound,
            match=rf"instance {number} has no task '.*'; (did you mean hello|`qflowd show {number}` lists its tasks)",
        ):
            client.why(number, task)


def test_what_another_tenant_has_is_not_found(connect: Connect, number: int):
    with connect(tenant="fund_b") as other:
        for args in ((number,), (number * ORDINALS,), (number, "hello")):
            with pytest.raises(NotFound):
                other.why(*args)


def test_the_command_prints_the_sentence_or_one_document(
    engine: StandIn, number: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("QFLOWD_DATABASE_URL", engine.url)
    assert main(["why", str(number), "--task", "hello[1]"]) == 0
    assert capsys.readouterr().out == f"task hello[IBM] of instance {number} is READY: no daemon is running\n"
    assert main(["why", str(number * ORDINALS + 2), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["kind"], document["task"], document["state"], document["reason"]) == (
        "task",
        "hello",
        "FAILED",
        None,
    )
    assert main(["why", "4711"]) == 1
    assert capsys.readouterr().err == (
        "qflowd: there is no instance or task 4711; `qflowd ps` lists instances, `qflowd show` their tasks\n"
    )

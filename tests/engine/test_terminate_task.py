"""Terminate of one task: whoever runs it stops it, it ends CANCELLED, and the rest of its instance continues."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing

import pytest

from qflowd.engine.finishing.batch import Batch
from tests.engine.conftest import OpenLab
from tests.support.daemon import until
from tests.support.lab import CANCELLED, SUCCESS, Lab

FORK = {"a": [], "b": ["a"], "c": []}


@pytest.fixture
def fork(lab: Lab) -> Lab:
    lab.workflow("fork", FORK)
    return lab


def stops(lab: Lab) -> list[int]:
    return [row.task_id for row in lab.store.read(lambda tx: tx.run("list_task_stops")) if not row.is_over]


def test_what_runs_is_stopped_and_the_rest_continues(fork: Lab) -> None:
    number = fork.start("fork")
    rows = {row.node: row for row in fork.claim()}
    answer = fork.command("terminate", number, task="a", reason="hangs")
    assert answer == ("DONE", {"instance_id": number, "terminated": ["a"]})
    assert (stops(fork), fork.published[-1]) == ([number << 20], "intent")
    again = fork.command("terminate", number, task_id=number << 20)
    assert again == ("DONE", {"instance_id": number, "already": f"task a of instance {number} is being terminated"})
    fork.ends([rows[0]], CANCELLED)
    assert stops(fork) == []
    fork.ends([rows[1]], SUCCESS)
    assert fork.states(number) == {"a": "CANCELLED", "b": "UPSTREAM_FAILED", "c": "SUCCESS"}
    assert fork.state(number) == "FAILED"
    fork.check(drained=True)


def test_a_retry_of_what_was_terminated_runs(fork: Lab) -> None:
    number = fork.start("fork")
    rows = fork.claim()
    fork.command("terminate", number, task="a")
    fork.ends([row for row in rows if row.node == 0], CANCELLED)
    fork.ends([row for row in rows if row.node != 0], SUCCESS)
    assert fork.command("retry", number)[0] == "DONE"
    assert fork.sql("SELECT COUNT(*) FROM qflow.task_stop") == [(0,)]
    fork.run()
    assert fork.state(number) == "SUCCESS"
    fork.check(drained=True)


def test_a_task_whose_daemon_is_lost_is_stopped_by_whoever_runs_it_next(fork: Lab) -> None:
    number = fork.start("fork")
    [row] = [row for row in fork.claim() if row.node == 0]
    fork.command("terminate", number, task="a")
    fork.finish(batch=Batch(released=[fork.released(row)]))
    assert fork.states(number)["a"] == "READY"
    fork.claim()
    assert stops(fork) == [number << 20]


def test_an_item_of_a_map_is_named_by_its_place_or_label(lab: Lab) -> None:
    about = {"job": "work", "map": ["x", "y"], "label": "{{ item }}", "params": {}}
    lab.define("mapped", {"m": about})
    number = lab.start("mapped")
    items = [*lab.claim(), *lab.claim()]
    assert len(items) == 2
    assert lab.command("terminate", number, task="m[y]") == ("DONE", {"instance_id": number, "terminated": ["m[y]"]})
    assert lab.command("terminate", number, task="m[0]")[0] == "DONE"
    assert stops(lab) == sorted(item.id for item in items)
    assert lab.command("terminate", number, task="m[z]") == (
        "REJECTED",
        f"task m of instance {number} has no item 'z'",
    )
    state, why = lab.command("terminate", number, task="m")
    assert (state, why.partition(";")[0]) == ("REJECTED", f"task m of instance {number} is PENDING")


def test_many_are_terminated_by_a_filter(fork: Lab) -> None:
    numbers = [fork.start("fork") for _ in range(3)]
    fork.claim()
    state, result = fork.command("terminate", filter='{"workflow": "fork"}', task="c")
    assert (state, result["done"]) == ("DONE", 3)
    assert stops(fork) == [(number << 20) + 1 for number in numbers]
    assert [fork.column("workflow_instance", "intent", number) for number in numbers] == [0, 0, 0]


def test_a_task_that_runs_once_more_when_its_instance_is_terminated_is_not_stopped_then(lab: Lab) -> None:
    last = {"job": "work", "after": "a", "trigger_rule": "always", "run_on": "terminate"}
    lab.define("closed", {"a": {"job": "work"}, "last": last, "c": {"job": "work"}})
    number = lab.start("closed")
    rows = lab.claim()
    lab.ends([row for row in rows if row.node == 0], SUCCESS)
    [row] = [each for each in lab.claim() if lab.key(each.id) == "last"]
    assert lab.command("terminate", number, task="last")[0] == "DONE"
    lab.ends([row], CANCELLED)
    lab.command("terminate", number)
    lab.sweep.tick()
    lab.ends([each for each in rows if each.node != 0], CANCELLED)
    for _ in range(3):
        lab.sweep.tick()
    assert lab.states(number) == {"a": "SUCCESS", "c": "CANCELLED", "last": "READY"}
    assert stops(lab) == []


@pytest.fixture(params=["postgres", "mariadb"])
def server_lab(request: pytest.FixtureRequest, open_lab: OpenLab) -> Iterator[Lab]:
    """SQLite has one writer at a time: there is nothing to race."""
    lab = open_lab(request.param)
    yield lab
    lab.close()


def test_two_daemons_that_terminate_one_task_at_once_both_answer(server_lab: Lab) -> None:
    """The second waits for the row that the first has locked, and which does not change: it must look for the stop anew."""
    server_lab.workflow("fork", FORK)
    number = server_lab.start("fork")
    server_lab.claim()
    asked = [server_lab.ask("terminate", number, task="a") for _ in range(2)]
    with (
        closing(Lab(server_lab.url, owner=8)) as other,
        closing(Lab(server_lab.url)) as watch,
        ThreadPoolExecutor(1) as threads,
    ):

        def second() -> None:
            turns.append(threads.submit(other.commands.tick))
            until(watch.is_somebody_waiting)

        turns: list[Future[float]] = []
        server_lab.just_before("command", second, statement="insert_task_stop")
        server_lab.commands.tick()
        turns[0].result(30)
    already = {"instance_id": number, "already": f"task a of instance {number} is being terminated"}
    answers = [server_lab.answer(each) for each in asked]
    assert answers == [("DONE", {"instance_id": number, "terminated": ["a"]}), ("DONE", already)]
    assert stops(server_lab) == [number << 20]

"""Terminate of a task that has not begun: it was claimed and waits behind others, or came back. It ends, and does not begin."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from qflowd.config.records import LimitConfig
from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.running.dispatch import Dispatch
from qflowd.engine.running.harvest import Harvest
from qflowd.engine.running.upkeep import Upkeep
from qflowd.model.ids import ORDINALS
from qflowd.model.states import Reason
from qflowd.store.clock import boottime
from qflowd.workers.events import Returned
from qflowd.workers.wire import Chunk
from tests.support.lab import SUCCESS, Lab
from tests.support.limits import claims, have_job, used

FORK = {"a": [], "b": ["a"], "c": []}


class Queue:
    """Workers that begin nothing: what is stopped or wanted back returns."""

    def __init__(self) -> None:
        self.sent: dict[int, int] = {}  # id -> fence
        self.events: list[Returned] = []

    def room(self, pool: str) -> int:
        return 1

    def send(self, pool: str, chunk: Chunk) -> None:
        self.sent.update({task.task_id: task.fence for task in chunk.tasks})

    def stop(self, task_ids: Iterable[int]) -> None:
        self.give_back(task_ids)

    def give_back(self, task_ids: Iterable[int]) -> None:
        self.events += [Returned(number, self.sent.pop(number), False) for number in task_ids if number in self.sent]

    def wake(self) -> None:
        """Nobody waits for it."""


class Runner:
    """What a daemon's executor does with rows that it has claimed, step by step."""

    def __init__(self, lab: Lab) -> None:
        self.lab, self.workers = lab, Queue()
        self.harvest = Harvest(lab.clock, lambda: 0.5)
        workers: Any = self.workers
        self.dispatch = Dispatch(lab.store, workers, lab.instances, self.harvest, None, "db")
        self.upkeep = Upkeep(
            lab.store, workers, lab.instances, lab.lanes, self.harvest, lambda: lab.owner, on_pause=lambda: None
        )

    def send(self, rows: Sequence[Claimed]) -> set[int]:
        """Returns the ids of those that reached a worker."""
        lane = self.lab.lane(self.lab.column("task_instance", "lane", rows[0].id))
        return self.send_claim(Claim(lane, list(rows), 1))

    def send_claim(self, claim: Claim) -> set[int]:
        """As `send`."""
        rows = claim.rows
        self.harvest.held.hold_slots([claim])
        self.lab.store.read(lambda tx: self.lab.instances.load_claimed(tx, rows))
        shipment = self.lab.store.read(lambda tx: self.dispatch.prepare(tx, claim))
        self.dispatch.send(shipment, self.upkeep.cancelled(shipment.claims))
        return self.workers.sent.keys() & {row.id for row in rows}

    def look(self) -> None:
        """Look what is terminated, and write what came of it."""
        self.upkeep.note_intents()
        self.upkeep.tick(boottime())
        for event in self.workers.events:
            self.harvest.take(event)
        self.workers.events.clear()
        self.lab.finish(batch=self.harvest.reap())


@pytest.fixture
def fork(lab: Lab) -> Lab:
    lab.workflow("fork", FORK)
    return lab


def test_what_waits_behind_others_in_a_worker_ends_and_does_not_begin(fork: Lab) -> None:
    number, runner = fork.start("fork"), Runner(fork)
    assert len(runner.send(fork.claim())) == 2
    assert fork.command("terminate", number, task="a")[0] == "DONE"
    runner.look()
    assert fork.states(number) == {"a": "CANCELLED", "b": "UPSTREAM_FAILED", "c": "RUNNING"}
    assert fork.column("task_instance", "reason", number * ORDINALS) == Reason.TERMINATED
    assert runner.workers.sent.keys() == {number * ORDINALS + 1}
    runner.look()
    assert fork.sql("SELECT COUNT(*) FROM qflow.task_stop") == [(0,)]


def test_what_came_back_from_a_lost_daemon_is_not_begun_by_the_next(fork: Lab) -> None:
    number = fork.start("fork")
    rows = fork.claim()
    fork.command("terminate", number, task="a")
    fork.finish(batch=Batch(released=[fork.released(row) for row in rows]))
    runner = Runner(fork)  # it has just started, and was not told
    assert runner.send(fork.claim()) == {number * ORDINALS + 1}
    runner.look()
    assert fork.states(number) == {"a": "CANCELLED", "b": "UPSTREAM_FAILED", "c": "RUNNING"}


def test_the_head_of_a_map_that_is_terminated_makes_no_items(lab: Lab) -> None:
    lab.define("mapped", {"m": {"job": "work", "map": ["x", "y"], "params": {}}})
    number, runner = lab.start("mapped"), Runner(lab)
    [head] = lab.store.read(lambda tx: tx.run("list_heads"))
    lane = lab.lane(head.lane)
    rows = lab.store.transact(lab.claim_in)
    assert lab.command("terminate", number, task="m")[0] == "DONE"
    claim = Claim(lane, rows, 1)
    shipment = runner.dispatch.prepare_heads(None, claim)  # type: ignore[arg-type]
    runner.dispatch.send(shipment, runner.upkeep.cancelled(shipment.claims))
    runner.look()
    assert lab.states(number) == {"m": "CANCELLED"}
    assert lab.state(number) == "FAILED"
    lab.check(drained=True)


def test_what_a_person_starts_anew_is_begun_and_may_come_back(fork: Lab) -> None:
    """A daemon that remembers the stop looks again before it ends a row for it."""
    number, runner = fork.start("fork"), Runner(fork)
    rows = fork.claim()
    runner.send(rows)
    fork.command("terminate", number, task="a")
    runner.look()
    runner.harvest.held.clear()
    fork.ends([row for row in rows if row.node != 0], SUCCESS)
    assert fork.command("retry", number)[0] == "DONE"
    [row] = fork.claim()
    assert runner.send([row]) == {number * ORDINALS}
    runner.workers.give_back([row.id])
    runner.look()
    assert fork.states(number)["a"] == "READY"
    fork.succeeds(number)


def test_only_the_task_that_is_named_ends(fork: Lab) -> None:
    numbers, runner = [fork.start("fork") for _ in range(2)], Runner(fork)
    rows = fork.claim()
    fork.command("terminate", numbers[1], task="c")
    assert runner.send(rows) == {row.id for row in rows} - {numbers[1] * ORDINALS + 1}
    runner.look()
    assert [fork.states(number)["c"] for number in numbers] == ["RUNNING", "CANCELLED"]


@pytest.mark.parametrize("has_reached_a_worker", [True, False])
def test_what_ends_before_it_began_does_not_count_for_a_rate(lab: Lab, has_reached_a_worker: bool) -> None:
    save_configured(lab.store, {"vendor": LimitConfig(slots=None, rate=("3/min",))})
    have_job(lab, {"vendor": 1})
    numbers = [lab.start(job="work") for _ in range(5)]
    [claim], runner = claims(lab), Runner(lab)
    rows = claim.rows
    assert len(rows) == 3
    if has_reached_a_worker:
        runner.send_claim(claim)
    for row in rows[:2]:
        assert lab.command("terminate", None, task_id=row.id)[0] == "DONE"
    if not has_reached_a_worker:
        assert runner.send_claim(claim) == {rows[2].id}
    runner.look()
    assert [lab.state(number) for number in numbers[:2]] == ["FAILED", "FAILED"]
    assert used(lab) == {"vendor": 1}
    assert len(claims(lab)[0].rows) == 2

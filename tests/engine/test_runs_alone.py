"""What was taken from a dead daemon runs alone, also where a daemon takes the tasks of its lane in hundreds.

A chunk holds one such row, so of hundreds that are claimed most must go back; that is not to happen again and again.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from qflowd.engine.claiming.claim import Claimer
from qflowd.engine.running.dispatch import Dispatch
from qflowd.engine.running.harvest import Harvest
from qflowd.model.ids import task_id
from qflowd.workers.wire import Chunk
from tests.engine.test_claim import claimer_of
from tests.support.lab import Lab

ROOM, ROWS = 4, 60


class Workers:
    """Workers that have room for so many chunks, and end all that they were given when they are asked to."""

    def __init__(self) -> None:
        self.chunks: list[Chunk] = []

    def room(self, pool: str) -> int:
        return ROOM - len(self.chunks)

    def send(self, pool: str, chunk: Chunk) -> None:
        self.chunks.append(chunk)


def turn(lab: Lab, claimer: Claimer, meanwhile: Callable[[], object] = lambda: None) -> int:
    """Claim, send, and end what was sent; what was not goes back. Returns how many rows were claimed.

    `meanwhile`: what else happens before something is sent.
    """
    workers, harvest = Workers(), Harvest(lab.clock, lambda: 0.5)
    dispatch = Dispatch(lab.store, workers, lab.instances, harvest, None, "db")  # type: ignore[arg-type]
    pools = {"default": ROOM}
    found = lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner), name="claim")
    for claim in found:
        lab.store.read(lambda tx, claim=claim: lab.instances.load_claimed(tx, claim.rows))  # type: ignore[misc]
        shipment = lab.store.read(lambda tx, claim=claim: dispatch.prepare(tx, claim))  # type: ignore[misc]
        meanwhile()
        dispatch.send(shipment)
    dispatch.close()
    assert all(len(chunk.tasks) == 1 for chunk in workers.chunks if chunk.solo)
    alone = {row.id for claim in found for row in claim.rows if row.solo}
    assert all(chunk.solo == (task.task_id in alone) for chunk in workers.chunks for task in chunk.tasks)
    batch = harvest.reap()
    sent = {task.task_id for chunk in workers.chunks for task in chunk.tasks}
    batch.final += [lab.final(row) for claim in found for row in claim.rows if row.id in sent]
    if batch:
        lab.finish(batch=batch)
        claimer.forget_heads()
    return sum(len(claim.rows) for claim in found)


@pytest.mark.parametrize("alone", [range(40), range(20, 60), range(0, 60, 3)], ids=["before", "behind", "among"])
def test_of_rows_that_run_alone_none_goes_back_again_and_again(lab: Lab, alone: range) -> None:
    numbers = [lab.start(job="work") for _ in range(ROWS)]
    claimer = claimer_of(lab)
    claimer.look(lab.store)
    [lane] = claimer._lanes.values()
    lane.learn(0.0005 * 100, 100)
    chosen = ", ".join(str(task_id(numbers[i], 0)) for i in alone)
    lab.sql(f"UPDATE qflow.task_instance SET solo = 1 WHERE id IN ({chosen})")
    while turn(lab, claimer):
        pass
    assert {lab.state(number) for number in numbers} == {"SUCCESS"}
    # Claimed with all others and given back, claimed again, ended.
    assert lab.sql("SELECT max(fence) FROM qflow.task_instance") == [(4,)]


def test_a_row_runs_alone_though_its_lane_has_met_others_before_it_was_sent(lab: Lab) -> None:
    numbers = [lab.start(job="work") for _ in range(ROWS)]
    claimer = claimer_of(lab)
    claimer.look(lab.store)
    [lane] = claimer._lanes.values()
    lane.learn(0.0005 * 100, 100)
    lab.sql(f"UPDATE qflow.task_instance SET solo = 1 WHERE id = {task_id(numbers[5], 0)}")
    while turn(lab, claimer, lambda: lane.met([False] * ROWS)):
        pass
    assert {lab.state(number) for number in numbers} == {"SUCCESS"}

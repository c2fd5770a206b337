"""Instances of a random workflow, driven to their end in random order, with replays and late results in between."""

from __future__ import annotations

import random
from typing import Any

import pytest

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import TaskKind, TaskState
from tests.support.dags import Dag, split
from tests.support.lab import SUCCESS, Lab
from tests.support.spawning import checked, request_of


class Drive:
    """Drives instances of one DAG to their end, in an order that a seed decides."""

    def __init__(self, lab: Lab, dag: Dag, seed: int) -> None:
        self.lab = Lab(lab.url, kept=lab.kept)
        self.lab.wipe()
        self.dag = dag
        self.chance = random.Random(seed)
        self.held: list[Any] = []
        self.keys: dict[int, str] = {}
        self.old: list[Batch] = []
        self.passed: dict[str, bool] = {}  # rows that a person has skipped, and whether they had run before
        self.lab.workflow("dag", dag.tasks(), dag.of_task())

    def key(self, row) -> str:
        if row.id not in self.keys:
            self.keys[row.id] = self.lab.key(row.id)
        return self.keys[row.id]

    def node(self, row) -> int:
        return split(self.key(row))[0]

    def final(self, row):
        end, _ = self.dag.of_row(self.key(row))
        has_output = end is SUCCESS and row.kind != TaskKind.SPAWNED
        return self.lab.final(row, end, self.dag.output(self.node(row)) if has_output else None)

    def batch(self, rows) -> Batch:
        """What these rows come to, and what they ask for."""
        batch = Batch(final=[self.final(row) for row in rows])
        for row in rows:
            end, calls = self.dag.of_row(self.key(row))
            if end is SUCCESS and calls:
                names = {f"s{place}": [f"s{one}" for one in call.after] for place, call in enumerate(calls)}
                batch.spawn_requests.append(request_of(row, names))
        return checked(self.lab, batch) if batch.spawn_requests else batch

    def step(self) -> bool:
        """One random act. False: nothing is left to be done."""
        chance, lab = self.chance, self.lab
        act = chance.choice(["claim", "finish", "finish", "finish", "return", "replay", "late", "time"])
        if act == "claim" or not self.held:
            self.held += self.claim(chance.choice([1, 2, 1000]))
        elif act == "finish":
            chance.shuffle(self.held)
            count = chance.randint(1, len(self.held))
            rows, self.held = self.held[:count], self.held[count:]
            self.finish(self.batch(rows))
        elif act == "return":
            self.give_back(self.held.pop())
        elif act == "replay" and self.old:
            lab.finish(batch=chance.choice(self.old))
        elif act == "late":
            row = chance.choice(self.held)
            lab.finish(self.final(row._replace(fence=row.fence - 1)))
        if act == "time" or not self.held:
            lab.clock.advance(60)
            lab.promote.tick()
        if not self.held:
            self.held += self.claim()
        return bool(self.held)

    def claim(self, wanted: int = 1000) -> list[Any]:
        """Claim, and send: what does not run has ended, and makes others ready."""
        rows = self.lab.claim(wanted)
        if passed := [row for row in rows if self.key(row) in self.passed]:
            self.finish(Batch(final=[self.lab.end_of(row, {}) for row in passed]))
            rows = [row for row in rows if row not in passed]
            if not rows:
                return self.claim(wanted)
        asking = [row for row in rows if self.asks(row)]
        for row in rows:
            self.check_order(row)
        if not asking:
            return rows
        sent, batch = self.lab.send(asking)
        if not batch:
            return rows
        self.finish(batch)
        return [row for row in rows if row.id in sent or row not in asking] or self.claim(wanted)

    def asks(self, row) -> bool:
        return row.kind != TaskKind.SPAWNED and self.dag.whens[self.node(row)] is not None

    def check_order(self, row) -> None:
        """Of tasks that run after a termination, one that waits for another begins after it."""
        above = {f"n{parent}" for parent in self.dag.parents[self.node(row)] if parent in self.dag.last}
        if above and self.node(row) in self.dag.last:
            states = self.lab.states(row.id >> 20)
            assert all(TaskState[states[key]].is_final for key in above), (self.lab.key(row.id), states)

    def finish(self, batch: Batch) -> None:
        """Write a batch; now and then the reply to its COMMIT is lost, and it is written again."""
        if self.chance.random() < 0.2:
            self.lab.store._fault = lose_reply
            with pytest.raises(StoreUnavailable):
                self.lab.finish(batch=batch)
            self.lab.store._fault = None
        self.lab.finish(batch=batch)
        self.old.append(batch)

    def give_back(self, row) -> None:
        if self.chance.random() < 0.5:
            self.lab.finish(batch=Batch(released=[Released(row.id, row.fence, 1, self.chance.randint(0, 1))]))
        else:
            later = self.lab.clock.now()
            self.lab.finish(batch=Batch(rearmed=[Rearmed(row.id, row.fence, row.attempt + 1, 1, later)]))

    def steps(self, count: int) -> None:
        """So many random acts, or fewer if nothing is left to be done."""
        for _ in range(count):
            self.step()

    def to_the_end(self) -> None:
        for _ in range(2000):
            if not self.step():
                return
        raise AssertionError("it never ends")

    def close(self) -> None:
        self.lab.close()

    def end(self) -> None:
        """Look whether all has come to its end as it must."""
        self.lab.check(drained=True)
        self.close()


def lose_reply(transaction, point):
    if (transaction, point) == ("finish", "after_commit"):
        raise StoreUnavailable("the reply was lost")

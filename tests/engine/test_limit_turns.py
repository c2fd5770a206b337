"""Turns of limits: a daemon that could use a limit without end leaves it, for a moment, to tasks that only others run."""

from __future__ import annotations

import pytest

from qflowd.config.records import LimitConfig
from qflowd.engine.caches import LaneIds
from qflowd.engine.claiming import limit_turns
from qflowd.engine.claiming.claim import Claim, Claimed, Claimer
from qflowd.engine.claiming.gate import Gate
from qflowd.engine.claiming.limited import LimitedClaimer
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.limits.slots import Freed
from qflowd.store.tx import Tx
from tests.support.daemon import until
from tests.support.lab import Lab
from tests.support.limits import have_job, set_limits
from tests.support.waits.base import alive

PATIENCE_S = 60
ROUNDS = 5


class OneJob:
    """What a daemon with one job and one worker does in a turn."""

    def __init__(self, lab: Lab, job: str) -> None:
        alive(lab, job, name=job)
        self.lab, self.owner = lab, lab.owner
        self.claimer = Claimer(LaneIds(lab.store), ["default"])
        self.claimer.set_jobs({job: lab.jobs.own[job]})
        self.limited = LimitedClaimer(self.claimer, lambda pool: False)

    def turn(self, ended: list[Claimed] | None = None) -> list[Claimed]:
        """Write what has ended and claim in the same transaction; then claim the lanes with limits that are left."""
        self.claimer.look(self.lab.store)
        final = [self.lab.final(row) for row in ended or ()]
        batch = Batch(final=final, slots=[Freed(row.id, "vendor=1") for row in final])

        def claim(tx: Tx) -> list[Claim]:
            self.claimer.reopen(["vendor"])  # slots have come back, or the half second is over
            claims = self.claimer.claim(tx, {"default": 1}, {"default": 1}, self.owner)
            names = batch.effects.locked_limits
            return claims + self.limited.claim_locked(tx, self._gate(), claims, names, self.owner)

        _, claims = finish_and(self.lab.store, self.lab.instances, batch, self.owner, claim)
        for group in self.limited.groups():
            if lanes := self.limited.open(group, self._gate()):
                work = lambda tx, lanes=lanes: self.limited.claim(tx, lanes, 1, self.owner)  # noqa: E731
                claims = [*(claims or ()), *self.lab.store.transact(work, name="claim")]
        return [row for each in claims or () for row in each.rows]

    def _gate(self) -> Gate:
        return Gate({"default": 1}, {"default": 1})


@pytest.fixture
def ours(lab, monkeypatch) -> OneJob:
    """A daemon whose turn at a limit is over as soon as it has begun, and that has rows enough."""
    monkeypatch.setattr(limit_turns, "TURN_S", 0.0)
    monkeypatch.setattr(limit_turns, "LEFT_S", 600.0)
    have_job(lab, {"vendor": 1}, "ours"), have_job(lab, {"vendor": 1}, "theirs")
    for _ in range(2 * ROUNDS):
        lab.start(job="ours")
    return OneJob(lab, "ours")


def test_slots_of_a_limit_are_left_to_tasks_that_only_another_daemon_runs(lab, ours):
    theirs, numbers = OneJob(lab, "theirs"), [lab.start(job="theirs", priority=priority) for priority in (9, 8)]
    rows, claimed, ended = ours.turn(), list[Claimed](), list[Claimed]()
    for _ in range(ROUNDS):
        rows = ours.turn(rows)
        claimed += (ended := theirs.turn(ended))
    assert [row.id >> 20 for row in claimed] == numbers


def test_a_daemon_that_has_just_got_a_limit_keeps_it_for_a_turn(lab, ours, monkeypatch):
    theirs = OneJob(lab, "theirs")
    for _ in range(ROUNDS):
        lab.start(job="theirs")
    assert ours.turn(ours.turn()) == []
    monkeypatch.setattr(limit_turns, "TURN_S", 600.0)
    rows = theirs.turn()
    for _ in range(ROUNDS - 1):
        assert len(rows := theirs.turn(rows)) == 1
        assert ours.turn() == []


@pytest.mark.parametrize(("priority", "is_there"), [(-1, True), (9, False)], ids=["less_urgent", "run_by_nobody"])
def test_slots_of_a_limit_are_not_left_to_what_may_wait_or_will_not_run(lab, ours, priority, is_there):
    if is_there:
        OneJob(lab, "theirs")
    lab.start(job="theirs", priority=priority)
    rows = ours.turn()
    for _ in range(ROUNDS):
        assert len(rows := ours.turn(rows)) == 1


@pytest.mark.parametrize(("slots", "is_left"), [(2, False), (3, True)])
def test_a_limit_is_left_only_to_tasks_that_take_more_slots_than_are_free(lab, ours, slots, is_left):
    set_limits(lab, vendor=3)
    have_job(lab, {"vendor": slots}, "theirs")
    OneJob(lab, "theirs"), lab.start(job="theirs")
    rows = ours.turn()
    assert [len(rows := ours.turn(rows)) for _ in range(ROUNDS)] == [0 if is_left else 1] * ROUNDS


def test_a_limit_with_a_rate_is_left_to_others_although_slots_of_it_are_free(lab, ours):
    save_configured(lab.store, {"vendor": LimitConfig(rate=("1000/s",))})
    OneJob(lab, "theirs"), lab.start(job="theirs")
    assert ours.turn(ours.turn()) == []


def test_what_is_more_urgent_is_claimed_while_a_limit_is_left_and_all_else_when_nobody_has_taken_it(
    lab, ours, monkeypatch
):
    OneJob(lab, "theirs"), lab.start(job="theirs")
    assert ours.turn(ours.turn()) == []
    urgent = lab.start(job="ours", priority=9)
    [row] = ours.turn()
    assert row.id >> 20 == urgent
    monkeypatch.setattr(limit_turns, "LEFT_S", 0.3)
    ours.claimer.limit_turns._left.clear()
    assert ours.turn([row]) == []
    until(lambda: ours.claimer.opens_at() < limit_turns.boottime(), PATIENCE_S)
    assert len(ours.turn()) == 1

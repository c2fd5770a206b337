"""Limits under faults: whatever is killed or frozen, never more runs than the limit allows, and no slot is lost."""

from __future__ import annotations

import json
import os
import random
import signal
import time

import pytest

from tests.faults.conftest import House, family, side_by_side
from tests.support.daemon import Daemon, until
from tests.support.ledger import Ledger
from tests.support.sql import run_sql

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SEED = int(os.environ.get("QFLOWD_CHAOS_SEED") or random.randrange(10**6))
CHAOS_S = float(os.environ.get("QFLOWD_CHAOS_S") or 10)
SLOTS, TASKS = 3, 150
JOBS = """
@job(limits={"vendor:quotes": 1})
def quotes(seconds: float = 0.0):
    step(seconds)

@job(limits={"vendor:quotes": 2})
def history(seconds: float = 0.0):
    step(seconds)
"""
WEIGHTS = {"quotes": 1, "history": 2}


def most_at_once(ledger: Ledger, weights: dict[int, int]) -> int:
    """The most slots that runs held at one moment, each from its first note to its last."""
    runs: dict[tuple[int, int], list[float]] = {}
    for note in ledger.notes():
        runs.setdefault((note.task_id, note.fence), []).append(note.at)
    moments = []
    for (task, _), times in runs.items():
        moments += [(min(times), weights[task]), (max(times), -weights[task])]
    held = most = 0
    for _, change in sorted(moments):
        held += change
        most = max(most, held)
    return most


def test_never_more_runs_than_a_limit_allows_whatever_is_killed(houses: list[House]) -> None:
    print("QFLOWD_CHAOS_SEED", SEED)
    side_by_side(lambda house: _chaos(house, TASKS, [0, 0, 0.02, 0.1], at_once=SLOTS), houses)


def test_tasks_that_share_a_slot_do_not_run_at_once_whatever_is_killed(houses: list[House]) -> None:
    print("QFLOWD_CHAOS_SEED", SEED)
    side_by_side(lambda house: _chaos(house, 4 * TASKS, [0, 0.002, 0.01], at_once=1), houses)


def _chaos(house: House, tasks: int, lengths: list[float], at_once: int) -> None:
    """`at_once`: so many slots are seen in use at one moment, and never more than there are."""
    chance = random.Random(SEED)
    house.more, house.config = JOBS, f'[limits]\n"vendor:quotes" = {SLOTS}'
    daemons = [house.daemon(name, is_neighbour=name != "c", processes=2).start() for name in "abc"]
    for _ in range(tasks):
        house.submit(job=chance.choice(sorted(WEIGHTS)), params=f'{{"seconds": {chance.choice(lengths)}}}')
    _harm_and_drain(house, chance, daemons, SLOTS)
    weights = {number: WEIGHTS[job] for number, job in house.sql("SELECT id, job FROM qflow.tasks")}
    assert at_once <= most_at_once(house.ledger, weights) <= SLOTS, f"seed {SEED}"
    assert house.sql("SELECT name, used, waiting FROM qflow.limits") == [("vendor:quotes", 0, 0)]


def _harm_and_drain(house: House, chance: random.Random, daemons: list[Daemon], slots: int) -> None:
    """Harm daemons again and again, then let them end all there is. No limit ever has more than these slots in use."""
    end = time.monotonic() + CHAOS_S
    while time.monotonic() < end:
        assert house.one("SELECT COALESCE(MAX(used), 0) FROM qflow.limits") <= slots
        _harm(chance, chance.choice(daemons), may_freeze=not house.url.startswith("sqlite"))
        time.sleep(chance.uniform(0.1, 0.5))
    for daemon in daemons:
        if daemon.is_running:
            daemon.thaw()
            daemon.signal(signal.SIGTERM)
            daemon.wait()
        daemon.start()
    house.drain(90)
    for daemon in daemons:
        assert daemon.stop() == 0
    house.check()


def _harm(chance: random.Random, daemon: Daemon, *, may_freeze: bool) -> None:
    if not daemon.is_running:
        daemon.start(ready=False)
        return
    what = chance.choice(["kill", "freeze", "thaw", "worker", "nothing"])
    if what == "kill":
        daemon.signal(signal.SIGKILL)
        daemon.wait()
    elif what == "freeze" and may_freeze:  # a SQLite file would be locked for everybody
        daemon.freeze()
    elif what == "worker" and (workers := family(daemon.pid)[1:]):
        os.kill(chance.choice(workers), signal.SIGKILL)
    elif what == "thaw":
        daemon.thaw()


def test_the_slots_of_a_killed_daemon_are_there_again_for_its_neighbour(houses: list[House]) -> None:
    side_by_side(_kill_a_holder, houses)


def _kill_a_holder(house: House) -> None:
    house.more, house.config = JOBS, '[limits]\n"vendor:quotes" = 1'
    holder = house.daemon("a").start()
    house.submit(job="quotes", params='{"seconds": 60}')
    until(lambda: house.ledger.notes("start"), 20, what="the task runs")
    second = house.daemon("b").start()
    [waiting] = house.submit(job="quotes")
    reason = f"SELECT wait_reason FROM qflow.tasks WHERE instance_id = {waiting}"
    oldest = f"task {house.submitted[0] << 20} (quotes of instance {house.submitted[0]})"
    text = f"waits for limit vendor:quotes: 1 of 1 slots in use, the oldest by {oldest}"
    until(lambda: house.sql(reason) == [(text,)], 20, what="the second one waits for the slot")
    assert house.one(f"SELECT wait_reason FROM qflow.instances WHERE id = {waiting}") == text
    run_sql(house.store, f"INSERT INTO qflow.commands (action, instance_id) VALUES ('terminate', {house.submitted[0]})")
    holder.kill()
    house.drain(30)
    assert second.stop() == 0
    assert house.one(f"SELECT state FROM qflow.instances WHERE id = {waiting}") == "SUCCESS"
    assert house.one("SELECT used FROM qflow.limits") == 0


def test_items_never_take_more_of_their_own_limit_than_it_allows_whatever_is_killed(houses: list[House]) -> None:
    print("QFLOWD_CHAOS_SEED", SEED)
    side_by_side(_chaos_of_items, houses)


BANKS = (*(f"bank{number}" for number in range(10, 22)), "")  # the last one is a name that no limit can have
PAY = """
workflow: pay
params: {payments: {type: array}}
tasks:
  pay:
    job: pay
    map: "{{ params.payments }}"
    max_parallel: 40
    label: "{{ item.bank }}"
    limits: {"bank:{{ item.bank }}": 1}
    params: {seconds: "{{ item.seconds }}"}
    tolerate: {min_ok: 1}
"""


def _chaos_of_items(house: House) -> None:
    chance = random.Random(SEED)
    house.more, house.config = "@job\ndef pay(seconds: float):\n    step(seconds)\n", '[limits]\n"bank:*" = 2'
    house.workflows = {"pay.yaml": PAY}
    daemons = [house.daemon(name, is_neighbour=name != "c").start() for name in "abc"]
    payments = [{"bank": chance.choice(BANKS), "seconds": chance.choice([0, 0.002, 0.05])} for _ in range(4 * TASKS)]
    house.submit(workflow="pay", params=json.dumps({"payments": payments}))
    _harm_and_drain(house, chance, daemons, 2)
    rows = house.sql("SELECT id, label, state FROM qflow.tasks WHERE map_index IS NOT NULL")
    assert {(label or "", state) for _, label, state in rows} == {
        (bank, "SUCCESS" if bank else "FAILED") for bank in BANKS
    }
    for bank in BANKS[:-1]:
        others = {number: 0 for number, label, _ in rows if label != bank}
        at_once = most_at_once(house.ledger, others | {number: 1 for number, label, _ in rows if label == bank})
        assert at_once <= 2, f"{bank}, seed {SEED}"
    used = [(f"bank:{bank}", 0, 0) for bank in sorted(BANKS[:-1])]
    assert house.sql("SELECT name, used, waiting FROM qflow.limits ORDER BY name") == [("bank:*", 0, 0), *used]

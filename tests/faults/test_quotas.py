"""Quotas under faults: whoever is killed when, daemons never let in more than a tenant may have, and count each end once."""

from __future__ import annotations

import os
import random
import signal
import time

import pytest

from qflowd.engine.access.audit import Actor
from qflowd.engine.access.tenants import create_tenant, set_quotas
from qflowd.store.inbox import SUBMISSION
from qflowd.store.migrate import migrate
from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = [pytest.mark.fault, pytest.mark.slow]
SEED = int(os.environ.get("QFLOWD_CHAOS_SEED") or random.randrange(10**6))
CHAOS_S = float(os.environ.get("QFLOWD_CHAOS_S") or 8)
TENANT, ME = "desk", Actor("me")
MOST_OPEN, MOST_A_DAY = 5, 60
JOBS = """
@job
def quotes(seconds: float = 0.0):
    step(seconds)
"""
OPEN = f"SELECT count(*) FROM qflow.workflow_instance WHERE tenant = '{TENANT}' AND state < 3"
ACCEPTED = f"SELECT count(*) FROM qflow.submissions WHERE tenant = '{TENANT}' AND state = 'ACCEPTED'"


def test_daemons_that_are_killed_never_let_in_more_than_a_tenant_may_have(houses: list[House]) -> None:
    print("QFLOWD_CHAOS_SEED", SEED)
    side_by_side(_chaos, houses)


def _chaos(house: House) -> None:
    chance = random.Random(SEED)
    house.more = JOBS
    migrate(house.store)
    house.store.transact(lambda tx: create_tenant(tx, ME, TENANT))
    quotas = {"open_instances": MOST_OPEN, "submissions_per_day": MOST_A_DAY, "running_tasks": 2}
    house.store.transact(lambda tx: set_quotas(tx, ME, TENANT, quotas))
    daemons = [house.daemon(name, processes=2).start() for name in "abc"]
    end = time.monotonic() + CHAOS_S
    while time.monotonic() < end:
        _submit(house, chance.randint(1, 6), chance.choice([0, 0, 0.05]))
        assert house.one(OPEN) <= MOST_OPEN, f"seed {SEED}"
        daemon = chance.choice(daemons)
        if not daemon.is_running:
            daemon.start(ready=False)
        elif chance.random() < 0.3:
            daemon.signal(signal.SIGKILL)
            daemon.wait()
        time.sleep(chance.uniform(0.02, 0.2))
    for daemon in daemons:
        if daemon.is_running:
            daemon.signal(signal.SIGTERM)
            daemon.wait()
        daemon.start()
    until(lambda: not house.one("SELECT count(*) FROM qflow.submissions WHERE is_open = 1"), 60, what="all is answered")
    while house.one(ACCEPTED) < MOST_A_DAY:  # in turns of as many as may be open
        _submit(house, MOST_OPEN, 0)
        until(
            lambda: not house.one("SELECT count(*) FROM qflow.submissions WHERE is_open = 1"),
            60,
            what="more is answered",
        )
    house.drain(90)
    assert house.one(ACCEPTED) == house.one("SELECT submissions FROM qflow.tenant") == MOST_A_DAY, f"seed {SEED}"
    until(
        lambda: house.one("SELECT COALESCE(SUM(instances), 0) FROM qflow.usage_day") >= MOST_A_DAY,
        30,
        what="all is counted",
    )
    assert house.one("SELECT SUM(instances) FROM qflow.usage_day") == MOST_A_DAY, f"seed {SEED}"
    assert house.one("SELECT SUM(tasks) FROM qflow.usage_day") == house.one("SELECT count(*) FROM qflow.attempts")
    for daemon in daemons:
        assert daemon.stop() == 0
    assert house.sql("SELECT name, used FROM qflow.limits") == [(f"tenant:{TENANT}", 0)]
    house.check()


def _submit(house: House, rows: int, seconds: float) -> None:
    """Rows of which some are to be rejected, so none is expected to run."""
    row = SUBMISSION | {"tenant": TENANT, "job": "quotes", "params": f'{{"seconds": {seconds}}}'}

    def insert(tx):
        for _ in range(rows):
            tx.run("insert_submission", **row)

    house.store.transact(insert)

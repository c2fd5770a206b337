"""Deadlocks and lock timeouts, as often as every second time: transactions are run again, nobody else hears of it."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side

pytestmark = pytest.mark.fault
CONFLICTS = (
    "admit_batch:before_commit:2,admit_and_claim:before_commit:2,claim:before_commit:2,finish:before_commit:2,write_logs:before_commit:2,"
    "beat:begin:2,promote_due:begin:3"
)
DIAMOND = """
workflow: diamond
tasks:
  a: {job: step}
  b: {job: flaky, after: a}
  c: {job: step, after: a}
  d: {job: step, after: [b, c]}
"""


def test_conflicts_in_every_transaction_are_overcome(houses: list[House]) -> None:
    side_by_side(_quarrel, houses)


def _quarrel(house: House) -> None:
    house.workflows = {"diamond.yaml": DIAMOND}
    env = {"QFLOWD_FAULT": ",".join(f"{fault}:conflict" for fault in CONFLICTS.split(","))}
    daemons = [house.daemon(name, env=env).start() for name in "ab"]
    for _ in range(5):
        house.submit("diamond", count=10)
    house.drain()
    assert house.states() == {"SUCCESS": 200}
    assert house.ledger.extra_starts() == 50, "only what asks for a second attempt starts twice"
    for daemon in daemons:
        assert daemon.stop() == 0
    house.check()

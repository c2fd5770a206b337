"""Daemons that start at the same time on an empty database, and one that is too old for what it finds."""

from __future__ import annotations

import pytest

from tests.faults.conftest import House, side_by_side
from tests.support.daemon import until

pytestmark = [pytest.mark.fault, pytest.mark.bare]


def test_daemons_that_start_together_on_an_empty_database_all_get_ready(houses: list[House]) -> None:
    side_by_side(_start_together, houses)


def _start_together(house: House) -> None:
    for name in "abc":
        house.daemon(name, processes=1).start(ready=False)
    until(lambda: house.logs().count("ready in ") == 3 or not all(d.is_running for d in house.daemons.values()), 30)
    house.submit(job="step", count=30, params='{"seconds": 0.01}')
    house.drain()
    assert house.ledger.extra_starts() == 0
    assert len(house.sql("SELECT id FROM qflow.daemons")) == 3
    for daemon in house.daemons.values():
        assert daemon.stop() == 0
    house.check()


def test_a_daemon_that_is_older_than_the_schema_refuses_to_run(houses: list[House]) -> None:
    side_by_side(_meet_newer, houses)


def _meet_newer(house: House) -> None:
    daemon = house.daemon().start()
    assert daemon.stop() == 0
    house.store.transact(lambda tx: tx.run("read_database_id"))
    connection = house.store.connection()
    connection.begin()
    connection.script(
        "INSERT INTO qflow.migration (number, step, applied_at) SELECT 9000, 1, applied_at FROM qflow.migration LIMIT 1"
    )
    connection.commit()
    daemon.start(ready=False)
    assert daemon.wait(20) != 0
    assert "the schema has version 9000" in daemon.log()
    assert "upgrade qflowd" in daemon.log()
    assert "Traceback" not in daemon.log()

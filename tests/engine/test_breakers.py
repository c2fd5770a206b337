"""Breakers: open after failures, half-open for one task, closed after its success; never stuck."""

from __future__ import annotations

import json
from typing import Any

import pytest

from qflowd.config.records import LimitConfig
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Rearmed, Released
from qflowd.engine.limits.breakers import AttemptEnd
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.limits.slots import Freed
from qflowd.model.breaker import Breaker
from qflowd.model.instruments import BreakerClosed, BreakerOpened
from qflowd.model.states import Reason
from tests.support.lab import FAILED, Lab
from tests.support.limits import claim, have_job

STATE = "SELECT breaker_state FROM qflow.limits WHERE name = 'vendor'"
VENDOR_HUNG_UP = "ConnectionError: refused"


@pytest.fixture
def vendor(lab: Lab) -> Lab:
    """A limit of four slots, whose breaker opens after three failures in 10 s for 30 s, and twenty tasks that need it."""
    breaker = Breaker("3/10s", 30.0, ("ConnectionError",))
    save_configured(lab.store, {"vendor": LimitConfig(slots=4, breaker=breaker)})
    have_job(lab, {"vendor": 1})
    for _ in range(20):
        lab.start(job="work")
    return lab


def ends(lab: Lab, *rows: Claimed, error: str | None = None) -> list[Any]:
    """These tasks end well, or with this error; the events that came of it."""
    events: list[Any] = []
    lab.store.instruments.listeners = (events.append,)
    reason = Reason.ERROR if error else Reason.NONE
    lab.finish(
        batch=Batch(
            final=[lab.final(row, FAILED) if error else lab.final(row) for row in rows],
            slots=[Freed(row.id, "vendor=1") for row in rows],
            attempt_ends=[AttemptEnd(row.id, row.fence, "vendor=1", reason, error) for row in rows],
        )
    )
    lab.store.instruments.listeners = ()
    return [event for event in events if isinstance(event, BreakerOpened | BreakerClosed)]


def tripped(lab: Lab) -> list[Any]:
    return ends(lab, *claim(lab)[:3], error=VENDOR_HUNG_UP)


def test_failures_within_the_window_open_it_once_and_nothing_begins(vendor):
    first = claim(vendor)
    assert ends(vendor, first[0], error=VENDOR_HUNG_UP) == []
    assert ends(vendor, first[1], error="ValueError: another class") == []
    assert vendor.sql(STATE) == [("CLOSED",)]
    why = f"3/10s failures, the last of task {first[3].id}: {VENDOR_HUNG_UP}"
    assert ends(vendor, first[2], first[3], error=VENDOR_HUNG_UP) == [BreakerOpened("vendor", why)]
    vendor.clock.advance(29)
    assert claim(vendor) == []
    assert vendor.sql("SELECT used, trip_reason FROM qflow.limits") == [(0, why)]


def test_failures_that_lie_far_apart_leave_it_closed(vendor):
    for _ in range(4):
        ends(vendor, claim(vendor)[0], error=VENDOR_HUNG_UP)
        vendor.clock.advance(6)
    assert vendor.sql(STATE) == [("CLOSED",)]


def test_one_task_tries_when_it_is_half_open_and_its_success_closes_it(vendor):
    tripped(vendor)
    vendor.clock.advance(31)
    [probe] = claim(vendor)
    assert claim(vendor, owner=8) == []
    assert ends(vendor, probe) == [BreakerClosed("vendor")]
    assert vendor.sql("SELECT tripped_at, trip_reason FROM qflow.limits") == [(None, None)]
    assert len(claim(vendor)) == 3, "one that began before it opened still runs"


def test_a_try_that_fails_opens_it_again_without_another_event(vendor):
    tripped(vendor)
    vendor.clock.advance(31)
    [probe] = claim(vendor)
    assert ends(vendor, probe, error=VENDOR_HUNG_UP) == []
    vendor.clock.advance(29)
    assert claim(vendor) == []
    vendor.clock.advance(2)
    assert len(claim(vendor)) == 1


def test_tasks_that_began_before_it_opened_neither_close_it_nor_keep_it_open(vendor):
    first = claim(vendor)
    ends(vendor, *first[:3], error=VENDOR_HUNG_UP)
    assert ends(vendor, first[3]) == []
    vendor.clock.advance(31)
    [probe] = claim(vendor)
    assert probe.id not in {row.id for row in first}


@pytest.mark.parametrize("how", ["released", "deferred", "lost with the daemon", "another error"])
def test_a_try_that_tells_nothing_lets_the_next_task_try(vendor, how):
    tripped(vendor)
    vendor.clock.advance(31)
    [probe] = claim(vendor)
    if how == "another error":
        ends(vendor, probe, error="ValueError: bad row")
    elif how == "lost with the daemon":
        vendor.finish(
            batch=Batch(released=[Released(probe.id, probe.fence, 1, 0)], slots=[Freed(probe.id, "vendor=1")])
        )
    elif how == "released":
        vendor.finish(
            batch=Batch(
                released=[Released(probe.id, probe.fence, 0, 0)], slots=[Freed(probe.id, "vendor=1", has_begun=False)]
            )
        )
    else:
        again = Rearmed(probe.id, probe.fence, probe.attempt, 0, vendor.clock.now())
        vendor.finish(batch=Batch(rearmed=[again], slots=[Freed(probe.id, "vendor=1")]))
    assert vendor.sql(STATE) == [("HALF_OPEN",)]
    [other] = claim(vendor, owner=8)
    assert claim(vendor) == []
    ends(vendor, other)
    assert vendor.sql(STATE) == [("CLOSED",)]


def test_a_breaker_is_opened_and_closed_by_hand(vendor):
    asked = {"args": json.dumps({"limit": "vendor", "for": "1h"}), "requested_by": "ann", "reason": "maintenance"}
    assert vendor.command("open_breaker", **asked)[0] == "DONE"
    assert vendor.sql("SELECT trip_reason FROM qflow.limits") == [("opened by ann: maintenance",)]
    vendor.clock.advance(3599)
    assert claim(vendor) == []
    assert vendor.command("close_breaker", args='{"limit": "vendor"}')[0] == "DONE"
    assert len(claim(vendor)) == 4
    assert vendor.command("close_breaker", args='{"limit": "vendor"}') == (
        "REJECTED",
        "the breaker of limit vendor is closed",
    )


def test_a_limit_without_a_breaker_says_how_to_give_it_one(lab):
    have_job(lab, {"vendor": 1})
    lab.start(job="work")
    assert lab.command("open_breaker", args='{"limit": "vendor"}') == (
        "REJECTED",
        "limit vendor has no breaker; `qflowd limits set vendor --breaker 5/min` gives it one",
    )
    assert lab.command("set_limit", args='{"limit": "vendor", "breaker": "2/min"}')[0] == "DONE"
    assert lab.sql(STATE) == [("CLOSED",)]


def test_a_breaker_that_is_taken_away_is_not_left_open(vendor):
    tripped(vendor)
    assert vendor.command("set_limit", args='{"limit": "vendor", "breaker": false}')[0] == "DONE"
    assert vendor.sql(STATE) == [(None,)]
    assert len(claim(vendor)) == 3

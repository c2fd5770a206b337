"""Edges `on: breaker_open`: while a breaker is open, a task does not wait for it, and another one runs instead."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from qflowd.config.records import LimitConfig
from qflowd.engine import kinds
from qflowd.engine.claiming.claim import Claim
from qflowd.engine.claiming.settle import settle
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.limits.slots import Freed
from qflowd.engine.maps import fan_out
from qflowd.engine.running.dispatch import Dispatch, Shipment
from qflowd.engine.running.harvest import Harvest
from qflowd.model.breaker import Breaker
from qflowd.model.states import Reason, TaskState
from qflowd.store.tx import Tx
from tests.support.lab import FAILED, SKIPPED, Lab, NoWorkers
from tests.support.limits import claims, have_job, used

BARS = {"job": "bars", "limits": {"vendor": 1}}
OTHER = {"job": "work", "after": {"bars": {"on": "breaker_open"}}}
CHECK = {"job": "work", "after": ["bars", "other"], "trigger_rule": "any_success"}


@pytest.fixture
def vendor(lab: Lab) -> Lab:
    """A limit of four slots with a breaker."""
    save_configured(lab.store, {"vendor": LimitConfig(slots=4, breaker=Breaker("3/10s", 30.0, ("error",)))})
    have_job(lab, {}, "bars")
    return lab


def open_breaker(lab: Lab) -> None:
    assert lab.command("open_breaker", args='{"limit": "vendor", "for": "30s"}')[0] == "DONE"


def begin(lab: Lab, **tasks: dict[str, Any]) -> int:
    lab.define("daily", {"bars": BARS, "other": OTHER, "check": CHECK} | tasks)
    return lab.start("daily")


def step(lab: Lab, taken: Sequence[Claim] | None = None) -> list[Claim]:
    """One round of a daemon: heads make rows for their items, rows that meet an open breaker end. Returns the other claims."""
    running = []
    for claim in claims(lab) if taken is None else taken:
        heads = [row for row in claim.rows if row.kind == 1]
        if claim.open_breaker is not None:
            meet(lab, claim)
        elif claim.lane.is_unsettled:
            settle(lab.store, lab.instances, claim.rows)
        elif heads:
            freed = [Freed(row.id, claim.lane.key.limits, has_begun=False) for row in heads if claim.lane.key.limits]
            fan_out.expand(lab.store, lab.instances, heads, freed)
        else:
            running.append(claim)
    return running


def meet(lab: Lab, claim: Claim) -> None:
    """As a daemon does with rows that have met an open breaker."""
    harvest = Harvest(lab.clock, lambda: 0.5)
    dispatch = Dispatch(lab.store, NoWorkers(), lab.instances, harvest, None, "db")  # type: ignore[arg-type]

    def prepare(tx: Tx) -> list[Shipment]:
        lab.instances.load_claimed(tx, claim.rows)
        return kinds.prepare(dispatch, tx, claim)

    for shipment in lab.store.read(prepare):
        dispatch.send(shipment)
    lab.finish(batch=harvest.reap())


def reason_of(lab: Lab, number: int, task: str = "bars") -> str | None:
    [(reason,)] = lab.sql(f"SELECT reason FROM qflow.tasks WHERE instance_id = {number} AND task = '{task}'")
    return reason  # type: ignore[no-any-return]


def run(lab: Lab, fails: Sequence[str] = ()) -> None:
    """Until nothing is claimed; tasks named in `fails` fail."""
    while taken := claims(lab):
        for claim in step(lab, taken):
            final = [lab.final(row, FAILED if lab.key(row.id) in fails else TaskState.SUCCESS) for row in claim.rows]
            slots = [Freed(row.id, claim.lane.key.limits) for row in claim.rows if claim.lane.key.limits]
            lab.finish(batch=Batch(final=final, slots=slots))


def test_a_task_ends_unrun_while_the_breaker_of_its_limit_is_open_and_the_other_one_runs(vendor):
    number = begin(vendor)
    open_breaker(vendor)
    run(vendor)
    assert vendor.states(number) == {"bars": "SKIPPED", "other": "SUCCESS", "check": "SUCCESS"}
    assert vendor.state(number) == "SUCCESS"
    assert vendor.sql(f"SELECT reason, attempt FROM qflow.tasks WHERE instance_id = {number} AND task = 'bars'") == [
        ("breaker_open", 0)
    ]
    assert used(vendor) == {"vendor": 0}
    vendor.check(drained=True)


def test_a_task_without_such_an_edge_waits_for_the_same_breaker(vendor):
    begin(vendor)
    vendor.define("alone", {"bars": BARS})
    waiting = vendor.start("alone")
    open_breaker(vendor)
    run(vendor)
    assert vendor.states(waiting) == {"bars": "READY"}
    vendor.clock.advance(31)
    assert [len(claim.rows) for claim in claims(vendor)] == [1], "half-open: this one tries"


@pytest.mark.parametrize(
    ("fails", "states"),
    [
        ([], {"bars": "SUCCESS", "other": "SKIPPED", "check": "SUCCESS"}),
        (["bars"], {"bars": "FAILED", "other": "UPSTREAM_FAILED", "check": "UPSTREAM_FAILED"}),
    ],
)
def test_where_the_task_itself_runs_the_other_one_does_not(vendor, fails, states):
    number = begin(vendor)
    run(vendor, fails)
    assert vendor.states(number) == states
    vendor.check(drained=True)


@pytest.mark.parametrize("rule", ["all_success", "all_done", "none_failed", "any_success", "always"])
@pytest.mark.parametrize("how", ["when", "skip"])
def test_a_task_that_is_skipped_for_another_reason_has_no_fallback_under_any_rule(vendor, rule, how):
    number = begin(vendor, other=OTHER | {"trigger_rule": rule})
    row = claims(vendor)[0].rows[0]
    reason = Reason.CONDITION if how == "when" else Reason.MANUAL
    vendor.finish(
        batch=Batch(
            final=[vendor.final(row, SKIPPED)._replace(reason=int(reason))], slots=[Freed(row.id, "vendor=1 !")]
        )
    )
    run(vendor)
    assert vendor.states(number)["other"] == "SKIPPED"
    assert used(vendor) == {"vendor": 0}


@pytest.mark.parametrize("is_map", [False, True], ids=["task", "map"])
def test_what_a_person_has_skipped_counts_as_done_although_the_breaker_is_open(vendor, is_map):
    bars = BARS | {"after": "calendar"} | ({"map": [1, 2]} if is_map else {})
    number = begin(vendor, calendar={"job": "work"}, bars=bars, load={"job": "work", "after": "bars"})
    assert vendor.command("skip", number, task="bars", reason="a holiday")[1]["waits_for_its_turn"] is True
    open_breaker(vendor)
    run(vendor)
    states = vendor.states(number)
    assert (states["bars"], reason_of(vendor, number)) == ("SKIPPED", "manual")
    assert (states["load"], states["other"]) == ("SUCCESS", "SKIPPED")
    vendor.check(drained=True)


@pytest.mark.parametrize("is_map", [False, True], ids=["task", "map"])
def test_a_task_whose_when_does_not_hold_has_no_fallback_although_the_breaker_is_open(vendor, is_map):
    bars = BARS | {"when": "{{ params.symbols > 0 }}"} | ({"map": [1, 2]} if is_map else {})
    params = {"symbols": {"type": "integer", "default": 0}}
    vendor.define("daily", {"bars": bars, "other": OTHER}, params=params)
    number = vendor.start("daily")
    open_breaker(vendor)
    run(vendor)
    assert (vendor.states(number), reason_of(vendor, number)) == ({"bars": "SKIPPED", "other": "SKIPPED"}, "condition")
    vendor.check(drained=True)


def test_an_item_that_could_not_run_has_no_fallback_although_the_breaker_is_open(vendor):
    """Its row is made when the item before it has failed already, and is claimed only to end."""
    symbols = {"job": "work", "map": ["a", "b"]}
    bars = BARS | {"after": {"symbols": "each"}}
    each = OTHER | {"after": {"bars": {"on": "breaker_open", "each": True}}}
    vendor.define("daily", {"symbols": symbols, "bars": bars, "other": each})
    number = vendor.start("daily")
    step(vendor)
    taken = claims(vendor)
    heads = [claim for claim in taken if any(row.kind == 1 for row in claim.rows)]
    items = [row for claim in taken if claim not in heads for row in claim.rows]
    vendor.finish(*(vendor.final(row, FAILED) for row in items))
    open_breaker(vendor)
    step(vendor, heads)
    run(vendor)
    states = vendor.states(number)
    assert [states[f"bars[{i}]"] for i in range(2)] == ["UPSTREAM_FAILED"] * 2
    assert [states.get(f"other[{i}]") for i in range(2)] == ["UPSTREAM_FAILED"] * 2
    vendor.check(drained=True)


def test_while_one_task_tries_the_others_wait(vendor):
    first, second = begin(vendor), vendor.start("daily")
    open_breaker(vendor)
    vendor.clock.advance(31)
    [tries] = step(vendor)
    assert [vendor.states(number)["bars"] for number in (first, second)] == ["RUNNING", "READY"]
    assert step(vendor) == []
    vendor.finish(batch=Batch(final=[vendor.final(row) for row in tries.rows]))
    assert vendor.states(second)["bars"] == "READY"


def test_a_task_that_is_to_run_again_does_not_wait_for_the_breaker_either(vendor):
    number = begin(vendor)
    [claim] = claims(vendor)
    [row] = claim.rows
    slots = [Freed(row.id, claim.lane.key.limits)]
    vendor.finish(batch=Batch(rearmed=[vendor.rearmed(row, 5)], slots=slots))
    open_breaker(vendor)
    assert claims(vendor) == []
    vendor.clock.advance(6)
    vendor.promote.tick()
    run(vendor)
    assert vendor.states(number) == {"bars": "SKIPPED", "other": "SUCCESS", "check": "SUCCESS"}


def test_a_rerun_begins_with_the_task_itself(vendor):
    number = begin(vendor)
    open_breaker(vendor)
    run(vendor)
    assert vendor.command("close_breaker", args='{"limit": "vendor"}')[0] == "DONE"
    assert vendor.command("rerun", number, task="other")[0] == "DONE"
    assert vendor.states(number)["other"] == "READY", "the edge holds as before"
    vendor.check()
    assert vendor.command("rerun", number, task="bars")[0] == "DONE"
    assert vendor.states(number) == {"bars": "READY", "other": "PENDING", "check": "PENDING"}
    vendor.check()
    run(vendor)
    assert vendor.states(number) == {"bars": "SUCCESS", "other": "SKIPPED", "check": "SUCCESS"}
    vendor.check(drained=True)


def test_a_map_ends_unrun_as_a_whole_if_it_meets_the_open_breaker_before_it_has_items(vendor):
    number = begin(vendor, bars=BARS | {"map": [1, 2, 3]})
    open_breaker(vendor)
    run(vendor)
    assert vendor.states(number) == {"bars": "SKIPPED", "other": "SUCCESS", "check": "SUCCESS"}
    second = vendor.start("daily")
    vendor.clock.advance(31)
    vendor.command("close_breaker", args='{"limit": "vendor"}')
    step(vendor)
    open_breaker(vendor)
    run(vendor)
    assert [vendor.states(second)[f"bars[{i}]"] for i in range(3)] == ["READY"] * 3, "items wait"


def test_items_fall_back_each_by_itself(vendor):
    each = OTHER | {"after": {"bars": {"on": "breaker_open", "each": True}}}
    number = begin(vendor, bars=BARS | {"map": ["a", "b", "c"], "max_parallel": 2}, other=each, check=CHECK)
    step(vendor)
    [claim] = step(vendor)
    first, second = claim.rows
    slots = [Freed(first.id, claim.lane.key.limits)]
    vendor.finish(batch=Batch(final=[vendor.final(first)], slots=slots))
    open_breaker(vendor)
    slots = [Freed(second.id, claim.lane.key.limits)]
    vendor.finish(batch=Batch(final=[vendor.final(second)], slots=slots))
    run(vendor)
    states = vendor.states(number)
    assert [states[f"bars[{i}]"] for i in range(3)] == ["SUCCESS", "SUCCESS", "SKIPPED"]
    assert [states[f"other[{i}]"] for i in range(3)] == ["SKIPPED", "SKIPPED", "SUCCESS"]
    assert (states["bars"], states["other"], states["check"]) == ("SUCCESS", "SUCCESS", "SUCCESS")
    vendor.check(drained=True)
    assert vendor.command("rerun", number, task="other")[0] == "DONE"
    vendor.check()


def test_the_row_of_a_map_whose_items_fall_back_does_not_wait_for_the_breaker(vendor):
    each = OTHER | {"after": {"bars": {"on": "breaker_open", "each": True}}}
    number = begin(vendor, bars=BARS | {"map": ["a", "b"]}, other=each)
    open_breaker(vendor)
    run(vendor)
    states = vendor.states(number)
    assert [states[f"bars[{i}]"] for i in range(2)] == ["SKIPPED"] * 2
    assert [states[f"other[{i}]"] for i in range(2)] == ["SUCCESS"] * 2
    assert vendor.state(number) == "SUCCESS"
    vendor.check(drained=True)


def test_a_job_that_is_known_later_has_its_fallback_too(vendor):
    number = begin(vendor, bars={"job": "later"})
    have_job(vendor, {"vendor": 1}, "later")
    open_breaker(vendor)
    run(vendor)
    assert vendor.states(number) == {"bars": "SKIPPED", "other": "SUCCESS", "check": "SUCCESS"}


def test_a_pause_of_the_limit_is_not_an_open_breaker(vendor):
    number = begin(vendor)
    until = vendor.clock.now() + timedelta(seconds=60)
    [row] = vendor.claim()
    vendor.finish(batch=Batch(released=[vendor.released(row)], pauses=[(row.id, "vendor", until, "429")]))
    run(vendor)
    assert vendor.states(number)["bars"] == "READY"

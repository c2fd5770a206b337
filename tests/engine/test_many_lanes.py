"""Many lanes with limits are claimed in one transaction, and their lines share chunks; none takes more than is free."""

from __future__ import annotations

from datetime import timedelta

from qflowd.config.records import LimitConfig
from qflowd.engine import kinds
from qflowd.engine.claiming.claim import MOST_TOGETHER, Claim, Claimer
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.running.dispatch import Dispatch
from qflowd.engine.running.harvest import Harvest
from qflowd.model.breaker import Breaker
from qflowd.model.states import TaskState
from qflowd.workers.events import Finished, Returned
from qflowd.workers.wire import Done
from tests.engine.test_gate import claim_limited, claimer_of, limited, watch
from tests.engine.test_item_limits import pay
from tests.engine.test_render import Recorder
from tests.support.lab import Lab
from tests.support.limits import used

BANKS, OF_EACH = 10, 3
OWN, AND_DESK = {"bank:{{ item.bank }}": 1}, {"bank:{{ item.bank }}": 1, "desk": 1}


def short_claimer(lab: Lab, limits: dict[str, int], of_each: int = OF_EACH) -> Claimer:
    """That of a daemon that has run tasks of one bank, each a millisecond, and to which those of ten are ready now."""
    pay(lab, [{"bank": f"b{i % BANKS}"} for i in range(BANKS * of_each)], limits=limits)
    lab.sql("UPDATE qflow.limit_key SET used = 0, spent = NULL")  # what the row of the map took
    claimer = claimer_of(lab)
    lane = next(lane for lane in claimer._lanes.values() if lane.key.limits.startswith("bank:"))
    lane.learn(0.001 * 100, 100)
    return claimer


def claims(lab: Lab, claimer: Claimer, room: int) -> list[Claim]:
    """One turn; no lane is claimed without limits."""
    pools = {"default": room}
    assert lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner)) == []
    [group] = limited(claimer).groups()
    return claim_limited(lab, claimer, group, room)


def sizes(found: list[Claim]) -> list[int]:
    return [len(claim.rows) for claim in found]


def test_more_lanes_than_chunks_give_a_line_each_in_one_transaction(lab, monkeypatch):
    save_configured(lab.store, {"bank:*": LimitConfig(slots=2)})
    claimer, asked = short_claimer(lab, OWN), watch(monkeypatch)
    found = claims(lab, claimer, room=2)
    assert sizes(found) == [OF_EACH] * BANKS
    assert {(claim.is_line, len(claim.holders), claim.room) for claim in found} == {(True, 1, 2)}
    assert [asked.count(name) for name in ("lock_limits", "move_slots", "start_tasks")] == [1, 1, 1]
    assert used(lab) == {"bank:*": 0} | {f"bank:b{bank}": 1 for bank in range(BANKS)}


def test_fewer_lanes_than_chunks_share_what_there_is_room_for(lab):
    save_configured(lab.store, {"bank:*": LimitConfig(slots=2)})
    found = claims(lab, short_claimer(lab, OWN), room=15)
    assert [len(claim.holders) for claim in found] == [2] * 5 + [1] * 5
    assert not any(claim.is_line for claim in found)
    assert sum(used(lab).values()) == 15


def test_no_more_rows_are_claimed_than_fill_the_chunks_and_the_next_turn_takes_the_rest(lab):
    claimer = short_claimer(lab, OWN, 6)
    assert sizes(claims(lab, claimer, room=1)) == [6, 6, 6, 2]
    assert sum(sizes(claims(lab, claimer, room=9))) == 36, "of one lane the slot is in use"


def test_a_limit_that_all_lanes_share_is_not_taken_more_often_than_it_allows(lab):
    save_configured(lab.store, {"desk": LimitConfig(slots=3)})
    claimer = short_claimer(lab, AND_DESK)
    assert sizes(claims(lab, claimer, room=2)) == [OF_EACH] * 3
    assert used(lab)["desk"] == 3
    claimer.reopen(["desk"])
    assert claims(lab, claimer, room=2) == []


def test_a_rate_that_all_lanes_share_counts_the_rows_of_all(lab):
    save_configured(lab.store, {"desk": LimitConfig(rate=("5/min",))})
    claimer = short_claimer(lab, AND_DESK)
    assert sizes(claims(lab, claimer, room=2)) == [3, 2]
    claimer.reopen(["desk"])
    assert claims(lab, claimer, room=2) == []
    lab.clock.advance(62)
    claimer.reopen(["desk"])
    assert sum(sizes(claims(lab, claimer, room=2))) == 5


def test_of_all_lanes_that_share_a_half_open_breaker_one_row_tries(lab):
    save_configured(lab.store, {"desk": LimitConfig(slots=9, breaker=Breaker("3/10s", 30.0))})
    claimer = short_claimer(lab, AND_DESK)
    opened = [("desk", None, lab.clock.now(), lab.clock.now() + timedelta(seconds=30), "3 failures")]
    lab.store.transact(lambda tx: tx.run("save_breakers", rows=opened))
    assert claims(lab, claimer, room=2) == []
    lab.clock.advance(31)
    claimer.reopen(["desk"])
    [claim] = claims(lab, claimer, room=2)
    [row] = claim.rows
    assert claim.lane.is_probing
    assert lab.sql("SELECT probe, probe_fence FROM qflow.limit_key WHERE name = 'desk'") == [(row.id, row.fence)]


def test_lines_of_many_lanes_travel_in_as_few_chunks_as_there_is_room_for(lab):
    claimer, recorder = short_claimer(lab, OWN), Recorder()
    found = claims(lab, claimer, room=4)
    harvest = Harvest(lab.clock, lambda: 0.5)
    dispatch = Dispatch(lab.store, recorder, lab.instances, harvest, None, "db")  # type: ignore[arg-type]

    def prepare(tx):
        lab.instances.load_claimed(tx, [row for claim in found for row in claim.rows])
        return kinds.prepare_all(dispatch, tx, found)

    [shipment] = lab.store.read(prepare)
    harvest.held.hold_slots(found)
    dispatch.send(shipment)
    dispatch.close()
    assert [len(chunk.tasks) for chunk in recorder.chunks] == [9, 9, 9, 3]
    tasks = [task for chunk in recorder.chunks for task in chunk.tasks]
    assert [task.task_id for task in tasks] == [row.id for claim in found for row in claim.rows]
    # Each lane gives its slot back with its last row, and learns from its own rows.
    for claim in found:
        harvest.take(Finished([Done(row.id, row.fence, None, 0, 2000) for row in claim.rows]))
        assert claim.lane.pace.samples in (OF_EACH, 100 + OF_EACH)
    assert sorted(freed.id for freed in harvest.reap().slots) == sorted(claim.rows[-1].id for claim in found)
    assert not harvest.held.lines


def test_a_line_keeps_the_slot_of_a_task_of_it_that_is_terminated_before_it_begins(lab):
    """Its last task holds the slot: of one bank it is cancelled before the line is sent, of all others it comes back."""
    claimer = short_claimer(lab, OWN)
    found = claims(lab, claimer, room=4)
    harvest = Harvest(lab.clock, lambda: 0.5)
    dispatch = Dispatch(lab.store, Recorder(), lab.instances, harvest, None, "db")  # type: ignore[arg-type]

    def prepare(tx):
        lab.instances.load_claimed(tx, [row for claim in found for row in claim.rows])
        return kinds.prepare_all(dispatch, tx, found)

    [shipment] = lab.store.read(prepare)
    harvest.held.hold_slots(found)
    last = [claim.rows[-1] for claim in found]
    harvest.stopped = {row.id for row in last}
    dispatch.send(shipment, {last[0].id})
    dispatch.close()
    for row in last[1:]:
        harvest.take(Returned(row.id, row.fence, False))
    lab.finish(batch=harvest.reap())
    assert [lab.column("task_instance", "state", row.id) for row in last] == [TaskState.CANCELLED] * BANKS
    assert [used(lab)[f"bank:b{bank}"] for bank in range(BANKS)] == [1] * BANKS, "the others still run"
    for claim in found:
        harvest.take(Finished([Done(row.id, row.fence, None, 0, 2000) for row in claim.rows[:-1]]))
    lab.finish(batch=harvest.reap())
    assert [used(lab)[f"bank:b{bank}"] for bank in range(BANKS)] == [0] * BANKS
    assert not harvest.held.lines
    lab.check(drained=True)


def test_one_transaction_locks_the_limits_of_a_bounded_number_of_lanes(lab):
    pay(lab, [{"bank": str(bank)} for bank in range(MOST_TOGETHER + 1)])
    claimer, pools = claimer_of(lab), {"default": 1}
    for lane in claimer._lanes.values():
        lane.learn(0.001, 100)
    lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner))
    assert [len(group) for group in limited(claimer).groups()] == [MOST_TOGETHER]
    assert claimer.may_have_left

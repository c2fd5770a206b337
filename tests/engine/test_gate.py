"""The gate of a lane: what is paused is not claimed, what has limits is claimed apart, and long queues are claimed in one go."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

import pytest

from qflowd import connect
from qflowd.config.records import LimitConfig
from qflowd.engine.caches import LaneIds
from qflowd.engine.claiming import claim as claim_module
from qflowd.engine.claiming.claim import MANY, Claim, Claimed, Claimer, LimitedLane
from qflowd.engine.claiming.gate import SHUT_S, Gate
from qflowd.engine.claiming.limited import LimitedClaimer
from qflowd.engine.claiming.take import LOOKS_PAST_PAUSED
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.finish import finish_and
from qflowd.engine.limits.limit_settings import save_configured
from qflowd.engine.limits.slots import Freed
from qflowd.engine.running.fetch import Fetcher
from qflowd.model.states import TaskState
from qflowd.model.workflow import Job, Settings
from qflowd.store.clock import boottime
from qflowd.store.tx import Retryable, Store, Tx
from tests.support.daemon import Daemon, until
from tests.support.lab import FAILED, Lab
from tests.support.sql import run_sql

CHAIN = {"a": [], "b": ["a"]}
PATIENCE_S = 60


def claimer_of(lab: Lab) -> Claimer:
    claimer = Claimer(LaneIds(lab.store), ["default"])
    claimer.set_jobs(lab.jobs.own)
    claimer.look(lab.store)
    return claimer


def claim(lab: Lab, claimer: Claimer, room: int = 1) -> list[Any]:
    """One turn: what rides in the finish, then lanes with limits in transactions of their own."""
    pools = {"default": room}
    claims = lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner), name="claim")
    claimer.keep_place()
    for group in limited(claimer).groups():
        claims += claim_limited(lab, claimer, group, room)
    return [row for each in claims for row in each.rows]


def limited(claimer: Claimer) -> LimitedClaimer:
    return LimitedClaimer(claimer, lambda pool: True)


def claim_limited(lab: Lab, claimer: Claimer, group: list[LimitedLane], room: int = 1) -> list[Claim]:
    return lab.store.transact(lambda tx: limited(claimer).claim(tx, group, room, lab.owner), name="claim")


def finish_and_claim(lab: Lab, claimer: Claimer, ended: Claimed) -> tuple[list[int], list[Claim]]:
    """One transaction: a task ends, and its slot is taken again. Returns the instances closed, and the claims."""
    batch, pools = Batch(final=[lab.final(ended)], slots=[Freed(ended.id, "vendor:quotes=1")]), {"default": 9}

    def claim_more(tx: Tx) -> list[Claim]:
        claimer.reopen(batch.effects.locked_limits)
        assert claimer.claim(tx, dict(pools), dict(pools), lab.owner) == []
        gate = Gate(dict(pools), dict(pools))
        return limited(claimer).claim_locked(tx, gate, [], batch.effects.locked_limits, lab.owner)

    closed, claims = finish_and(lab.store, lab.instances, batch, lab.owner, claim_more)
    return closed, list(claims or ())


class IdlePool:
    """Pools in which one worker has nothing to do."""

    def room(self, pool: str) -> int:
        return 1

    def idle(self, pool: str) -> int:
        return 1

    def runs_in_order(self, pool: str) -> bool:
        return True


def job(name: str, limits: dict[str, int]) -> Job:
    return Job(name=name, module="", file="work.py", hash="h", settings=Settings(limits=tuple(limits.items())))


def limit(lab: Lab) -> None:
    """Have the job `work` take a slot of a limit that has one."""
    lab.jobs.own = {**lab.jobs.own, "work": job("work", {"vendor:quotes": 1})}


def pause(lab: Lab, number: int) -> None:
    """Flag it; the sweep has not come yet."""
    assert lab.command("pause", number)[0] == "DONE"


def resume(lab: Lab, number: int) -> None:
    assert lab.command("resume", number)[0] == "DONE"
    lab.sweep.tick()


# ------------------------------------------------------------------------------------------------ lanes


def test_a_paused_lane_is_not_claimed_until_it_is_open_again(lab):
    lab.jobs.own = {**lab.jobs.own, "other": Job(name="other", module="", file="other.py", hash="h")}
    paused, other = lab.start(job="work"), lab.start(job="other")
    claimer = claimer_of(lab)
    lab.sql("UPDATE qflow.lane SET is_paused = 1 WHERE job = 'work'")
    assert [row.id >> 20 for row in claim(lab, claimer, 9)] == [other]
    assert claim(lab, claimer, 9) == []
    lab.sql("UPDATE qflow.lane SET is_paused = 0")
    assert [row.id >> 20 for row in claim(lab, claimer, 9)] == [paused]


def test_a_lane_with_limits_is_claimed_in_a_transaction_of_its_own(lab, monkeypatch):
    lab.jobs.own = {**lab.jobs.own, "other": Job(name="other", module="", file="other.py", hash="h")}
    limit(lab)
    lab.start(job="work"), lab.start(job="other")
    claimer, lanes = claimer_of(lab), []
    run = Tx.run
    monkeypatch.setattr(
        Tx, "run", lambda tx, name, *a, **k: (name == "claim_tasks" and lanes.append(tx)) or run(tx, name, *a, **k)
    )
    assert len(claim(lab, claimer, 9) + claim(lab, claimer, 9)) == 2
    assert len(set(lanes)) == 2, "a transaction each"


@pytest.mark.parametrize(("priority", "claimed"), [(-5, 1), (5, 0)])
def test_what_takes_slots_that_a_finish_gives_back_is_claimed_by_that_finish(lab, priority, claimed):
    lab.jobs.own = {**lab.jobs.own, "both": job("both", {"desk": 1, "vendor:quotes": 1})}
    limit(lab)
    lab.start(job="work"), lab.start(job="work")
    claimer = claimer_of(lab)
    [first] = claim(lab, claimer)
    lab.start(job="both", priority=priority)
    claimer.look(lab.store)
    closed, claims = finish_and_claim(lab, claimer, first)
    assert closed == [first.id >> 20], "its instance was locked before the limits were asked for"
    rows = [row.id for each in claims for row in each.rows]
    assert rows == [first.id + (1 << 20)][:claimed], "nothing overtakes a lane of which a limit is not locked"
    assert lab.sql("SELECT used FROM qflow.limits WHERE name = 'vendor:quotes'") == [(claimed,)]
    assert [one.lane.key.job for one in claimer.limited] == ["both", "work"][: 2 - claimed]


def test_a_lane_with_limits_that_gave_nothing_keeps_nobody_waiting(lab):
    lab.jobs.own = {**lab.jobs.own, "other": Job(name="other", module="", file="other.py", hash="h")}
    limit(lab)
    lab.start(job="work", priority=9), lab.start(job="other")
    claimer, pools = claimer_of(lab), {"default": 1}
    assert lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner)) == []
    [group] = limited(claimer).groups()
    [(_, lane, _)] = group
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.HELD)} WHERE lane = {lane.id}")  # others took it
    assert claim_limited(lab, claimer, group) == []
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.READY)} WHERE lane = {lane.id}")
    assert [row.priority for row in claim(lab, claimer)] == [0], "the other lane has its turn"


def test_a_daemon_runs_what_stands_in_a_lane_with_limits(database_url, tmp_path):
    plugins = {
        "jobs.py": "from qflowd import job\n@job(limits={'vendor:quotes': 1})\ndef work(): ...\n@job\ndef other(): ...\n"
    }
    daemon = Daemon(database_url, tmp_path, plugins=plugins, config="[pools.default]\nprocesses = 1")
    with daemon, connect(database_url) as client:
        assert client.submit(job="work").wait(PATIENCE_S) == "SUCCESS"
        store = Store(database_url)
        runs = [client.submit(job=job) for job in ["work", "other"] * 10]
        assert {run.wait(PATIENCE_S) for run in runs} == {"SUCCESS"}
        run_sql(store, "UPDATE qflow.lane SET is_paused = 1 WHERE job = 'work'")
        paused, other = client.submit(job="work"), client.submit(job="other")
        assert other.wait(PATIENCE_S) == "SUCCESS"
        until(lambda: paused.wait_reason() is not None or paused.tasks(), PATIENCE_S)
        assert [task.state for task in paused.tasks()] == ["READY"]
        run_sql(store, "UPDATE qflow.lane SET is_paused = 0")
        assert paused.wait(PATIENCE_S) == "SUCCESS"
        store.close()


# ------------------------------------------------------------------------------------------------ paused instances


def test_what_becomes_ready_in_a_paused_instance_is_held_and_others_run(lab):
    lab.workflow("chain", CHAIN)
    number = lab.start("chain")
    rows = lab.claim()
    pause(lab, number)
    lab.ends(rows)
    other = lab.start(job="work")
    claimer = claimer_of(lab)
    assert [row.id >> 20 for row in claim(lab, claimer, 9)] == [other]
    assert (lab.state(number), lab.states(number)) == ("PAUSED", {"a": "SUCCESS", "b": "HELD"})
    resume(lab, number)
    lab.run()
    assert lab.state(number) == "SUCCESS"
    lab.check()


def test_a_paused_instance_whose_last_task_ends_has_ended(lab):
    lab.workflow("one", {"a": []})
    good, bad = lab.start("one"), lab.start("one")
    first, second = lab.claim()
    pause(lab, good), pause(lab, bad)
    assert lab.finish(lab.final(first), lab.final(second, FAILED)) == [good, bad]
    assert (lab.state(good), lab.state(bad)) == ("SUCCESS", "FAILED")
    lab.check(drained=True)


def test_a_retry_in_a_paused_instance_leaves_it_paused(lab):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    first, second = lab.claim()
    lab.finish(lab.final(first, FAILED))
    pause(lab, number)
    assert lab.command("retry", number)[0] == "DONE"
    assert lab.state(number) == "PAUSED"
    lab.ends([second])
    assert claim(lab, claimer_of(lab), 9) == []
    assert lab.states(number) == {"a": "HELD", "b": "SUCCESS"}
    resume(lab, number)
    lab.succeeds(number)


def test_a_paused_instance_can_be_terminated(lab):
    lab.workflow("two", {"a": [], "b": []})
    number = lab.start("two")
    pause(lab, number)
    assert claim(lab, claimer_of(lab), 1) == []
    assert "HELD" in lab.states(number).values()
    lab.command("terminate", number)
    lab.sweep.tick()
    assert (lab.state(number), set(lab.states(number).values())) == ("TERMINATED", {"CANCELLED"})
    lab.check(drained=True)


# ------------------------------------------------------------------------------------------------ long queues


def long_queue(lab: Lab, tasks: int) -> Claimer:
    lab.workflow("wide", {f"t{i}": [] for i in range(tasks)})
    lab.start("wide")
    claimer = claimer_of(lab)
    [lane] = claimer._lanes.values()
    lane.learn(0.02 / MANY * 10, 10)  # a chunk of so many
    return claimer


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of statements that are run from now on, while claims continue for as long as two of them take."""
    monkeypatch.setattr(claim_module, "HEADS_S", 60.0)
    asked: list[str] = []
    run = Tx.run
    monkeypatch.setattr(Tx, "run", lambda tx, name, *a, **k: asked.append(name) or run(tx, name, *a, **k))
    return asked


def test_a_claim_continues_where_the_last_one_ended(lab, monkeypatch):
    claimer, asked = long_queue(lab, 5 * MANY), watch(monkeypatch)
    first, second = claim(lab, claimer), claim(lab, claimer)
    assert len(first) == len(second) == MANY
    assert asked.count("list_heads") == 1
    assert max(row.id for row in first) < min(row.id for row in second)
    lab.sql(f"UPDATE qflow.task_instance SET state = {int(TaskState.READY)} WHERE id = {first[0].id}")
    claimer.forget_heads()
    assert claim(lab, claimer)[0].id == first[0].id, "what became ready before that place is not passed over"


def test_a_claim_with_limits_continues_where_the_last_one_ended(lab, monkeypatch):
    limit(lab)
    save_configured(lab.store, {"vendor:quotes": LimitConfig(slots=5 * MANY)})
    claimer, asked = long_queue(lab, 5 * MANY), watch(monkeypatch)
    first, second = claim(lab, claimer), claim(lab, claimer)
    assert len(first) == len(second) == MANY
    assert asked.count("list_heads") == 1
    assert max(row.id for row in first) < min(row.id for row in second)


def test_while_a_long_queue_is_emptied_lanes_with_limits_are_claimed_too(lab, monkeypatch):
    claimer = long_queue(lab, 5 * MANY)
    lab.jobs.own = {**lab.jobs.own, "other": job("other", {"vendor:quotes": 1})}
    numbers = [lab.start(job="other"), lab.start(job="other")]
    claimer.set_jobs(lab.jobs.own)
    claimer.look(lab.store)
    asked, claimed = watch(monkeypatch), set[int]()
    for _ in range(2):
        rows = [row for row in claim(lab, claimer) if row.id >> 20 in numbers]
        claimed |= {row.id >> 20 for row in rows}
        slots = [Freed(row.id, "vendor:quotes=1") for row in rows]
        lab.finish(batch=Batch(final=[lab.final(row) for row in rows], slots=slots))
        claimer.reopen(["vendor:quotes"])  # as the executor does when slots come back
    assert claimed == set(numbers)
    assert asked.count("list_heads") == 1


def test_a_claim_that_was_rolled_back_begins_anew_and_passes_nothing_over(lab):
    claimer = long_queue(lab, 3 * MANY)
    [lane] = claimer._lanes.values()
    lane.pace.mean_s = 0.02 / MANY  # a chunk of so many
    tries: list[set[int]] = []

    def claim_again(tx: Tx) -> None:
        [one] = claimer.claim(tx, {"default": 1}, {"default": 1}, lab.owner)
        tries.append({row.id for row in one.rows})
        if len(tries) == 1:
            raise Retryable("a deadlock")

    lab.store.transact(claim_again, name="claim")
    assert tries[0] == tries[1]


def test_on_postgres_claims_do_not_read_what_was_claimed_before(open_lab):
    lab = open_lab("postgres")
    lab.sql("ALTER TABLE qflow.task_instance SET (autovacuum_enabled = false)")
    claimer = long_queue(lab, 20_000)
    [lane] = claimer._lanes.values()
    lane.pace.mean_s = 1e-6
    while lab.sql("SELECT COUNT(*) FROM qflow.task_instance WHERE state = 1")[0][0] > 2000:
        assert len(claim(lab, claimer)) == 1000

    def pages(after: tuple[int, int]) -> int:
        params = {"lane": lane.id, "owner": 1, "batch": 10, "after_priority": after[0], "after_id": after[1]}
        text = re.sub(
            r"%\((\w+)\)s", lambda match: str(params[match[1]]), lab.store.catalog["claim_tasks"].text(params)
        )
        connection = lab.store.connection()
        connection.begin()
        plan = [row for (row,) in connection.script(f"EXPLAIN (ANALYZE, BUFFERS) {text}")]
        connection.rollback()
        index = next(i for i, line in enumerate(plan) if "task_instance_claim" in line)
        return int(re.search(r"hit=(\d+)", next(line for line in plan[index:] if "Buffers" in line))[1])  # type: ignore[index]

    pages((-(1 << 15), 0))  # marks what is dead
    assert pages(lane.after) < 20 < pages((-(1 << 15), 0))
    lab.sql("ALTER TABLE qflow.task_instance RESET (autovacuum_enabled)")


# ------------------------------------------------------------------------------------------------ paused rows and limits


def test_a_lane_with_limits_is_not_left_alone_while_paused_rows_stand_before_others(lab):
    limit(lab)
    lab.workflow("wide", {f"t{i}": [] for i in range(LOOKS_PAST_PAUSED + 5)})
    paused, other = lab.start("wide"), lab.start(job="work")
    claimer = claimer_of(lab)
    pause(lab, paused)
    assert claim(lab, claimer) == []
    assert [row.id >> 20 for row in claim(lab, claimer)] == [other]


def test_a_finish_that_met_nothing_but_paused_rows_has_others_looked_for_at_once(lab):
    limit(lab)
    lab.workflow("wide", {f"t{i}": [] for i in range(LOOKS_PAST_PAUSED + 5)})
    lab.start(job="work")
    claimer = claimer_of(lab)
    [first] = claim(lab, claimer)
    paused, other = lab.start("wide"), lab.start(job="work")
    pause(lab, paused)
    assert finish_and_claim(lab, claimer, first)[1] == []
    assert claimer.may_have_left
    assert [row.id >> 20 for row in claim(lab, claimer)] == [other]


def test_a_limit_that_opens_during_a_claim_is_looked_at_after_it(lab, monkeypatch):
    limit(lab)
    lab.start(job="work")
    claimer, pools = claimer_of(lab), {"default": 1}
    monkeypatch.setattr(claim_module, "SHUT_S", 0.05)
    claimer.note_used_up(["vendor:quotes"])
    opens_at = claimer.opens_at()

    def claim_slowly(tx: Tx) -> None:
        assert claimer.claim(tx, dict(pools), dict(pools), lab.owner) == []
        until(lambda: boottime() > opens_at, PATIENCE_S)

    lab.store.transact(claim_slowly, name="claim")
    assert claimer.limited == []
    assert claimer.opens_at() == opens_at


@pytest.mark.parametrize("change", ["a_lower_rate", "no_row"])
def test_a_lane_whose_limit_can_give_it_nothing_is_left_alone_for_a_while(lab, change):
    lab.jobs.own = {**lab.jobs.own, "work": job("work", {"vendor:quotes": 5})}
    save_configured(lab.store, {"vendor:quotes": LimitConfig(rate=("9/min",))})
    lab.start(job="work")
    if change == "no_row":
        lab.sql("DELETE FROM qflow.limit_key")
    else:
        save_configured(lab.store, {"vendor:quotes": LimitConfig(rate=("3/min",))})
    claimer = claimer_of(lab)
    assert claim(lab, claimer) == []
    assert claimer.opens_at() >= claimer._claims_at + SHUT_S


def test_a_daemon_whose_lease_is_lost_between_two_claims_claims_nothing_with_limits(lab):
    limit(lab)
    lab.start(job="work")
    leases, backends = [True, True, False], IdlePool()
    about = {"pools": ["default"], "daemon_id": lambda: lab.owner, "holds_lease": lambda: leases.pop(0)}
    fetcher = Fetcher(backends, lab.instances, lab.lanes, None, **about)  # type: ignore[arg-type]
    fetcher.claimer.set_jobs(lab.jobs.own)
    fetcher.claimer.look(lab.store)
    assert lab.store.transact(lambda tx: fetcher.fetch(tx, fetcher.room(), Batch())) == []
    [work] = fetcher.limited_transactions()
    assert lab.store.transact(work, name="claim") == []
    assert lab.sql("SELECT state FROM qflow.task_instance") == [(TaskState.READY,)]


def test_of_many_lanes_with_limits_those_claimed_late_see_a_pause_that_came_meanwhile(lab):
    limit(lab)
    number = lab.start(job="work")
    claimer, pools = claimer_of(lab), {"default": 1}
    lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner))
    [group] = limited(claimer).groups()
    pause(lab, number)
    claimer._look_at = 0.0  # other lanes were claimed for half a second
    assert claim_limited(lab, claimer, group) == []
    [(state,)] = lab.sql("SELECT state FROM qflow.task_instance")
    assert state == TaskState.HELD


def test_a_claim_that_met_locked_rows_tells_that_they_may_be_let_go(lab):
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    number, claimer = lab.start(job="work"), claimer_of(lab)
    with closing(lab.store.dialect.connect()) as stranger:
        stranger.begin()
        stranger.script(f"SELECT 1 FROM qflow.task_instance WHERE id = {number << 20} FOR UPDATE")
        assert (claim(lab, claimer), claimer.keep_place()) == ([], True)
        stranger.rollback()
    assert [row.id >> 20 for row in claim(lab, claimer)] == [number]
    assert (claim(lab, claimer), claimer.keep_place()) == ([], False)


def test_a_claim_with_limits_that_was_rolled_back_begins_anew(lab):
    limit(lab)
    save_configured(lab.store, {"vendor:quotes": LimitConfig(slots=5 * MANY)})
    claimer = long_queue(lab, 3 * MANY)
    pools, tries = {"default": 1}, list[set[int]]()
    lab.store.transact(lambda tx: claimer.claim(tx, dict(pools), dict(pools), lab.owner))
    [group] = limited(claimer).groups()

    def claim_again(tx: Tx) -> None:
        [one] = limited(claimer).claim(tx, group, MANY, lab.owner)
        tries.append({row.id for row in one.rows})
        if len(tries) == 1:
            raise Retryable("a deadlock")

    lab.store.transact(claim_again, name="claim")
    assert tries[0] == tries[1]

"""Timers: who waits for a time becomes READY when it has come, whatever somebody else does to other rows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import timedelta

import pytest

from qflowd.model.ids import key_range
from qflowd.store.tx import Store
from tests.support.daemon import until
from tests.support.lab import Lab

READY = "SELECT count(*) FROM qflow.task_instance WHERE state = 1"


def wait_for_their_time(lab, count: int) -> list[int]:
    numbers = [lab.start(job="work", run_at=lab.clock.now() + timedelta(seconds=5)) for _ in range(count)]
    assert lab.sql(READY) == [(0,)]
    lab.clock.advance(10)
    return [key_range(number)["first"] for number in numbers]


def needs_row_locks(lab) -> None:
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")


def test_a_task_that_somebody_has_locked_delays_no_other(lab):
    needs_row_locks(lab)
    first, *_ = wait_for_their_time(lab, 3)
    with closing(lab.store.dialect.connect()) as stranger:
        stranger.begin()
        stranger.script(f"SELECT 1 FROM qflow.task_instance WHERE id = {first} FOR UPDATE")
        assert lab.promote.tick() == 0
        assert lab.sql(READY) == [(2,)]
        assert lab.promote.tick() > 0, "it would look again and again"
        stranger.rollback()
    lab.promote.tick()
    assert lab.sql(READY) == [(3,)]


def test_a_timer_whose_task_is_gone_is_deleted_and_delays_no_other(lab):
    gone, *_ = wait_for_their_time(lab, 2)
    lab.sql(f"DELETE FROM qflow.task_instance WHERE id = {gone}")
    lab.promote.tick()
    assert lab.sql(READY) == [(1,)]
    assert lab.sql("SELECT count(*) FROM qflow.timer") == [(0,)], "`--until-idle` would wait for it for ever"


def test_what_one_daemon_is_promoting_no_other_writes_again(lab):
    needs_row_locks(lab)
    wait_for_their_time(lab, 3)
    with closing(Store(lab.url, clock=lab.clock)) as other:

        def promote_beside(tx):
            promoted = lab.promote.promote_due(tx)[0]
            return promoted, other.transact(lab.promote.promote_due)[0]

        assert lab.store.transact(promote_beside) == (3, 0)
    assert lab.sql(READY) == [(3,)]


def test_a_deadline_and_a_sweep_of_the_same_instance_do_not_lock_each_other_out(lab):
    needs_row_locks(lab)
    lab.workflow("w", {"a": []}, timeout="5s")
    number = lab.start("w")
    lab.clock.advance(10)
    rows = key_range(number)
    with closing(lab.store.dialect.connect()) as sweep, ThreadPoolExecutor(1) as threads:
        sweep.begin()  # as a sweep does: timers, then the instance
        sweep.script(f"DELETE FROM qflow.timer WHERE task_id BETWEEN {rows['first']} AND {rows['last']}")
        promotion = threads.submit(lambda: (lab.promote.tick(), lab.store.disconnect()))
        until(lab.is_somebody_waiting, 10)
        sweep.script(f"SELECT 1 FROM qflow.workflow_instance WHERE id = {number} FOR UPDATE")
        sweep.commit()
        promotion.result(10)


def test_a_deadline_that_is_moved_while_the_old_one_is_due_stays(lab):
    needs_row_locks(lab)
    lab.workflow("w", {"a": []}, timeout="1m")
    number = lab.start("w")
    lab.clock.advance(40)
    lab.command("pause", number)
    lab.sweep_all()
    lab.clock.advance(3600)
    with closing(Lab(lab.url, owner=8)) as other:
        other.clock.time = lab.clock.time
        lab.just_before("promote_due", lambda: other.command("resume", number), statement="delete_due_timers")
        lab.promote.tick()
    lab.sweep_all()
    assert lab.state(number) == "RUNNING"
    lab.clock.advance(20)
    lab.promote.tick()
    lab.sweep_all()
    assert lab.state(number) == "FAILED"

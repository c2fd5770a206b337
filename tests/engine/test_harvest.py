"""What comes back from workers, however odd, becomes rows: an error here would leave tasks held for ever."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from qflowd.engine.caches import LaneKey
from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane, Pace, Terms
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.running.harvest import LINGER_S, Harvest
from qflowd.model.durations import parse_size
from qflowd.model.states import Reason
from qflowd.model.workflow import BUILT_IN, Job
from qflowd.store.clock import DbClock, boottime
from qflowd.workers.events import Broken, Finished, Progressed, Returned
from qflowd.workers.wire import Done, Ended
from tests.support.daemon import until
from tests.support.lab import Lab

LANE = Lane(1, LaneKey("default", "default", "work"), Job(name="work", module="", file="", hash=""), 11)
ROW = Claimed(id=42, node=0, fence=5, priority=0, attempt=0, crashes=0, solo=0)


@pytest.fixture
def harvest():
    found = Harvest(DbClock(), lambda: 0.5)
    found.held.hold(LANE, [ROW], [Terms(LANE, BUILT_IN)] * len([ROW]))
    return found


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (40, "signal 40")])
def test_every_signal_has_words(harvest, number, name):
    harvest.take(Broken(42, 5, "crash", exit_signal=number))
    [attempt] = harvest.batch.attempts
    assert (attempt.reason, attempt.error) == (Reason.LOST, f"its worker process was killed by {name}")
    assert not harvest.held


def test_memory_is_told_in_the_units_in_which_it_is_limited(harvest):
    harvest.take(Broken(42, 5, "memory", peak_memory=parse_size("512MB")))
    [attempt] = harvest.batch.attempts
    assert attempt.peak_memory_mb == 512
    assert "it had 512 MB" in attempt.error


def test_a_deferral_for_ever_is_one_for_years(harvest):
    result = Ended(42, 5, "defer", defer_s=1e300, started_us=1, ended_us=2)
    harvest.take(Finished([result]))
    [rearmed] = harvest.batch.rearmed
    assert rearmed.due_at.year > 2030


def test_only_the_latest_progress_is_kept(harvest):
    for done in range(1000):
        harvest.take(Progressed(42, 5, float(done), 1000.0, ""))
    assert harvest.batch.progress == [(42, 5, 999.0, 1000.0, "")]


def test_what_no_worker_has_is_let_go_at_the_second_look(harvest):
    assert harvest.held.forget_absent({(42, 5)}) == []
    assert harvest.held.forget_absent(set()) == []
    assert harvest.held.forget_absent({(42, 5)}) == []
    assert harvest.held.forget_absent({(42, 4)}) == []
    assert harvest.held.forget_absent(set()) == [42]
    assert not harvest.held


def test_a_daemon_taken_for_dead_while_a_commit_waits_begins_afresh(harvest):
    """What it could not write is not its own any more, and must not keep it from claiming."""
    harvest.take(Finished([Ended(42, 5, "success", started_us=1, ended_us=2)]))
    harvest.put_back(harvest.reap(), not_before=boottime() + 1000)
    assert harvest.is_behind
    harvest.forget_all()
    assert not harvest.is_behind
    assert not harvest.batch
    assert harvest.patience_s(boottime(), 0.5) == 0.5


@pytest.mark.parametrize("end", ["died", "returned", "released", "disowned", "absent"])
def test_short_tasks_that_come_to_no_result_are_not_waited_for(end):
    """A result of a long task is written at once, while results of short ones wait a moment for each other."""
    harvest = Harvest(DbClock(), lambda: 0.5)
    long_lane = Lane(2, LANE.key, LANE.job, 11, pace=Pace(60.0, 100))
    long_rows = [ROW._replace(id=number) for number in (1, 2)]
    harvest.held.hold(long_lane, long_rows, [Terms(long_lane, BUILT_IN)] * len(long_rows))
    harvest.held.hold(LANE, [ROW], [Terms(LANE, BUILT_IN)] * len([ROW]))
    soon = boottime()
    harvest.take(Finished([Done(1, 5, None, started_us=1, ended_us=2)]))
    assert harvest.patience_s(soon, 0.5) > 0
    if end == "died":
        harvest.take(Broken(42, 5, "crash", exit_signal=9))
    elif end == "returned":
        harvest.take(Returned(42, 5, solo=False))
    elif end == "released":
        harvest.release([ROW])
    elif end == "disowned":
        harvest.held.forget_disowned({2})
    else:
        harvest.held.forget_absent({(2, 5)})
        assert harvest.held.forget_absent({(2, 5)}) == [42]
    assert harvest.patience_s(soon, 0.5) == 0
    assert harvest.is_ripe(soon)


def test_results_of_long_tasks_do_not_end_the_wait_for_short_ones(harvest):
    long_lane = Lane(2, LANE.key, LANE.job, 11, pace=Pace(60.0, 100))
    rows = [ROW._replace(id=number) for number in (1, 2, 3)]
    harvest.held.hold(long_lane, rows, [Terms(long_lane, BUILT_IN)] * len(rows))
    soon = boottime()
    harvest.take(Finished([Done(number, 5, None, started_us=1, ended_us=2) for number in (1, 2)]))
    assert harvest.patience_s(soon, 0.5) > 0, "42 may come in a moment"
    assert not harvest.is_ripe(soon)


@pytest.mark.parametrize(("waited_s", "is_ripe"), [(0.0, True), (0.5, False)])
def test_the_second_half_is_waited_for_where_a_commit_costs_more(harvest, waited_s, is_ripe):
    """A slow disk or server: two small commits take longer than one that waits until all are back."""
    LANE.learn(0.001, 1000)
    rows = [ROW._replace(id=1000 + i) for i in range(300)]
    harvest.held.hold(LANE, rows, [Terms(LANE, BUILT_IN)] * len(rows))
    harvest.written(waited_s)
    harvest.take(Finished([Done(row.id, row.fence, None, 1, 2) for row in rows[:200]]))
    assert harvest.is_ripe(boottime()) is is_ripe
    assert harvest.is_ripe(boottime() + LINGER_S)
    harvest.take(Finished([Done(row.id, row.fence, None, 1, 2) for row in [*rows[200:], ROW]]))
    assert harvest.is_ripe(boottime())


def test_no_duration_is_negative_though_the_clock_was_set_back(lab):
    number = lab.start(job="work")
    [row] = lab.claim()
    began_at, final = lab.clock.now(), lab.final(row)
    lab.clock.advance(-5)
    lost = lab.failed_attempt(row, "lost")._replace(fence=0, started_at=began_at)
    lab.finish(batch=Batch(final=[final], attempts=[lost]))
    for view in ("instances", "tasks", "attempts"):
        where = "id" if view == "instances" else "instance_id"
        durations = [value for (value,) in lab.sql(f"SELECT duration_s FROM qflow.{view} WHERE {where} = {number}")]
        assert durations == [0] * (2 if view == "attempts" else 1), view


def test_two_batches_may_tell_of_the_same_task(lab):
    """An outage joins them; PostgreSQL would refuse an upsert that meets a key twice, and all results with it."""
    lab.start(job="work")
    [row] = lab.claim()
    first = Batch(progress=[(row.id, row.fence, 0.1, None, "")], checkpoints=[(row.id, row.fence, "1")])
    later = Batch(progress=[(row.id, row.fence, 0.9, None, "")], checkpoints=[(row.id, row.fence, "2")])
    lab.finish(batch=first.with_more(later).with_more(Batch(final=[lab.final(row)])))
    assert lab.sql("SELECT done FROM qflow.task_progress") == [(0.9,)]
    assert lab.sql("SELECT value FROM qflow.checkpoint") == [("2",)]
    lab.check(drained=True)


def test_a_checkpoint_that_was_written_late_does_not_overwrite_that_of_the_next_claim(lab):
    if not lab.store.dialect.has_row_locks:
        pytest.skip("one writer at a time")
    lab.start(job="work"), lab.start(job="work")
    first, second = rows = lab.claim()
    lab.finish(batch=Batch(checkpoints=[(row.id, row.fence, "1") for row in rows]))
    late = Batch(checkpoints=[(row.id, row.fence, "2") for row in rows])
    with (
        closing(lab.store.dialect.connect()) as stranger,
        closing(Lab(lab.url)) as zombie,
        ThreadPoolExecutor(1) as pool,
    ):
        stranger.begin()
        stranger.script(f"SELECT 1 FROM qflow.checkpoint WHERE task_id = {first.id} FOR UPDATE")
        writing = pool.submit(lambda: (zombie.finish(batch=late), zombie.store.disconnect()))
        until(lab.is_somebody_waiting, 20)
        lab.finish(batch=Batch(released=[lab.released(second)]))
        [again] = lab.claim()
        lab.finish(batch=Batch(checkpoints=[(again.id, again.fence, "3")]))
        stranger.rollback()
        writing.result(20)
    assert lab.sql("SELECT value FROM qflow.checkpoint ORDER BY task_id") == [("2",), ("3",)]

"""Workers with several tasks at a time: a timeout ends one of them, and the others lose nothing."""

import json
import os
import signal
import time

import pytest

from qflowd.workers.events import Broken, Returned, Running
from qflowd.workers.orders import Deadline
from qflowd.workers.wire import Assignment, Chunk, Done
from tests.support.daemon import BUSY

from .conftest import manifest_of

JOBS = """
    import asyncio, hashlib, os, subprocess, time

    @job
    def noop():
        return {"ok": 1}

    @job
    def sleeps(s: float = 1.0):
        end = time.monotonic() + s
        while time.monotonic() < end:
            time.sleep(0.01)
        return context().task_id

    @job
    async def waits(s: float = 1.0):
        try:
            await asyncio.sleep(s)
        finally:
            print("ended", context().task_id)

    @job
    def asks():
        while not context().cancelled:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
        return "asked"

    @job
    def in_c(rounds: int = 2_000_000_000):
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", rounds)

    @job
    def prints(word: str):
        for _ in range(20):
            print(word)
            time.sleep(0.005)

    @job
    def dies():
        os._exit(4)
"""


def ran_side_by_side(results):
    return max(result.started_us for result in results) < min(result.ended_us for result in results)


def test_tasks_of_one_process_run_side_by_side(hire):
    story = hire(JOBS, threads=8)
    ids = [task_id for _ in range(8) for task_id in story.send("sleeps")]
    story.until_ended(ids)
    assert ran_side_by_side(story.ends().values())
    assert [json.loads(story.ends()[task_id].output) for task_id in ids] == ids


def test_coroutines_run_side_by_side(hire):
    story = hire(JOBS, threads=8)
    ids = [task_id for _ in range(8) for task_id in story.send("waits")]
    story.until_ended(ids)
    assert ran_side_by_side(story.ends().values())
    assert len(story.crew.pids()) == 1


def test_prints_of_neighbours_are_kept_apart(hire):
    story = hire(JOBS, threads=4)
    words = ("anna", "bela", "cleo", "dora")
    ids = [story.send("prints", params=json.dumps({"word": word}))[0] for word in words]
    story.until_ended(ids)
    story.until(lambda: len(story.lines) >= 80)
    for task_id, word in zip(ids, words, strict=True):
        assert story.text_of(task_id) == [word] * 20


def test_a_timeout_ends_one_thread_and_leaves_its_neighbours_and_the_process(hire):
    story = hire(JOBS, threads=4, grace_s=5)
    slow = story.send("sleeps", params='{"s": 60}', timeout_s=0.3)
    neighbours = [task_id for _ in range(3) for task_id in story.send("sleeps", params='{"s": 1.0}')]
    pids = None
    story.until(story.crew.pids)
    pids = story.crew.pids()
    story.until_ended(slow + neighbours)
    assert story.ends()[slow[0]].reason == "timeout"
    assert [story.ends()[task_id].outcome for task_id in neighbours] == ["success"] * 3
    assert story.crew.pids() == pids
    assert isinstance(story.end("noop"), Done)


def test_a_timeout_cancels_a_coroutine(hire):
    story = hire(JOBS, threads=2, grace_s=5)
    story.end("noop")
    broken = story.end("waits", params='{"s": 60}', timeout_s=1.0)
    assert (broken.reason, broken.exit_signal) == ("timeout", None)
    story.until_seen("ended")
    assert isinstance(story.end("noop"), Done)


def test_a_coroutine_alone_in_its_process_is_cancelled_too(hire):
    story = hire(JOBS, grace_s=5)
    story.end("noop")
    started = time.monotonic()
    assert story.end("waits", params='{"s": 60}', timeout_s=1.0).reason == "timeout"
    assert time.monotonic() - started < 4 * BUSY
    story.until_seen("ended")


def test_a_job_may_ask_whether_it_is_cancelled(hire):
    story = hire(JOBS, threads=2, grace_s=5)
    ids = story.send("asks")
    story.until(lambda: story.all_of(Running))
    story.backends.stop(ids)
    story.until_ended(ids)
    assert story.ends()[ids[0]].output == '"asked"'


def test_a_thread_that_cannot_be_stopped_costs_the_process_and_neighbours_return_solo(hire):
    story = hire(JOBS, threads=3, grace_s=0.3)
    stuck = story.send("in_c", timeout_s=0.3)
    neighbour = story.send("sleeps", params='{"s": 60}')
    story.until_ended(stuck + neighbour)
    assert story.ends()[stuck[0]].reason == "timeout"
    assert story.ends()[neighbour[0]] == Returned(neighbour[0], 3, True)
    assert isinstance(story.end("noop"), Done)


def test_when_nobody_can_tell_who_crashed_all_return_solo_and_then_the_culprit_is_found(hire):
    story = hire(JOBS, threads=3)
    neighbour = story.send("sleeps", params='{"s": 60}')
    story.until(lambda: story.all_of(Running))
    culprit = story.send("dies")
    story.until_ended(neighbour + culprit)
    assert [story.ends()[task_id].solo for task_id in neighbour + culprit] == [True, True]
    busy = story.send("sleeps", params='{"s": 1.0}')
    broken = story.end("dies", solo=True)
    assert isinstance(broken, Broken)
    assert (broken.reason, broken.exit_code) == ("crash", 4)
    story.until_ended(busy)
    assert story.ends()[busy[0]].outcome == "success"


def test_a_private_worker_is_gone_after_its_solo_task(hire):
    story = hire(JOBS, threads=3)
    assert isinstance(story.end("noop", solo=True), Done)
    story.until(lambda: len(story.crew.pids()) == 1)
    assert len(story.crew._workers) == 1


def test_tasks_that_run_alone_take_up_slots_of_their_pool(hire):
    story = hire(JOBS, threads=3)
    busy = story.send("sleeps", params='{"s": 1.5}')
    story.until(lambda: story.all_of(Running))
    alone = [number for _ in range(2) for number in story.send("sleeps", params='{"s": 1.5}', solo=True)]
    assert (story.crew.room("default"), story.crew.idle("default")) == (0, 0)
    ids = [1 << 40]
    story.backends.send("default", Chunk("sleeps", "desk", [Assignment(ids[0], 3, 1, "t")], solo=True))
    story.until_ended(ids)
    assert story.ends()[ids[0]] == Returned(ids[0], 3, False), "there is no slot for it"
    story.until_ended(busy + alone)
    story.until(lambda: story.crew.idle("default") == 3)


def test_the_slots_of_a_worker_that_retires_are_not_lost_as_long_as_one_task_runs(hire):
    story = hire(JOBS, threads=3)
    old = story.send("sleeps", params='{"s": 60}')
    for _ in range(3):
        story.until(lambda: len(story.all_of(Running)) == 1)
        story.crew.adopt(manifest_of("from qflowd import job\n@job\ndef fresh():\n    return 'new'\n"))
        assert story.end("fresh").output == '"new"'
        assert story.crew.idle("default") == 2
        assert story.crew.room("default") == 2
    story.until(lambda: len(story.crew.pids()) == 2)
    story.backends.stop(old)
    story.until_ended(old)
    story.until(lambda: story.crew.idle("default") == 3 and len(story.crew.pids()) == 1)


def test_thousands_of_tasks_through_threads_each_come_back_once(hire):
    story = hire(JOBS, threads=4)
    ids = []
    while len(ids) < 3000:
        while story.crew.room("default"):
            ids += story.send("noop", tasks=50)
        story.events += story.backends.poll(0.02)
    story.until_ended(ids)
    assert all(isinstance(end, Done) or not end.solo for end in story.ends().values())


def test_a_worker_that_the_nursery_was_never_told_of_holds_no_task(hire):
    """Its socket is full: the order to start a process for a task that runs alone is dropped."""
    story = hire(JOBS, threads=2)
    story.end("noop")
    os.kill(story.crew.nursery_pid, signal.SIGSTOP)
    try:
        nursery = story.crew._supervisor.nursery
        while nursery.order(Deadline(1 << 62)):
            pass
        with pytest.raises(BlockingIOError):
            story.send("noop", solo=True)
        assert story.crew.held() == set()
        assert len(story.crew._workers) == 1
    finally:
        os.kill(story.crew.nursery_pid, signal.SIGCONT)
    assert isinstance(story.end("noop", solo=True), Done)

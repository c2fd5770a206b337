"""Processes that a task starts end with it, before its result is told; and a worker that lost some is replaced."""

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from qflowd.workers import linux
from qflowd.workers.events import Returned
from qflowd.workers.wire import Ended

from .conftest import is_alive, wait_until

JOBS = """
    import os, signal, subprocess, sys, time
    from multiprocessing import resource_tracker, shared_memory

    @job
    def noop():
        return os.getpid()

    @job
    def leaves(then: str = ""):
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        tree = subprocess.Popen(
            ["sh", "-c", "trap '' TERM; sleep 60 & echo $!; wait"], start_new_session=True, stdout=subprocess.PIPE
        )
        pids = [child.pid, tree.pid, int(tree.stdout.readline()), daemonised()]
        print("pids", *pids)
        if then:
            raise ValueError(then)
        return pids

    def daemonised():
        ours, theirs = os.pipe()
        if os.fork() == 0:
            os.setsid()
            if (pid := os.fork()) == 0:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                time.sleep(60)
            os.write(theirs, str(pid).encode())
            os._exit(0)
        os.wait()
        return int(os.read(ours, 20))

    pool = None

    @job
    def keeps_a_pool():
        global pool
        from concurrent.futures import ProcessPoolExecutor
        pool = pool or ProcessPoolExecutor(2)
        return list(pool.map(abs, [-1, 2]))

    @job
    def forgets_to_wait():
        child = subprocess.Popen(["true"])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        return os.getpid()

    @job
    def has_children():
        try:
            os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        return True

    @job
    def shares(leaving: bool):
        memory = shared_memory.SharedMemory(create=True, size=8)
        memory.buf[0] = 7
        if leaving:
            subprocess.Popen(["sleep", "60"])
        return [os.getpid(), resource_tracker._resource_tracker._pid, memory.name]

    @job
    def reads(name: str):
        memory = shared_memory.SharedMemory(name)
        memory.unlink()
        return [os.getpid(), memory.buf[0]]

    @job
    def disarms_its_worker():
        from qflowd.workers import linux
        linux.kill = lambda *_: None
        return subprocess.Popen(["sleep", "60"]).pid
"""


def outcome(story, job: str, **params):
    """What `job` returned, in a worker that was not about to go."""
    while isinstance(end := story.end(job, params=json.dumps(params)), Returned):
        pass
    return json.loads(end.output)


def test_what_a_task_leaves_running_is_gone_when_its_result_arrives(hire):
    story = hire(JOBS)
    pids = outcome(story, "leaves")
    assert len(pids) == 4
    assert not any(map(is_alive, pids))


def test_a_failed_task_leaves_nothing_either(hire):
    story = hire(JOBS)
    failed = story.end("leaves", params='{"then": "no data"}')
    assert failed.error == "ValueError: no data"
    story.until_seen("pids")
    pids = [int(word) for word in story.text_of(failed.task_id)[0].split()[1:]]
    assert len(pids) == 4
    assert not any(map(is_alive, pids))


def test_a_pool_of_processes_kept_in_a_module_is_made_anew_by_the_next_task(hire):
    story = hire(JOBS)
    for _ in range(3):
        assert outcome(story, "keeps_a_pool") == [1, 2], "a worker whose pool is gone runs nothing more"


def test_tasks_behind_one_that_left_a_process_come_back_unstarted(hire):
    story = hire(JOBS)
    first, *others = story.send("leaves", tasks=3)
    story.until_ended([first, *others])
    assert isinstance(story.ends()[first], Ended), "it printed, so it is no plain Done"
    assert [story.ends()[task_id] for task_id in others] == [Returned(task_id, 3, False) for task_id in others]


def test_a_child_that_has_ended_unnoticed_is_collected_and_the_worker_continues(hire):
    story = hire(JOBS)
    worker = outcome(story, "forgets_to_wait")
    assert outcome(story, "has_children") is False
    assert outcome(story, "noop") == worker


def test_shared_memory_outlives_its_task_because_the_tracker_of_python_is_spared(hire):
    story = hire(JOBS)
    worker, tracker, name = outcome(story, "shares", leaving=False)
    assert is_alive(tracker)
    assert outcome(story, "reads", name=name) == [worker, 7]


def test_a_worker_that_goes_leaves_no_shared_memory_behind(hire):
    story = hire(JOBS)
    worker, tracker, name = outcome(story, "shares", leaving=True)
    wait_until(lambda: not is_alive(worker))
    assert not is_alive(tracker)
    assert not Path("/dev/shm", name).exists()


def test_a_child_that_will_not_die_ends_with_the_worker(hire):
    story = hire(JOBS)
    child = outcome(story, "disarms_its_worker")
    wait_until(lambda: not is_alive(child), 2)
    assert outcome(story, "noop")


def test_with_several_slots_children_end_with_the_process(hire):
    story = hire(JOBS, threads=2)
    worker = outcome(story, "noop")
    pids = outcome(story, "leaves")
    assert outcome(story, "noop") == worker
    assert all(map(is_alive, pids)), "they could be another task's"
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: not any(map(is_alive, pids)), 2)


@pytest.mark.parametrize("lists", [True, False])
def test_children_are_found_on_every_kernel(monkeypatch, lists):
    monkeypatch.setattr(linux, "_LISTS_CHILDREN", lists)
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"]) as child:
        wait_until(lambda: linux.children(child.pid))
        [grandchild] = linux.children(child.pid)
        assert child.pid in linux.children(os.getpid())
        linux.kill(grandchild)
        child.kill()
    assert linux.children(child.pid) == []

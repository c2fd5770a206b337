"""Orders to stop, and kills, that come at the most awkward moment: they hit the task that they are for, and it alone."""

import json
import os
import signal
import threading

import pytest

from qflowd.workers import linux, wire
from qflowd.workers.events import Returned, Running
from qflowd.workers.inbox import Inbox
from qflowd.workers.page import new_page
from qflowd.workers.runner import Results
from qflowd.workers.task_result import Stopped
from qflowd.workers.wire import Checkpointed, Done, Ended

GRACE_S = 15.0  # who is ended by SIGKILL comes too late for these tests, and shows it
JOBS = """
    import os, pathlib, signal, time
    from qflowd.workers import page, process_state, worker

    @job
    def sleeps(s: float = 60.0):
        end = time.monotonic() + s
        while time.monotonic() < end:
            time.sleep(0.01)

    @job
    def begins_late():
        usual, pages = process_state.ProcessState.enter, []

        def may_begin(self, seq, now_us):
            pages.append(self)
            return True

        def enter(self, *args):
            usual(self, *args)
            while not any(pages[0].is_stop_asked(slot) for slot in range(pages[0].slots)):
                time.sleep(0.001)
            time.sleep(0.1)  # the signal comes after the order

        page.Page.may_begin, process_state.ProcessState.enter = may_begin, enter

    @job
    def is_told_twice():
        usual = worker.raise_in_thread

        def raise_in_thread(*args):
            worker.raise_in_thread = usual
            os.kill(os.getpid(), signal.SIGTERM)
            usual(*args)

        worker.raise_in_thread = raise_in_thread

    @job
    def grows(gate: str):
        if context().task == "t0":
            held = bytearray(200 << 20)
            while not pathlib.Path(gate).exists():
                time.sleep(0.005)
        else:
            time.sleep(0.3)
"""


@pytest.mark.parametrize("threads", [1, 2])
def test_a_task_that_is_just_about_to_begin_is_stopped(hire, threads):
    story = hire(JOBS, threads=threads, grace_s=GRACE_S)
    story.end("begins_late")
    ids = story.send("sleeps")
    story.until(lambda: story.all_of(Running))
    story.backends.stop(ids)
    story.until_ended(ids)
    assert (story.ends()[ids[0]].reason, story.ends()[ids[0]].exit_signal) == ("terminated", None)


def test_two_orders_at_the_same_moment_do_not_block_each_other(hire):
    story = hire(JOBS, threads=2, grace_s=GRACE_S)
    story.end("is_told_twice")
    ids = story.send("sleeps") + story.send("sleeps", params='{"s": 1}')
    story.until(lambda: len(story.all_of(Running)) == 2)
    story.backends.stop(ids[:1])
    story.until_ended(ids)
    stopped, other = (story.ends()[task_id] for task_id in ids)
    assert (stopped.reason, stopped.exit_signal) == ("terminated", None)
    assert isinstance(other, Done | Ended)


def test_half_a_checkpoint_does_not_spoil_the_message_after_it():
    ours, theirs = os.pipe()
    results, ended, heard = (
        Results(theirs, Inbox(ours, is_shared=False), new_page(1)[0]),
        Ended(1, 1, "stopped"),
        bytearray(),
    )

    def listen():
        while data := os.read(ours, 1 << 16):
            heard.extend(data)

    def stop(*_):
        daemon.start()
        raise Stopped

    daemon = threading.Thread(target=listen)
    usual = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(Stopped):
            results.send(Checkpointed(1, 1, "x" * 900_000))  # nobody reads yet: it blocks in the midst
    finally:
        signal.signal(signal.SIGALRM, usual)
    results.send(ended)
    os.close(theirs)
    daemon.join()
    os.close(ours)
    torn, *rest = heard.rstrip(b"\n").split(b"\n")
    assert torn.startswith(b'["s"')
    assert [wire.decode_lines(line) for line in rest] == [[ended]]


@pytest.mark.parametrize("threads", [1, 2])
def test_a_task_is_stopped_while_its_module_is_imported(hire, threads):
    story = hire("import time\nwhile True:\n    time.sleep(0.01)\n", threads=threads, grace_s=GRACE_S)
    broken = story.end("any", timeout_s=0.3)
    assert (broken.reason, broken.exit_code, broken.exit_signal) == ("timeout", None, None)
    assert broken.traceback.strip().endswith("Stopped")


def test_who_follows_a_task_that_took_too_much_memory_is_not_killed_for_it(hire, monkeypatch, tmp_path):
    story = hire(JOBS, grace_s=GRACE_S)
    gate, usual = tmp_path / "gate", linux.memory_of

    def memory_of(pids: list[int]) -> int:
        """What it was when the first task was at its peak; told when the second runs."""
        found = usual(pids)
        if found > 150 << 20 and not gate.exists():
            gate.touch()
            [worker] = story.crew._workers.values()
            while not any(mark.task_id == ids[1] for mark in worker.page.marks()):
                pass
        return found

    monkeypatch.setattr(linux, "memory_of", memory_of)
    ids = story.send("grows", tasks=2, params=json.dumps({"gate": str(gate)}), memory=150 << 20, estimate_s=100)
    story.until_ended(ids)
    assert gate.exists()
    assert all(isinstance(story.ends()[task_id], Done | Ended) for task_id in ids)


def test_what_is_given_back_has_not_begun_and_what_runs_continues(hire):
    """Of all that a worker holds, tasks that have not begun come back; those of other instances may come with them."""
    story = hire(JOBS, processes=1)
    running = story.send("sleeps", params='{"s": 1.0}')
    story.until(lambda: story.crew.held() and story.all_of(Running))
    queued = story.send("sleeps", 3, params='{"s": 1.0}', long=False, estimate_s=10.0)
    story.backends.give_back([*running, *queued])
    story.until_ended([*running, *queued])
    ends = story.ends()
    assert [type(ends[number]) for number in queued] == [Returned] * 3
    assert not any(ends[number].solo for number in queued)
    assert ends[running[0]].outcome == "success", "it was not stopped"
    assert not isinstance(story.end("sleeps", params='{"s": 0.0}'), Returned), "the worker is open again"


def test_giving_back_leaves_a_worker_alone_that_has_nothing_waiting(hire):
    story = hire(JOBS, processes=1)
    running = story.send("sleeps", params='{"s": 0.5}', long=False, estimate_s=10.0)
    story.until(lambda: story.all_of(Running))
    story.backends.give_back(running)
    assert story.crew.room("default") == 1, "a chunk may wait behind it as before"
    story.until_ended(running)
    assert story.ends()[running[0]].outcome == "success"

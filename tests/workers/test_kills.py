"""Workers that die, tasks that will not stop: what is held comes back, and nothing is left behind."""

import contextlib
import json
import os
import signal
import time
from pathlib import Path

import pytest

from qflowd.workers.events import Broken, Finished, Returned, Running
from qflowd.workers.wire import Done
from tests.support.daemon import BUSY

from .conftest import is_alive, wait_until

JOBS = """
    import ctypes, hashlib, os, signal, subprocess, sys, time

    @job
    def noop():
        return {"ok": 1}

    @job
    def exits():
        os._exit(7)

    @job
    def segfaults():
        ctypes.string_at(0)

    @job
    def sleeps(s: float = 60.0):
        time.sleep(s)
        return "woke"

    @job
    def waits_for(gate: str):
        while not os.path.exists(gate):
            time.sleep(0.01)
        return "woke"

    @job
    def spins():
        while True:
            pass

    @job
    def in_c():
        hashlib.pbkdf2_hmac("sha256", b"x", b"y", 2_000_000_000)

    @job
    def tidy():
        try:
            time.sleep(60)
        finally:
            print("tidied")

    @job
    def stubborn():
        children = [
            subprocess.Popen([sys.executable, "-c", f"import signal, time{extra}; "
                "signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"], start_new_session=away)
            for away in (True, False) for extra in ("", ", os; os.fork(); os.setsid")
        ]
        print("pids", *(child.pid for child in children))
        while True:
            try:
                time.sleep(60)
            except BaseException:
                pass

    @job
    def hog():
        found = []
        while True:
            found.append(b"x" * (8 << 20))
            time.sleep(0.005)
"""


def boottime_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1000


def pid_of(story) -> int:
    story.until(story.crew.pids)
    (pid,) = story.crew.pids()
    return pid


def test_a_killed_idle_worker_is_replaced_and_nothing_is_told(hire):
    story = hire(JOBS)
    assert isinstance(story.end("noop"), Done)
    before = pid_of(story)
    os.kill(before, signal.SIGKILL)
    story.until(lambda: story.crew.pids() and pid_of(story) != before)
    assert isinstance(story.end("noop"), Done)
    assert not story.all_of(Broken)


def test_a_killed_busy_worker_breaks_the_running_task_and_returns_the_others(hire):
    story = hire(JOBS)
    ids = story.send("sleeps", tasks=3, estimate_s=100)
    story.until(lambda: story.all_of(Running))
    os.kill(pid_of(story), signal.SIGKILL)
    story.until_ended(ids)
    broken, *others = (story.ends()[task_id] for task_id in ids)
    assert (broken.reason, broken.exit_signal, broken.fence) == ("crash", 9, 3)
    assert others == [Returned(ids[1], 3, False), Returned(ids[2], 3, False)]


def test_finished_tasks_of_a_chunk_stay_finished_when_a_later_one_kills_the_worker(hire):
    story = hire(JOBS + '''
    @job
    def maybe(n: int = 0):
        if context().task == "t5":
            os._exit(7)
    ''')  # fmt: skip
    ids = story.send("maybe", tasks=9)
    story.until_ended(ids)
    ends = [type(story.ends()[task_id]) for task_id in ids]
    assert ends == [Done] * 5 + [Broken] + [Returned] * 3


def test_what_has_ended_is_told_while_a_slow_task_behind_it_runs(hire):
    story = hire(JOBS + '''
    @job
    def last_is_slow():
        if context().task == "t3":
            time.sleep(600)
    ''')  # fmt: skip
    ids = story.send("last_is_slow", tasks=4, estimate_s=900)
    story.until_ended(ids[:3])
    assert story.crew.held() == {(ids[3], 3)}


@pytest.mark.parametrize(("job", "code", "signum"), [("exits", 7, None), ("segfaults", None, signal.SIGSEGV)])
def test_a_task_that_takes_the_worker_down_is_named_with_the_exit(hire, job, code, signum):
    story = hire(JOBS)
    broken = story.end(job)
    assert (broken.reason, broken.exit_code, broken.exit_signal) == ("crash", code, signum)
    assert isinstance(story.end("noop"), Done)


def test_the_words_of_a_segfault_are_in_the_log_of_its_task(hire):
    story = hire(JOBS)
    broken = story.end("segfaults")
    story.until_seen("Segmentation fault")
    assert any("Segmentation fault" in text for text in story.text_of(broken.task_id))


def test_a_task_over_its_memory_limit_is_killed_for_memory(hire):
    story = hire(JOBS)
    broken = story.end("hog", memory=150 << 20, long=True)
    assert broken.reason == "memory"
    assert broken.peak_memory > 100 << 20
    assert isinstance(story.end("noop"), Done)


@pytest.mark.parametrize("job", ["spins", "sleeps", "tidy", "in_c", "stubborn"])
def test_a_timeout_stops_whatever_the_task_does(hire, job):
    story = hire(JOBS)
    started = time.monotonic()
    broken = story.end(job, timeout_s=0.3)
    assert broken.reason == "timeout"
    assert time.monotonic() - started < 3 * BUSY
    assert isinstance(story.end("noop"), Done)


def test_a_stopped_task_runs_its_finally_blocks_and_says_where_it_was(hire):
    story = hire(JOBS, grace_s=5)
    story.end("noop")
    broken = story.end("tidy", timeout_s=1.0)
    assert "time.sleep(60)" in broken.traceback
    story.until_seen("tidied")


def test_children_in_sessions_of_their_own_that_ignore_term_are_gone_too(hire):
    story = hire(JOBS)
    story.end("noop")
    ids = story.send("stubborn", timeout_s=1.0)
    story.until_seen("pids")
    pids = [int(word) for line in story.lines if line.message.startswith("pids") for word in line.message.split()[1:]]
    assert len(pids) == 4
    story.until_ended(ids)
    wait_until(lambda: not any(map(is_alive, pids)), 2)


def test_a_terminated_task_is_broken_and_its_unstarted_neighbours_return(hire):
    story = hire(JOBS)
    ids = story.send("sleeps", tasks=3, estimate_s=100)
    story.until(lambda: story.all_of(Running))
    story.backends.stop([ids[0]], "terminated")
    story.until_ended(ids)
    assert story.ends()[ids[0]].reason == "terminated"
    assert [story.ends()[task_id].solo for task_id in ids[1:]] == [False, False]


def test_a_task_that_is_terminated_before_it_began_returns(hire):
    story = hire(JOBS)
    ids = story.send("sleeps", params='{"s": 0.5}', tasks=2, estimate_s=100)
    story.until(lambda: story.all_of(Running))
    story.backends.stop([ids[1]])
    story.until_ended(ids)
    assert story.ends()[ids[0]].output == '"woke"'
    assert story.ends()[ids[1]] == Returned(ids[1], 3, False)


def test_a_stall_gives_back_the_rest_while_the_slow_task_continues(hire, tmp_path):
    story, gate = hire(JOBS), tmp_path / "gate"
    params = json.dumps({"gate": str(gate)})
    ids = story.send("waits_for", params=params, tasks=50) + story.send("noop", tasks=50)
    story.until_ended(ids[1:])
    assert story.crew.held() == {(ids[0], 3)}
    assert story.crew.room("default") == 0
    gate.touch()
    story.until_ended(ids)
    assert story.ends()[ids[0]].output == '"woke"'
    assert isinstance(story.end("noop"), Done)


def test_a_running_task_is_told_once(hire):
    story = hire(JOBS)
    story.end("sleeps", params='{"s": 0.6}')
    (running,) = story.all_of(Running)
    assert running.started_us > 0


def test_a_signal_from_outside_does_not_stop_a_task(hire):
    story = hire(JOBS)
    ids = story.send("sleeps", params='{"s": 0.6}')
    story.until(lambda: story.all_of(Running))
    os.kill(pid_of(story), signal.SIGTERM)
    story.until_ended(ids)
    assert story.ends()[ids[0]].output == '"woke"'


def test_a_killed_nursery_is_replaced_and_started_tasks_return_solo(hire):
    story = hire(JOBS + '''
    @job
    def parent():
        child = subprocess.Popen(["sleep", "60"], start_new_session=True)
        print("pids", child.pid)
        time.sleep(60)
    ''')  # fmt: skip
    ids = story.send("parent", tasks=2, estimate_s=100)
    story.until_seen("pids")
    child = int(story.text_of(ids[0])[0].split()[1])
    worker = pid_of(story)
    os.kill(story.crew.nursery_pid, signal.SIGKILL)
    story.until_ended(ids)
    assert [story.ends()[task_id] for task_id in ids] == [Returned(ids[0], 3, True), Returned(ids[1], 3, False)]
    wait_until(lambda: not is_alive(worker) and not is_alive(child), 2)
    assert isinstance(story.end("noop"), Done)


def test_past_the_deadline_the_nursery_kills_all_workers_by_itself(hire):
    story = hire(JOBS)
    ids = story.send("sleeps")
    story.until(lambda: story.all_of(Running))
    worker = pid_of(story)
    story.crew.keep_alive(boottime_us() + 200_000)
    wait_until(lambda: not is_alive(worker), 2)  # nobody polls: a stopped daemon is fenced all the same
    story.until_ended(ids)
    assert story.ends()[ids[0]] == Returned(ids[0], 3, True)
    story.crew.keep_alive(boottime_us() + 60_000_000)
    assert isinstance(story.end("noop"), Done)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_worker_that_wakes_after_the_deadline_begins_nothing_and_gives_it_back(hire, threads):
    """As after a suspension in which the nursery is the last to wake."""
    story = hire(JOBS, threads=threads)
    ids = story.send("sleeps", tasks=2, params='{"s": 0.6}', estimate_s=100)
    story.until(lambda: story.all_of(Running))
    os.kill(story.crew.nursery_pid, signal.SIGSTOP)
    try:
        story.crew.keep_alive(boottime_us())
        story.until_ended(ids)
        assert story.ends()[ids[0]].output == '"woke"'
        assert story.ends()[ids[1]] == Returned(ids[1], 3, False)
        assert story.end("noop") == Returned(max(story.ends()), 3, False), "nor what is sent to it now"
        story.crew.keep_alive(boottime_us() + 60_000_000)
        assert isinstance(story.end("noop"), Done)
    finally:
        os.kill(story.crew.nursery_pid, signal.SIGCONT)


def test_the_nursery_waits_for_its_deadline_by_a_clock_that_a_suspension_does_not_stop(hire):
    story = hire(JOBS)
    story.end("noop")
    waits = Path(f"/proc/{story.crew.nursery_pid}/fdinfo").iterdir()
    assert f"clockid: {time.CLOCK_BOOTTIME}" in "".join(file.read_text() for file in waits)


def test_a_drained_crew_ends_what_runs_and_returns_the_rest(hire):
    story = hire(JOBS)
    ids = story.send("sleeps", params='{"s": 0.5}', tasks=3, estimate_s=100)
    story.until(lambda: story.all_of(Running))
    story.backends.drain()
    story.until(lambda: not story.crew.held())
    assert [type(event) for event in story.events if not isinstance(event, Running)] == [Returned, Returned, Finished]
    assert story.backends.room("default") == 0
    assert set(story.ends()) == set(ids)


def test_kill_all_returns_everything(hire):
    story = hire(JOBS, processes=2)
    ids = story.send("sleeps", tasks=2, estimate_s=100) + story.send("spins")
    story.until(lambda: len(story.all_of(Running)) == 2)
    story.crew.kill_all()
    story.until_ended(ids)
    assert {(type(end), end.solo) for end in story.ends().values()} == {(Returned, True), (Returned, False)}


def test_hundreds_of_kills_lose_no_task(hire):
    story = hire(JOBS, processes=2)
    open_ids: set[int] = set()
    for _ in range(60):
        while story.crew.room("default"):
            open_ids |= set(story.send("noop", tasks=20))
        for pid in list(story.crew.pids()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        story.events += story.backends.poll(0.005)
    story.until(lambda: not story.crew.held())
    assert story.ends().keys() == open_ids


VANDALS = """
    import os, sys
    from qflowd import job

    @job
    def noop():
        return {"ok": 1}

    @job
    def scribbles(text: str):
        for fd in range(3, 30):
            try:
                os.write(fd, text.encode())
            except OSError:
                pass

    @job
    def shuts():
        os.closerange(3, 100)
"""


def test_a_job_that_closes_our_descriptors_breaks_only_itself(hire):
    story = hire(VANDALS)
    ids = story.send("shuts") + story.send("noop", tasks=3)
    story.until_ended(ids)
    assert story.ends()[ids[0]].reason == "crash"
    assert [story.ends()[task_id] for task_id in ids[1:]] == [Returned(task_id, 3, False) for task_id in ids[1:]]
    assert isinstance(story.end("noop"), Done)


@pytest.mark.parametrize("text", ["garbage", "garbage\n"])
def test_what_a_job_writes_into_our_descriptors_is_no_message(hire, text):
    story = hire(VANDALS)
    ids = story.send("scribbles", params=json.dumps({"text": text})) + story.send("noop", tasks=3)
    story.until_ended(ids)
    assert story.ends()[ids[0]].outcome == "success"
    assert all(isinstance(story.ends()[task_id], Done | Returned) for task_id in ids[1:])
    assert isinstance(story.end("noop"), Done)

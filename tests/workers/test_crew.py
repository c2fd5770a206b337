"""Generations, the environment, and the death of the process that owns a crew."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import pytest

from qflowd.config import PoolConfig
from qflowd.workers.backends import Backends
from qflowd.workers.environment import worker_env
from qflowd.workers.events import Returned, Running
from qflowd.workers.processes import Processes
from qflowd.workers.wire import Done
from tests.support.daemon import BUSY

from .conftest import is_alive, manifest_of, wait_until

VERSION = """
from qflowd import job
import os, time

@job
def version():
    return {n}

@job
def slow(gate: str):
    while not os.path.exists(gate):
        time.sleep(0.01)
    return {n}
"""


def test_a_new_generation_replaces_idle_workers_at_once_and_busy_ones_when_they_are_through(hire, tmp_path):
    gate = tmp_path / "gate"
    story = hire(VERSION.format(n=1), processes=2)
    assert story.end("version").output == "1"
    old = story.send("slow", tasks=2, estimate_s=10, params=json.dumps({"gate": str(gate)}))
    story.until(lambda: story.all_of(Running))
    story.crew.adopt(manifest_of(VERSION.format(n=2)))
    started = time.monotonic()
    assert story.end("version").output == "2"
    assert time.monotonic() - started < 3 * BUSY
    gate.touch()
    story.until_ended(old)
    assert story.ends()[old[0]].output == "1", "what runs keeps its code"
    assert story.ends()[old[1]] == Returned(old[1], 3, False)
    story.until(lambda: len(story.crew.pids()) == 2)
    assert {story.end("version").output for _ in range(4)} == {"2"}


def test_adopting_while_much_is_in_flight_loses_nothing(hire):
    story = hire(VERSION.format(n=1), processes=2)
    ids = []
    for n in range(2, 12):
        while story.crew.room("default"):
            ids += story.send("version", tasks=30)
        story.events += story.backends.poll(0.003)
        story.crew.adopt(manifest_of(VERSION.format(n=n)))
    story.until_ended(ids)
    assert {type(end) for end in story.ends().values()} <= {Done, Returned}
    assert story.end("version").output == "11"


PEEK = """
import os
from qflowd import job

@job
def peek():
    def environ(pid):
        return open(f"/proc/{pid}/environ").read().split(chr(0))
    fds = {fd: os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{fd}")}
    return {"own": environ(os.getpid()), "parent": environ(os.getppid()), "now": dict(os.environ), "fds": fds,
            "cwd": os.getcwd(), "stdin": os.read(0, 1).decode(), "core": __import__("resource").getrlimit(4)[0],
            "oom": int(open("/proc/self/oom_score_adj").read()), "own_session": os.getsid(0) == os.getpid()}
"""


def test_a_worker_sees_the_allowed_environment_and_no_descriptor_of_the_daemon(hire, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    daemon = {
        "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "DESK": "fx", "OTHER": "y",
        "NUMBA_NUM_THREADS": "4", "OMP_NUM_THREADS": "4",
        "QFLOWD_DATABASE_URL": "postgresql://u:hunter2@h/d",
    }  # fmt: skip
    with secret.open() as file:
        os.set_inheritable(file.fileno(), True)
        story = hire(PEEK, env=worker_env(daemon, ["DESK", "NUMBA_NUM_THREADS"]))
        seen = json.loads(story.end("peek").output)
    assert "hunter2" not in json.dumps(seen)
    assert not any("secret" in target or "socket" in target for target in seen["fds"].values())
    assert (seen["now"]["DESK"], seen["now"]["OMP_NUM_THREADS"], seen["now"]["LC_ALL"]) == ("fx", "1", "C.UTF-8")
    assert (seen["now"]["POLARS_MAX_THREADS"], seen["now"]["NUMBA_NUM_THREADS"]) == ("1", "4")
    assert "OTHER" not in seen["now"]
    assert (seen["cwd"], seen["stdin"], seen["core"], seen["own_session"]) == (str(tmp_path), "", 0, True)
    assert seen["oom"] == 800


OWNER = """
import os, sys, time
sys.path.insert(0, {root!r})
from tests.workers.conftest import *
from qflowd.workers.events import Running
lock = os.open({lock!r}, os.O_RDWR | os.O_CREAT)
import fcntl
fcntl.flock(lock, fcntl.LOCK_EX)
crew = Processes({{"default": PoolConfig(3)}}, env=worker_env(os.environ), cwd={cwd!r}, run_dir={cwd!r}, lock_fd=lock)
crew.start(manifest_of({source!r}))
story = Story(crew)
for job in ("holds_gil", "stubborn", "spawns"):
    story.send(job)
story.until_seen("pids", 10)
story.until(lambda: len(story.all_of(Running)) == 3)
pids = [pid for line in story.lines for pid in line.message.split()[1:]]
print(crew.nursery_pid, *crew.pids(), *pids, flush=True)
time.sleep(60)
"""

LEFT_BEHIND = """
from qflowd import job
import signal, subprocess, sys, time

@job
def holds_gil():
    sum(range(10**13))

@job
def stubborn():
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        try:
            time.sleep(60)
        except BaseException:
            pass

@job
def spawns():
    code = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    children = [subprocess.Popen([sys.executable, "-c", code], start_new_session=True) for _ in range(3)]
    print("pids", *(child.pid for child in children))
    time.sleep(60)
"""


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGTERM])
def test_when_the_owner_dies_everything_is_gone_within_two_seconds_and_the_lock_is_free(tmp_path, signum):
    lock = tmp_path / "lock"
    root = str(Path(__file__).resolve().parents[2])
    program = OWNER.format(root=root, lock=str(lock), cwd=str(tmp_path), source=textwrap.dedent(LEFT_BEHIND))
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as owner:
        pids = list(map(int, owner.stdout.readline().split()))
        assert len(pids) == 7
        assert all(map(is_alive, pids))
        owner.send_signal(signum)
        owner.wait()
    wait_until(lambda: not any(map(is_alive, pids)), 2)
    with lock.open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_close_ends_all_processes(hire):
    story = hire(LEFT_BEHIND, processes=2)
    story.send("holds_gil")
    story.send("spawns")
    story.until_seen("pids")
    pids = [story.crew.nursery_pid, *story.crew.pids(), *map(int, story.lines[0].message.split()[1:])]
    story.crew.close()
    assert not any(map(is_alive, pids))


def test_wake_ends_a_poll(hire):
    story = hire(VERSION.format(n=1))
    story.end("version")
    threading.Timer(0.2, story.backends.wake).start()
    started = time.monotonic()
    story.backends.poll(60)
    assert time.monotonic() - started < 10 * BUSY


def test_an_idle_crew_sleeps(hire):
    story = hire(VERSION.format(n=1))
    story.end("version")
    story.backends.poll(0.2)
    before = time.process_time()
    assert story.backends.poll(0.5) == []
    assert time.process_time() - before < 0.02


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_files_and_descriptors_of_dead_workers_are_given_back(hire, tmp_path):
    story = hire(VERSION.format(n=1))
    story.end("version")
    story.until(story.crew.pids)

    def kill_one():
        (pid,) = story.crew.pids()
        os.kill(pid, signal.SIGKILL)
        story.until(lambda: story.crew.pids() and pid not in story.crew.pids())
        story.end("version")

    kill_one()
    story.lines += story.crew.read_logs()
    before = descriptors()
    for _ in range(10):
        kill_one()
    story.until(lambda: descriptors() <= before, 3)
    assert list(tmp_path.iterdir()) == []


def test_workers_that_cannot_live_are_not_respawned_in_a_hot_loop(tmp_path):
    crew = Processes(
        {"default": PoolConfig(1)}, env=worker_env(os.environ), cwd="/no/such/folder", run_dir=str(tmp_path)
    )
    backends = Backends({"default": crew})
    backends.start(manifest_of(""))
    end = time.monotonic() + 1
    while time.monotonic() < end:
        backends.poll(0.1)
    assert crew._supervisor._last_number < 6
    backends.close()

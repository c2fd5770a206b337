"""The plugins that come with qflowd, called as a worker calls them."""

import importlib.util
import logging
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from qflowd import Defer, resources
from qflowd.jobs.context import Context, Facts, running
from qflowd.jobs.signature import signature


class Silent:
    def send_progress(self, facts, done, total, text): ...

    def send_save(self, facts, value):
        self.saved = value


def load(name):
    spec = importlib.util.spec_from_file_location(f"shipped_{name}", resources.folder("plugins") / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def call(function, saved=b"null", **params):
    channel = Silent()
    facts = Facts(
        task_id=1, instance_id=1, fence=1, attempt=1, workflow="w", task="t", job=function.__name__, saved=saved
    )
    with running(Context(facts, channel)):
        try:
            return function(**signature(function).bind(params)), channel
        except Defer as defer:
            return defer, channel


def test_log_writes_its_message_at_its_level(caplog):
    log = load("log").log
    with caplog.at_level(logging.DEBUG):
        call(log, message="hello")
        call(log, message={"n": 1}, level="warning")
    assert [(r.levelname, r.getMessage()) for r in caplog.records] == [("INFO", "hello"), ("WARNING", "{'n': 1}")]


@pytest.mark.parametrize(("seconds", "expected"), [(90, 90), ("10m", 600), ("1h30m", 5400), (2.5, 2.5)])
def test_delay_gives_its_slot_back_for_the_time_asked(seconds, expected):
    deferred, channel = call(load("delay").delay, seconds=seconds)
    assert isinstance(deferred, Defer)
    assert deferred.delay_s == pytest.approx(expected, abs=0.5)
    assert b'"until"' in channel.saved


def test_delay_ends_once_its_time_has_come_and_waits_on_if_woken_early():
    delay = load("delay").delay
    past, future = datetime.now(UTC) - timedelta(seconds=1), datetime.now(UTC) + timedelta(seconds=100)
    result, _ = call(delay, saved=b'{"until": "%s"}' % past.isoformat().encode(), seconds=5)
    assert result == {"until": past.isoformat()}
    deferred, _ = call(delay, saved=b'{"until": "%s"}' % future.isoformat().encode(), seconds=5)
    assert 98 < deferred.delay_s <= 100


def test_delay_until_an_instant_that_has_passed_ends_at_once():
    result, _ = call(load("delay").delay, until="2020-01-01T00:00:00Z")
    assert result == {"until": "2020-01-01T00:00:00+00:00"}
    assert call(load("delay").delay, seconds=0)[0]["until"]


def test_delay_takes_one_of_its_two_params():
    with pytest.raises(ValueError, match="either seconds or until"):
        call(load("delay").delay)


def test_shell_returns_code_and_output_and_feeds_input(capfd):
    result, _ = call(
        load("shell").shell, argv=["sh", "-c", "cat; echo $COLOUR; pwd"], input="in ", env={"COLOUR": "red"}, cwd="/"
    )
    assert result == {"returncode": 0, "stdout": "in red\n/\n"}
    assert capfd.readouterr().out == "in red\n/\n"


def test_shell_reads_no_metacharacters():
    result, _ = call(load("shell").shell, argv=["echo", "$(id); `id` > x"])
    assert result["stdout"] == "$(id); `id` > x\n"


def test_a_program_that_fails_fails_the_task_with_its_complaint():
    shell = load("shell")
    with pytest.raises(shell.CommandFailed, match="sh ended with code 7: no such symbol"):
        call(shell.shell, argv=["sh", "-c", "echo out; echo no such symbol >&2; exit 7"])
    with pytest.raises(shell.CommandFailed, match="signal 9"):
        call(shell.shell, argv=["sh", "-c", "kill -9 $$"])
    with pytest.raises(ValueError, match="argv is empty"):
        call(shell.shell, argv=[])
    with pytest.raises(FileNotFoundError):
        call(shell.shell, argv=["/no/such/program"])


def test_only_the_end_of_a_flood_is_kept():
    result, _ = call(load("shell").shell, argv=["sh", "-c", "yes | head -c 5000000; echo end"])
    assert len(result["stdout"]) <= 8000
    assert result["stdout"].endswith("end\n")


def test_a_program_that_leaves_a_straggler_behind_does_not_hold_the_task():
    start = time.monotonic()
    result, _ = call(load("shell").shell, argv=["sh", "-c", "echo done; sleep 20 &"])
    assert result["stdout"] == "done\n"
    assert time.monotonic() - start < 10


def test_the_program_dies_with_the_group_of_its_worker(tmp_path):
    pid_file = tmp_path / "pid"
    code = (
        "import importlib.util, sys\n"
        "spec = importlib.util.spec_from_file_location('s', sys.argv[1]); m = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(m); m.shell(['sh', '-c', 'echo $$ > ' + sys.argv[2] + '; exec sleep 300'])\n"
    )
    worker = subprocess.Popen(
        [sys.executable, "-c", code, resources.folder("plugins") / "shell.py", pid_file], start_new_session=True
    )
    deadline = time.monotonic() + 10
    while not (pid_file.exists() and pid_file.read_text().strip()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    program = Path(f"/proc/{pid_file.read_text().strip()}/stat")
    while program.exists() and ") Z" not in program.read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)

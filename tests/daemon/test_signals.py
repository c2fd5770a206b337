"""Signals: told to stop, a daemon stops, whichever of its threads the kernel gives the signal to."""

import ctypes
import os
import platform
import signal
import subprocess
import sys

import pytest

from qflowd import connect
from tests.support.daemon import Daemon, until

TGKILL = {"x86_64": 234, "aarch64": 131}.get(platform.machine())


@pytest.mark.skipif(TGKILL is None, reason="the number of this system call is not known here")
@pytest.mark.parametrize("which", ["the first of the other threads", "the last of them"])
def test_a_signal_that_another_thread_is_given_is_obeyed(sqlite_url, tmp_path, which):
    """After SIGCONT the kernel does that; the main thread sleeps on, and no handler would ever run."""
    with Daemon(sqlite_url, tmp_path, is_forked=False) as daemon:
        others = sorted(int(name) for name in os.listdir(f"/proc/{daemon.pid}/task"))[1:]  # noqa: PTH208
        thread = others[0] if "first" in which else others[-1]
        assert ctypes.CDLL(None).syscall(TGKILL, daemon.pid, thread, signal.SIGTERM) == 0
        assert daemon.wait() == 0


def test_whoever_waits_for_a_task_to_end_is_told_how_not_to(sqlite_url, tmp_path):
    nap = "import time\nfrom qflowd import job\n\n\n@job\ndef nap():\n    print('naps', flush=True)\n    time.sleep(600)\n"
    with Daemon(sqlite_url, tmp_path, plugins={"nap.py": nap}) as daemon, connect(sqlite_url) as client:
        run = client.submit(job="nap")
        until(lambda: any(task.state == "RUNNING" for task in run.tasks()), 60)
        daemon.signal(signal.SIGTERM)
        until(lambda: "a second signal ends it now" in daemon.log(), 60)
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0


@pytest.mark.parametrize("url", ["postgresql://127.0.0.1:1/x", "mysql://127.0.0.1:1/"])
def test_a_daemon_that_waits_for_its_database_at_start_can_be_stopped(tmp_path, url):
    daemon = Daemon(url, tmp_path).start(ready=False)
    until(lambda: daemon.log().count("trying again in") > 1, 60)  # on PostgreSQL the plugins are tried by then
    assert daemon.stop() == 0
    assert "Traceback" not in daemon.log()


def test_a_daemon_whose_run_dir_is_full_says_so(sqlite_url, tmp_path):
    (tmp_path / "full").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "nr_inodes=3", "none", tmp_path / "full"], check=False).returncode:
        pytest.skip("only root may mount")
    try:
        (tmp_path / "full" / "rest").touch()  # the lock file still finds room, what workers print does not
        daemon = Daemon(sqlite_url, tmp_path / "a", daemon={"run_dir": str(tmp_path / "full")}).start(ready=False)
        assert daemon.wait() != 0
        assert "No space left on device" in daemon.log()
        assert "run_dir" in daemon.log()
        assert "Traceback" not in daemon.log()
    finally:
        subprocess.run(["umount", tmp_path / "full"], check=True)


def test_a_daemon_runs_where_stderr_is_closed(sqlite_url, tmp_path):
    (tmp_path / "qflowd.toml").touch()
    environment = os.environ | {"QFLOWD_CONFIG": str(tmp_path / "qflowd.toml"), "QFLOWD_DATABASE_URL": sqlite_url}
    command = f"exec {sys.executable} -m qflowd run --until-idle 2>&-"
    assert subprocess.run(["sh", "-c", command], env=environment, check=False, timeout=60).returncode == 0

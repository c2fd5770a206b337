"""What the daemon's log says of what went wrong, through real daemons on each database."""

from __future__ import annotations

from pathlib import Path

import qflowd
from tests.support.daemon import Daemon, until

JOBS = """
import os, signal
from qflowd import job

@job
def fail(text: str = "no data") -> None:
    raise ValueError(text)

@job
def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

@job(retries=1, retry_delay="2s")
def second_time(flag: str) -> str:
    if not os.path.exists(flag):
        open(flag, "w").close()
        raise OSError("not yet")
    return "ok"
"""
WORKFLOW = "workflow: two\ntasks: {one: {job: fail}, two: {job: fail, after: one}}\n"


def test_failed_runs_lost_workers_and_rejections_are_in_the_log(database_url: str, tmp_path: Path):
    env = {"HTTPS_PROXY": "http://desk:hunter2@proxy:8080"}
    with (
        Daemon(
            database_url,
            tmp_path,
            plugins={"jobs.py": JOBS},
            workflows={"two.yaml": WORKFLOW},
            config='[plugins]\nenv = ["VENDOR_TOKEN"]',
            env=env,
        ) as daemon,
        qflowd.connect(database_url) as client,
    ):
        failed, died, refused = client.submit("two"), client.submit(job="die"), client.submit("nobody")
        assert (failed.wait(30), died.wait(30)) == ("FAILED", "FAILED")
        log = until(lambda: (text := daemon.log()).count("FAILED") >= 2 and "rejected" in text and text)
        assert f"instance {failed.id} of two FAILED: task one: ValueError: no data" in log
        assert f"instance {died.id} of die FAILED" in log
        assert log.count("job die: its worker process was killed by SIGKILL") == 3
        assert f"submission {refused.id} of 'nobody' (sdk) is rejected: " in log
        assert "[plugins] env names VENDOR_TOKEN, which is not set" in log
        assert "HTTPS_PROXY holds a login" in log
        assert "hunter2" not in log


def test_a_daemon_with_the_name_of_another_says_so(database_url: str, tmp_path: Path):
    with Daemon(database_url, tmp_path / "a", daemon={"name": "desk"}) as first:
        with Daemon(database_url, tmp_path / "b", daemon={"name": "desk"}) as second:
            assert f"(process {first.pid} on " in second.log()
            assert "has the name desk too" in second.log()
        assert "has the name" not in first.log()


def test_until_idle_waits_for_a_retry_and_not_for_a_run_at(database_url: str, tmp_path: Path):
    daemon = Daemon(database_url, tmp_path, plugins={"jobs.py": JOBS})
    with daemon:
        pass
    with qflowd.connect(database_url) as client:
        later = client.submit(job="fail", run_at="2099-01-01T00:00:00Z")
        run = client.submit(job="second_time", params={"flag": str(tmp_path / "flag")})
        daemon.start("--until-idle", ready=False)
        assert daemon.wait() == 0
        assert (run.state(), later.state()) == ("SUCCESS", "RUNNING")

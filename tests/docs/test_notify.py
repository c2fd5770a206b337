"""What systemd hears of a real daemon, and that the daemon works under the unit's constraints as far as they can be set here."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from qflowd.client import connect
from tests.docs.pages import ROOT
from tests.support.daemon import Daemon, until

PLUGIN = """
import time
from pathlib import Path
from qflowd import job

@job
def long() -> None:
    Path("begun").touch()
    time.sleep(3)
"""


class Systemd:
    """The other end of the notify socket."""

    def __init__(self, address: str) -> None:
        self.heard: list[str] = []
        self._channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._channel.bind(address)
        self._channel.setblocking(False)

    def count(self, word: str) -> int:
        while True:
            try:
                self.heard.append(self._channel.recv(4096).decode())
            except BlockingIOError:
                return self.heard.count(word)

    def close(self) -> None:
        self._channel.close()


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Systemd]:
    there = Systemd(str(tmp_path / "notify"))
    yield there
    there.close()


def daemon_of(url: str, tmp_path: Path, systemd: Systemd, **env: str) -> Daemon:
    told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    return Daemon(url, tmp_path / "project", plugins={"jobs.py": PLUGIN}, env=told | env)


def test_systemd_hears_ready_watchdog_and_stopping(sqlite_url: str, tmp_path: Path, systemd: Systemd) -> None:
    daemon = daemon_of(sqlite_url, tmp_path, systemd).start(ready=False)
    try:
        until(lambda: systemd.count("READY=1"), what="READY=1")
        assert systemd.heard[0] == "READY=1", "nothing comes before it is ready"
        until(lambda: systemd.count("WATCHDOG=1") >= 3, what="WATCHDOG=1")
        with connect(sqlite_url) as client:
            client.submit(job="long")
        until((tmp_path / "project" / "begun").exists, what="a task that runs")
        daemon.signal(signal.SIGTERM)
        until(lambda: systemd.count("STOPPING=1"), what="STOPPING=1")
        fed = systemd.count("WATCHDOG=1")
        until(lambda: systemd.count("WATCHDOG=1") > fed, what="WATCHDOG=1 while it drains")
        assert daemon.wait() == 0
    finally:
        daemon.__exit__()
    assert systemd.count("READY=1") == systemd.count("STOPPING=1") == 1


def test_a_manager_that_reads_nothing_does_not_hold_up_the_daemon(
    sqlite_url: str, tmp_path: Path, systemd: Systemd
) -> None:
    """Its socket takes a handful of messages, then is full."""
    daemon = daemon_of(sqlite_url, tmp_path, systemd, WATCHDOG_USEC="30000").start(ready=False)
    try:
        until(lambda: "ready in" in daemon.log(), what="a daemon that is ready")
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        channel.setblocking(False)
        with channel:
            channel.connect(str(tmp_path / "notify"))
            until(lambda: is_full(channel), what="a full socket")
        assert daemon.stop() == 0
    finally:
        daemon.__exit__()


def is_full(channel: socket.socket) -> bool:
    try:
        channel.send(b"STATUS=")
    except BlockingIOError:
        return True
    return False


@pytest.mark.fault
def test_an_outage_that_is_waited_out_does_not_starve_the_watchdog(
    postgres_server, postgres_url: str, tmp_path: Path, systemd: Systemd
) -> None:
    daemon = daemon_of(postgres_url, tmp_path, systemd).start(ready=False)
    try:
        until(lambda: systemd.count("WATCHDOG=1"), what="WATCHDOG=1")
        postgres_server.kill()
        until(lambda: "heartbeat:" in daemon.log(), what="a failed heartbeat in the log")
        fed = systemd.count("WATCHDOG=1")
        until(lambda: systemd.count("WATCHDOG=1") > fed + 3, what="WATCHDOG=1 during the outage")
    finally:
        postgres_server.start()
        daemon.__exit__()


def test_it_works_with_the_units_umask_and_plugins_that_it_cannot_write(tmp_path: Path) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("QFLOWD_")} | {"PYTHONPATH": str(ROOT)}

    def qflowd(*args: str) -> str:
        command = [sys.executable, "-m", "qflowd", *args]
        ran = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False, umask=0o077
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return ran.stdout

    qflowd("init")
    for path in (*(tmp_path / "plugins").iterdir(), tmp_path / "plugins"):
        path.chmod(path.stat().st_mode & ~0o222)
    number = qflowd("submit", "hello").strip()
    began = time.monotonic()
    qflowd("run", "--until-idle")
    assert time.monotonic() - began < 60
    assert "SUCCESS" in qflowd("show", number)
    assert (tmp_path / "qflow.db").stat().st_mode & 0o077 == 0
    (tmp_path / "plugins").chmod(0o700)

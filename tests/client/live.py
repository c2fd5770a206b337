"""A real daemon on a small project, for the time of a test."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

JOBS = """
import sys, time
from pathlib import Path
from qflowd import Skip, calendar, context, job

@job
def add(a: int, b: int = 1) -> int:
    print("adding")
    print("to stderr", file=sys.stderr)
    context().logger.warning("careful with %s", a)
    return a + b

@job
def large(size: int) -> str:
    return "x" * size

@job
def nap(seconds: float) -> None:
    for _ in range(int(seconds * 20)):
        time.sleep(0.05)
        print("still here", flush=True)

@job
def fail_until(flag: str) -> str:
    if not Path(flag).exists():
        raise RuntimeError(f"no {flag} yet")
    return "there"

@job
def is_session(name: str, day: str) -> bool:
    return calendar(name).is_session(day)

@job
def skip() -> None:
    raise Skip("nothing today")
"""

WORKFLOWS = {
    "pair.yaml": """
workflow: pair
params: {a: {type: integer, default: 2}}
tasks:
  first: {job: add, params: {a: "{{ params.a }}"}}
  second: {job: add, after: first, params: {a: "{{ first.output }}", b: 10}}
""",
    "flaky.yaml": """
workflow: flaky
params: {flag: {type: string, default: /nowhere}}
schedule: {cron: "0 17 * * *", timezone: Asia/Shanghai}
tasks:
  look: {job: fail_until}
  then: {job: add, after: look, params: {a: 1}}
""",
}


class Project:
    """A folder with jobs and workflows, and a daemon that runs it."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.url = url
        (folder / "plugins").mkdir(mode=0o755)
        (folder / "workflows").mkdir(mode=0o755)
        (folder / "plugins/jobs.py").write_text(JOBS)
        for name, text in WORKFLOWS.items():
            (folder / "workflows" / name).write_text(text)
        (folder / "qflowd.toml").write_text("[pools.default]\nprocesses = 2\n[daemon]\ngrace = '1s'\n")
        self.env = {**os.environ, "QFLOWD_DATABASE_URL": url}
        self.log = folder / "daemon.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            command = [sys.executable, "-m", "qflowd", "run"]
            self._process = subprocess.Popen(command, cwd=self.folder, env=self.env, stdout=log, stderr=log)
        end = time.monotonic() + 30
        while "ready in" not in self.log.read_text():
            assert self._process.poll() is None, self.log.read_text()
            assert time.monotonic() < end, self.log.read_text()
            time.sleep(0.02)

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None


def project_of(kind: str, get_server: Any, factory: pytest.TempPathFactory) -> Iterator[Project]:
    """One daemon on a fresh store for all tests of a module."""
    server = get_server(kind)
    found = Project(factory.mktemp(f"live-{kind}"), server.create_store())
    found.start()
    yield found
    found.stop()
    server.give_back(found.url)

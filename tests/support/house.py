"""A server of the HTTP API and a daemon over one store, both real; with jobs that end when a test says so."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.daemon import Daemon, until
from tests.support.http import ApiServer, Reply

JOBS = '''
import os
import time

from qflowd import job


@job
def hello(name: str = "world") -> dict:
    """Greet somebody."""
    return {"greeting": f"Hello, {name}!"}


@job
def total(data: list[float], factor: float = 1.0) -> float:
    """Add up what was sent."""
    return sum(data) * factor


@job
def gated(gate: str) -> str:
    """Goes on when the file `gate` is there; fails when it says so."""
    while not os.path.exists(gate):
        time.sleep(0.01)
    if open(gate).read() == "fail":
        raise ValueError("the gate says so")
    return "through"


@job
def undo_nothing() -> None:
    """Compensates."""


@job
def loaded() -> None:
    """Is undone by a job of its own."""


@loaded.compensation()
def unloaded() -> None:
    """Undoes it."""


@job(limits={"vendor:x": 2})
def limited() -> None:
    """Needs a limit."""
'''
GREET = "workflow: greet\nparams: {name: {type: string, default: world}}\ntasks:\n  hello: {job: hello}\n"
GATED = """
workflow: gated
params:
  gate: {type: string}
  second: {type: string, default: ""}
tasks:
  first: {job: gated, params: {gate: "{{ params.gate }}"}}
  last: {job: hello, after: first}
"""
PLANNED = """
workflow: desk/planned
schedule: {cron: "0 5 1 1 *", timezone: UTC}
tasks:
  hello: {job: hello}
"""
WORKFLOWS = {"greet.yaml": GREET, "gated.yaml": GATED, "planned.yaml": PLANNED}
POOLS = "[pools.default]\nprocesses = 3\n"
FINAL = ("SUCCESS", "FAILED", "TERMINATED")


class House:
    """The server, as a client of it; the daemon; and what tests do with both."""

    def __init__(self, api: ApiServer, daemon: Daemon, folder: Path) -> None:
        self.api, self.daemon, self.folder = api, daemon, folder
        self._gates = 0

    def gate(self, text: str = "", *, is_open: bool = False) -> str:
        """The path of a gate that no other test has."""
        self._gates += 1
        path = self.folder / f"gate-{self._gates}"
        if is_open or text:
            path.write_text(text)
        return str(path)

    def open(self, gate: str, text: str = "") -> None:
        """Let the task through, or fail."""
        draft = Path(f"{gate}.draft")
        draft.write_text(text)
        draft.rename(gate)

    def post(self, path: str, body: Any = None, **headers: str) -> Reply:
        return self.api.post(path, body, **headers)

    def started(self, workflow: str, params: Mapping[str, Any] | None = None, **body: Any) -> int:
        """Start a workflow; the number of its instance."""
        reply = self.post(f"/workflows/{workflow}/start?wait=30", {"params": params} | body)
        assert reply.status == 201, reply.body
        return int(reply.data["instance_id"])

    def state(self, number: int) -> str:
        rows = self.api.store.read(lambda tx: tx.run("show_state", id=number, tenant="default"))
        return str(rows[0].state) if rows else ""

    def ended(self, number: int) -> str:
        """The state in which an instance has ended, which is waited for."""
        until(lambda: self.state(number) in FINAL, 30, what=f"the end of instance {number}")
        return self.state(number)

    def failed(self) -> int:
        """A new instance of `gated` that has failed."""
        number = self.started("gated", {"gate": self.gate("fail")})
        assert self.ended(number) == "FAILED"
        return number

    def running(self) -> tuple[int, str]:
        """A new instance of `gated` that runs, and its gate."""
        gate = self.gate()
        number = self.started("gated", {"gate": gate})
        until(lambda: self.task_state(number) == "RUNNING", 30, what="the task to run")
        return number, gate

    def task_state(self, number: int, ordinal: int = 0) -> str:
        rows = self.api.store.read(
            lambda tx: tx.run("show_tasks", instance_id=number, tenant="default", after=0, last=2**62, batch=9999)
        )
        return str(rows[ordinal].state) if rows else ""


@contextlib.contextmanager
def open_house(url: str, folder: Path, settings: Mapping[str, Any] | None = None) -> Iterator[House]:
    """A house over the empty store at `url`; `settings`: of the server."""
    daemon = Daemon(url, folder, plugins={"jobs.py": JOBS}, workflows=WORKFLOWS, config=POOLS)
    with daemon, ApiServer(url, settings) as api:
        yield House(api, daemon, folder)

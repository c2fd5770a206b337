"""Evidence that is independent of the engine: jobs append what they do to a file, and the file is compared with the database.

ledger = Ledger(tmp_path / "ledger")
Daemon(url, folder, plugins={"jobs.py": ledger.jobs()})      # jobs: step, boom, …; each notes start, ticks, end
ledger.notes("start")                                         # what happened, in order
ledger.overlaps()                                             # runs of one task that ran side by side
"""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Collection, Iterable
from itertools import accumulate, pairwise
from pathlib import Path
from typing import NamedTuple

TICK_S = 0.02
_JOBS = '''
"""Jobs of the fault tests: whatever they do, they note it in a ledger first."""

import json
import os
import time

from qflowd import context, job

LEDGER = {path!r}


def note(what):
    facts = context()
    line = json.dumps([what, facts.task_id, facts.fence, facts.attempt, os.getpid(), time.clock_gettime(time.CLOCK_BOOTTIME)])
    file = os.open(LEDGER, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, line.encode() + b"\\n")
    os.close(file)


def spend(seconds):
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        time.sleep(min({tick}, left))
        note("tick")


@job
def step(seconds: float = 0.0):
    note("start")
    spend(seconds)
    note("end")
    return {{"fence": context().fence}}


@job(retries=1, retry_delay="0s")
def flaky(seconds: float = 0.0):
    note("start")
    spend(seconds)
    if context().attempt == 1:
        raise RuntimeError("the first attempt fails")
    note("end")


@job
def broken(seconds: float = 0.0):
    note("start")
    spend(seconds)
    raise RuntimeError("this one always fails")
'''


class Note(NamedTuple):
    """One line of the ledger; `at` in seconds of CLOCK_BOOTTIME."""

    what: str
    task_id: int
    fence: int
    attempt: int
    pid: int
    at: float


class Ledger:
    """A file that jobs append to."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def jobs(self, more: str = "") -> str:
        """The text of a plugin with the jobs `step`, `flaky`, `broken`, and `more`, which may call note() and spend()."""
        return _JOBS.format(path=str(self.path), tick=TICK_S) + textwrap.dedent(more)

    def notes(self, *what: str) -> list[Note]:
        """All notes of these kinds, or all."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")[:-1]
        notes = [Note(*json.loads(line)) for line in lines]
        return [note for note in notes if not what or note.what in what]

    def starts(self) -> Counter[int]:
        """How often each task was started."""
        return Counter(note.task_id for note in self.notes("start"))

    def extra_starts(self) -> int:
        """Starts beyond the first of each task."""
        return sum(count - 1 for count in self.starts().values())

    def overlaps(self) -> list[str]:
        """I9: a run that still did something after the next run of the same task had begun."""
        runs: dict[int, dict[int, list[float]]] = {}
        for note in self.notes():
            runs.setdefault(note.task_id, {}).setdefault(note.fence, []).append(note.at)
        found = []
        for task_id, by_fence in runs.items():
            spans = [(min(times), max(times), fence) for fence, times in sorted(by_fence.items())]
            for (_, last, fence), (first, _, next_fence) in pairwise(spans):
                if first < last:
                    found.append(
                        f"I9: task {task_id}: fence {next_fence} began {last - first:.3f} s before {fence} ended"
                    )
        return found

    def most_at_once(self, groups: Iterable[Collection[int]]) -> list[int]:
        """Of each group of tasks, how many ran side by side at most."""
        spans: dict[int, dict[int, list[float]]] = {}
        for note in self.notes():
            spans.setdefault(note.task_id, {}).setdefault(note.fence, []).append(note.at)
        most = []
        for tasks in groups:
            runs = [times for task in tasks for times in spans.get(task, {}).values()]
            marks = sorted(mark for times in runs for mark in ((min(times), 1), (max(times), -1)))
            most.append(max(accumulate((step for _, step in marks), initial=0)))
        return most

    def disorder(self, edges: Iterable[tuple[int, int]]) -> list[str]:
        """I7: children (parent, child) that were started before their parent had an end."""
        ends: dict[int, float] = {}
        for note in self.notes("end"):
            ends.setdefault(note.task_id, note.at)
        starts: dict[int, float] = {}
        for note in self.notes("start"):
            starts.setdefault(note.task_id, note.at)
        return [
            f"I7: task {child} began before its parent {parent} had ended"
            for parent, child in edges
            if child in starts and starts[child] < ends.get(parent, float("inf"))
        ]

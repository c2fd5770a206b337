"""A crew of worker processes for one test, and the story of what it told."""

import os
import textwrap
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from qflowd.config import PoolConfig
from qflowd.jobs.manifest import Manifest, Module
from qflowd.workers.backends import Backends
from qflowd.workers.environment import worker_env
from qflowd.workers.events import Asked, Broken, Event, Finished, Returned
from qflowd.workers.log_budget import PrintedLine
from qflowd.workers.processes import Processes
from qflowd.workers.wire import Assignment, Chunk
from tests.support.daemon import BUSY

PATIENCE_S = 20.0


def manifest_of(source: str) -> bytes:
    return Manifest({"desk": Module("/srv/plugins/desk.py", textwrap.dedent(source).encode(), False, "hash")}).encode()


class Story:
    """A crew, and everything that it has told so far."""

    def __init__(self, crew: Processes) -> None:
        self.crew = crew
        self.backends = Backends({"default": crew})
        self.events: list[Event] = []
        self.outputs: dict[str, str] = {}  # by task key: what tasks that ask for it are answered
        self.lines: list[PrintedLine] = []
        self._instances = count(1)

    def send(self, job: str, tasks: int = 1, pool: str = "default", params: str = "{}", **chunk) -> list[int]:
        """Send a chunk of `tasks` tasks; their ids."""
        self.until(lambda: self.crew.room(pool))
        instance = next(self._instances) << 20
        ids = [instance + ordinal for ordinal in range(tasks)]
        self.crew.send(
            pool,
            Chunk(
                job,
                chunk.pop("module", "desk"),
                [Assignment(i, 3, 1, f"t{i - instance}", params) for i in ids],
                **chunk,
            ),
        )
        return ids

    def until(self, is_over: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        end = time.monotonic() + patience_s * BUSY
        while not is_over():
            assert time.monotonic() < end, f"not within {patience_s * BUSY} s; told: {self.events[-8:]}"
            for event in self.backends.poll(0.02):
                self.events.append(event)
                if isinstance(event, Asked) and event.key in self.outputs:
                    self.backends.answer(event, self.outputs[event.key])
            self.lines += self.backends.read_logs()

    def until_ended(self, ids: list[int]) -> None:
        self.until(lambda: set(ids) <= self.ends().keys())

    def until_seen(self, text: str, patience_s: float = PATIENCE_S) -> None:
        self.until(lambda: any(text in line.message for line in self.lines), patience_s)

    def ends(self) -> dict[int, object]:
        """Last word on each task: Done, Ended, Returned or Broken. Two of them for one task are a fault."""
        found: dict[int, object] = {}

        def add(task_id: int, end: object) -> None:
            assert task_id not in found, f"{task_id} ended twice: {found[task_id]}, {end}"
            found[task_id] = end

        for event in self.events:
            if isinstance(event, Finished):
                for result in event.results:
                    add(result.task_id, result)
            elif isinstance(event, Returned | Broken):
                add(event.task_id, event)
        return found

    def end(self, job: str, **chunk) -> object:
        """Run one task; its end."""
        ids = self.send(job, **chunk)
        self.until_ended(ids)
        return self.ends()[ids[0]]

    def all_of(self, kind: type) -> list:
        return [event for event in self.events if isinstance(event, kind)]

    def text_of(self, task_id: int) -> list[str]:
        return [line.message for line in self.lines if line.task_id == task_id]


@pytest.fixture
def hire(tmp_path) -> Iterator[Callable[..., Story]]:
    """Makes a crew that knows the jobs of a source text (module `desk`)."""
    stories: list[Story] = []

    def make(
        source: str = "", processes: int = 1, threads: int = 1, grace_s: float = 0.3, env=None, manifest=None, **more
    ) -> Story:
        sizes = {"default": PoolConfig(processes, threads)}
        crew = Processes(
            sizes, env=worker_env(os.environ) if env is None else env, cwd=str(tmp_path), run_dir=str(tmp_path),
            grace_s=grace_s, **more,
        )  # fmt: skip
        stories.append(story := Story(crew))
        crew.start(manifest or manifest_of("from qflowd import job, context, Skip, Defer\n" + textwrap.dedent(source)))
        return story

    yield make
    for story in stories:
        story.backends.close()


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


def wait_until(is_over: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
    end = time.monotonic() + patience_s * BUSY
    while not is_over():
        assert time.monotonic() < end, f"not within {patience_s * BUSY} s"
        time.sleep(0.01)

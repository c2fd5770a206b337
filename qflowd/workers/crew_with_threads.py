"""A crew with the pool `inline` beside its own: what an `Engine` inside a program runs."""

from collections.abc import Iterable, Mapping
from typing import Any

from qflowd.config.records import PoolConfig
from qflowd.workers.crew import Crew
from qflowd.workers.events import Event, StopReason
from qflowd.workers.inline import POOL, Threads
from qflowd.workers.inline_logs import ThreadLogs
from qflowd.workers.load import Loaded
from qflowd.workers.wire import Chunk


class CrewWithThreads(Crew):
    """A crew whose pool `inline` consists of threads of this process; all other pools are the crew's own.

    Args:
        functions: the jobs that run in threads, by name.
        pools: with `inline`, whose processes times threads is the number of threads.
        settings: as of `Crew`.
    """

    def __init__(self, functions: Mapping[str, Loaded], pools: Mapping[str, PoolConfig], **settings: Any) -> None:
        super().__init__({name: size for name, size in pools.items() if name != POOL}, **settings)
        self._names = tuple(functions)
        self._thread_logs = self.logs = ThreadLogs()
        self._threads = Threads(functions, pools[POOL].slots, wake=self.wake, logs=self._thread_logs)

    def start(self, manifest: bytes) -> None:
        super().start(manifest)
        self._thread_logs.listen(self._names)

    def drain(self) -> None:
        super().drain()
        self._threads.give_back(running_too=False)

    def kill_all(self) -> None:
        """As of the crew; a thread goes on, but what it held comes back all the same."""
        super().kill_all()
        self._threads.give_back(running_too=True)

    def close(self) -> None:
        self._thread_logs.stop_listening(self._names)
        self._threads.close()
        super().close()

    def room(self, pool: str) -> int:
        if pool != POOL:
            return super().room(pool)
        return 0 if self._is_draining else self._threads.room()

    def idle(self, pool: str) -> int:
        return self.room(pool) if pool == POOL else super().idle(pool)

    def busy(self, pool: str) -> int:
        return len(self._threads.held()) if pool == POOL else super().busy(pool)

    def send(self, pool: str, chunk: Chunk) -> None:
        if pool == POOL:
            self._threads.send(chunk)
        else:
            super().send(pool, chunk)

    def stop_tasks(self, task_ids: Iterable[int], reason: StopReason = "terminated") -> None:
        super().stop_tasks([number for number in task_ids if not self._threads.stop(number, reason)], reason)

    def held(self) -> set[tuple[int, int]]:
        return super().held() | self._threads.held()

    def poll(self, timeout_s: float) -> list[Event]:
        events = super().poll(self._threads.patience_s(timeout_s))
        return events + self._threads.take()

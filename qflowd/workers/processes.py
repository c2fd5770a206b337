"""The backend of pools of processes: carries tasks to workers and their ends back, whatever is killed."""

import contextlib
import os
import select
import signal
from collections.abc import Collection, Mapping

from qflowd.config.records import PoolConfig
from qflowd.model.instruments import Instruments
from qflowd.workers import orders
from qflowd.workers.backends import NEVER_US, Backend
from qflowd.workers.events import Asked, Event, Finished, Returned, StopReason
from qflowd.workers.handle import Handle, Stop
from qflowd.workers.log_budget import PrintedLine
from qflowd.workers.log_reader import LogReader
from qflowd.workers.nursery_link import NurseryLink
from qflowd.workers.page import EVERYTHING
from qflowd.workers.receive import lost_tasks, sort_messages
from qflowd.workers.supervisor import Supervisor
from qflowd.workers.task_watch import TaskWatch
from qflowd.workers.wire import Chunk, Done, Ended, Message, OutputAnswer, now_us

_BUSY_TICK_US = 10_000  # how often running tasks are looked at


class Processes(Backend):
    """Worker processes of one thread or several.

    Args:
        pools: size by name.
        env: the whole environment of the workers; see `worker_env`.
        cwd: their current folder.
        run_dir: where their output files lie (without names).
        lock_fd: a locked file that stays open until the last worker is dead; None: none.
        grace_s: from SIGTERM to SIGKILL.
        instruments: hear of workers that start and exit.
    """

    def __init__(
        self,
        pools: Mapping[str, PoolConfig],
        *,
        env: Mapping[str, str],
        cwd: str,
        run_dir: str,
        lock_fd: int | None = None,
        grace_s: float = 10.0,
        instruments: Instruments | None = None,
    ) -> None:
        instruments = instruments or Instruments()
        self._supervisor = Supervisor(
            pools, env=env, cwd=cwd, run_dir=run_dir, lock_fd=lock_fd, instruments=instruments
        )
        self._workers = self._supervisor.workers
        self._by_fd: dict[int, Handle] = {}
        # Also of dead workers, until they are read. One append or remove at a time, so any thread may read them.
        self._log_readers: list[LogReader] = []
        self._epoll = select.epoll()
        self._is_draining = False
        self._watch = TaskWatch(grace_s, self._supervisor.signal, self._drain_results)
        self._next_watch_us = 0
        self._until_us = EVERYTHING
        self._unsent: list[Event] = []
        self._results: list[Done | Ended] = []

    # -- life

    def start(self, manifest: bytes) -> None:
        """Start the nursery and all workers; they import from `manifest`. Returns before they are up."""
        self._supervisor.set_manifest(manifest)
        self._staff()

    def adopt(self, manifest: bytes) -> None:
        """A new generation: workers finish what they have begun, give back the rest, and are replaced."""
        self._supervisor.set_manifest(manifest)
        for worker in self._workers.values():
            self._retire(worker)

    def keep_alive(self, until_us: int) -> None:
        """Unless called again, the nursery kills all workers at `until_us`, and none begins a task after it."""
        self._until_us = until_us
        for worker in list(self._workers.values()):
            worker.page.live_until(until_us)
        self._supervisor.keep_alive(until_us)

    def drain(self) -> None:
        self._is_draining = True
        for worker in self._workers.values():
            if worker.open:
                self._watch.revoke(worker, now_us())

    def kill_all(self) -> None:
        """SIGKILL for every worker, now; what they held comes back through `take`."""
        for worker in self._workers.values():
            worker.is_killed = True
            self._supervisor.signal(worker, signal.SIGKILL)

    def close(self) -> None:
        """End everything; returns when all processes are gone. What is still held is not reported any more."""
        self._supervisor.close()
        self._by_fd.clear()
        self._epoll.close()

    # -- work

    def room(self, pool: str) -> int:
        """How many chunks may be sent now: per worker slot one in flight and one queued."""
        if self._extra(pool):  # slots are filled elsewhere: nothing is queued behind them
            return self.idle(pool)
        return sum(w.room() for w in self._workers.values() if w.pool == pool)

    def idle(self, pool: str) -> int:
        idle = sum(w.idle() for w in self._workers.values() if w.pool == pool)
        return max(0, idle - self._extra(pool))

    def _extra(self, pool: str) -> int:
        """How many chunks run in processes beside those that fill the pool's places."""
        return sum(len(w.parcels) for w in self._workers.values() if w.pool == pool and w.is_extra)

    def runs_in_order(self, pool: str) -> bool:
        return True

    def send(self, pool: str, chunk: Chunk) -> None:
        """Give `chunk` to the least loaded worker. Call it only while `room(pool)` is above 0."""
        if chunk.solo and any(w.slots > 1 for w in self._workers.values() if w.pool == pool):
            if not self.idle(pool):  # it needs a process of its own, which takes up a slot
                self._unsent += [Returned(task.task_id, task.fence, False) for task in chunk.tasks]
                self._next_watch_us = 0
                return
            worker = self._supervisor.add(pool, 1)
            worker.is_extra = worker.is_leaving = True
            self._listen_to(worker)
        else:
            able = [w for w in self._workers.values() if w.pool == pool and w.room()]
            if not able:
                raise LookupError(f"pool {pool}: no worker has room; ask room() first")
            worker = min(able, key=lambda w: (len(w.parcels) / w.slots, len(w.open)))
        worker.send(chunk)
        self._want_to_write(worker)
        self._next_watch_us = min(self._next_watch_us, now_us() + _BUSY_TICK_US)

    def stop(self, task_ids: Collection[int], reason: StopReason) -> None:
        """End these tasks: SIGTERM, grace, SIGKILL."""
        now = now_us()
        for task_id in task_ids:
            worker = next((w for w in self._workers.values() if task_id in w.open), None)
            if worker is not None:
                worker.stops.setdefault(task_id, Stop(reason))
                self._watch.revoke(worker, now)
        self._next_watch_us = now

    def give_back(self, task_ids: Collection[int]) -> None:
        now, wanted = now_us(), set(task_ids)
        for worker in self._workers.values():
            if wanted & (worker.open.keys() - {mark.task_id for mark in worker.page.marks()}):
                self._watch.revoke(worker, now)
                self._next_watch_us = now

    def answer(self, asked: Asked, text: str | None, error: str) -> None:
        worker = next((w for w in self._workers.values() if asked.task_id in w.open), None)
        if worker is not None and worker.open[asked.task_id].fence == asked.fence:
            worker.answer(OutputAnswer(asked.ticket, text, error))
            self._want_to_write(worker)

    def held(self) -> set[tuple[int, int]]:
        return {(task.task_id, task.fence) for worker in self._workers.values() for task in worker.open.values()}

    def pids(self) -> dict[int, str]:
        """Pool of each living worker by pid."""
        return {worker.pid: worker.pool for worker in self._workers.values() if worker.pid}

    @property
    def nursery_pid(self) -> int:
        """0: there is none now."""
        return self._supervisor.nursery.pid if self._supervisor.nursery else 0

    # -- the loop

    def fileno(self) -> int:
        return self._epoll.fileno()

    def due_us(self) -> int:
        return self._next_watch_us

    def take(self) -> list[Event]:
        events, self._unsent = self._unsent, []
        now = now_us()
        if now >= self._next_watch_us:
            self._look(now, events)
        for fd, mask in self._epoll.poll(0):
            if (nursery := self._supervisor.nursery) is not None and fd == nursery.fileno():
                self._take_reports(nursery, events)
            else:
                self._serve(fd, mask, events)
        if self._results:
            events.insert(0, Finished(self._results))
            self._results = []
        return events

    def read_logs(self) -> list[PrintedLine]:
        lines: list[PrintedLine] = []
        for reader in list(self._log_readers):
            if reader.collect(lines):
                self._log_readers.remove(reader)
                reader.close()
        return lines

    def _serve(self, fd: int, mask: int, events: list[Event]) -> None:
        worker = self._by_fd.get(fd)
        if worker is None:
            return
        if not mask & select.EPOLLOUT:
            self._receive(worker, events)
        elif worker.flush():
            self._forget_fd(fd)

    def _want_to_write(self, worker: Handle) -> None:
        """Wait until the pipe takes more, if not everything could be written at once."""
        if worker.backlog and worker.tasks_fd not in self._by_fd:
            self._by_fd[worker.tasks_fd] = worker
            self._epoll.register(worker.tasks_fd, select.EPOLLOUT)

    def _forget_fd(self, fd: int) -> None:
        if self._by_fd.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)

    def _receive(self, worker: Handle, events: list[Event]) -> bool:
        """One read of results. False: there was nothing."""
        messages, is_open = worker.receive()
        self._sort(worker, messages or [], events)
        if not is_open:
            self._forget_fd(worker.results_fd)
            self._supervisor.signal(worker, signal.SIGKILL)  # nothing reads its results any more
        return messages is not None and is_open

    def _sort(self, worker: Handle, messages: list[Message], events: list[Event]) -> None:
        if messages:
            sort_messages(worker, messages, self._results, events)
            worker.forget_answered()
            if not worker.open:
                worker.revoked_us = 0
                if worker.is_leaving:
                    self._let_go(worker)

    def _drain_results(self, worker: Handle, events: list[Event]) -> None:
        """Take in all messages of the worker, also those that still lie in its page."""
        self._read_on(worker, events)
        self._sort(worker, worker.staged(), events)
        self._read_on(worker, events)  # it may have been sent just before the look at the page

    def _read_on(self, worker: Handle, events: list[Event]) -> None:
        while worker.results_fd in self._by_fd and self._receive(worker, events):
            pass

    def _look(self, now: int, events: list[Event]) -> None:
        """The time-driven part: empty places, long tasks, limits."""
        if not self._is_draining:
            self._staff()
        busy = [worker for worker in self._workers.values() if worker.open]
        for worker in busy:
            self._watch.look(worker, now, events)
        self._watch.check_memory(busy, now)
        self._next_watch_us = min(
            now + _BUSY_TICK_US if busy else NEVER_US,
            NEVER_US if self._is_draining else self._supervisor.next_start_us(),
        )

    # -- workers come and go

    def _staff(self) -> None:
        """Start the nursery if there is none, and a worker for each empty place whose time has come."""
        if (nursery := self._supervisor.start_nursery()) is not None:
            self._epoll.register(nursery, select.EPOLLIN)
        for worker in self._supervisor.fill_places():
            self._listen_to(worker)

    def _listen_to(self, worker: Handle) -> None:
        worker.page.live_until(self._until_us)
        self._by_fd[worker.results_fd] = worker
        self._epoll.register(worker.results_fd, select.EPOLLIN)
        self._log_readers.append(worker.log_reader)

    def _retire(self, worker: Handle) -> None:
        """Let it finish what it has begun; it gives back the rest and exits."""
        worker.is_leaving = True
        self._watch.revoke(worker, now_us())
        if not worker.open:
            self._let_go(worker)
        elif worker.slots > 1:  # its other slots would be idle as long as one task runs
            worker.is_extra = True
            self._supervisor.leave_place(worker)
            self._next_watch_us = 0

    def _let_go(self, worker: Handle) -> None:
        """Close its pipe: an idle worker exits at once."""
        self._forget_fd(worker.tasks_fd)
        if worker.tasks_fd >= 0:
            os.close(worker.tasks_fd)
            worker.tasks_fd = -1

    def _take_reports(self, nursery: NurseryLink, events: list[Event]) -> None:
        reports, is_alive = nursery.reports()
        for report in reports:
            worker = self._workers.get(report.number)
            if worker is None:
                continue
            if isinstance(report, orders.Spawned):
                worker.pid = report.pid
            else:
                self._remove(worker, report, events)
        if not is_alive:
            self._epoll.unregister(nursery)
            for worker in self._supervisor.lose_nursery(nursery):
                self._remove(worker, orders.Exited(worker.number, -1), events)
        self._next_watch_us = 0

    def _remove(self, worker: Handle, report: orders.Exited, events: list[Event]) -> None:
        self._drain_results(worker, events)
        events += lost_tasks(worker, report)
        for fd in (worker.tasks_fd, worker.results_fd):
            self._forget_fd(fd)
        self._supervisor.remove(worker, report)

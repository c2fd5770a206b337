"""Looks at running tasks now and then: tells of long ones, and acts on stalls, timeouts, memory and orders to stop."""

import signal
import time
from collections.abc import Callable, Iterable

from qflowd.model.durations import MB
from qflowd.workers import linux
from qflowd.workers.events import Event, Returned, Running
from qflowd.workers.handle import Handle, Stop
from qflowd.workers.page import EVERYTHING, NOT_COUNTED, Mark
from qflowd.workers.wire import Chunk

RUNNING_AFTER_US = 200_000
_LOOK_AFTER_US = 20_000
_STALL_US = 50_000
_SETTLE_US = 5_000  # from the revocation to the look at what began all the same
_MEMORY_EVERY_US = 100_000
_WALK_SHARE = 20  # walks over /proc take at most this part (1/20) of the time


class TaskWatch:
    """Rules of time for running tasks; all times come in as arguments."""

    def __init__(
        self,
        grace_s: float,
        send_signal: Callable[[Handle, int], None],
        drain_results: Callable[[Handle, list[Event]], None],
    ) -> None:
        self._grace_us = round(grace_s * 1e6)
        self._send_signal = send_signal
        self._drain_results = drain_results
        self._next_memory_us = 0

    def look(self, worker: Handle, now: int, events: list[Event]) -> None:
        """One look at one worker that holds tasks."""
        if worker.revoked_us and now - worker.revoked_us >= _SETTLE_US:
            self._take_unstarted(worker, events)
        marks = [mark for mark in worker.page.marks() if now - mark.started_us >= _LOOK_AFTER_US]
        if marks:
            self._drain_results(worker, events)  # what ended before these waits for no other result any more
        worker.reported.intersection_update(marks)
        for mark in marks:
            if mark.task_id in worker.open:
                self._look_at_task(worker, mark, now, events)
        for task_id, stop in list(worker.stops.items()):
            if task_id not in worker.open:
                del worker.stops[task_id]
            else:
                self._press(worker, task_id, stop, now)

    def revoke(self, worker: Handle, now: int) -> None:
        """What this worker has not begun comes back, at once or as soon as it is certain that it will not begin."""
        worker.page.revoke(worker.seq if not worker.is_leaving else EVERYTHING)
        worker.revoked_us = worker.revoked_us or now

    def _take_unstarted(self, worker: Handle, events: list[Event]) -> None:
        """The worker has had time to see the revocation: no parcel up to it can begin any more.

        Marks first, then results: what ended before the mark moved on is in the pipe by now.
        """
        marked = {mark.task_id for mark in worker.page.marks()}
        self._drain_results(worker, events)
        back = worker.take_back([task_id for task_id in worker.open if task_id not in marked])
        events += [Returned(task.task_id, task.fence, False) for task in back]
        # A single slot that runs something slow gets nothing behind it; other slots are free again.
        if not worker.open or worker.slots > 1:
            worker.revoked_us = 0

    def _look_at_task(self, worker: Handle, mark: Mark, now: int, events: list[Event]) -> None:
        age = now - mark.started_us
        if age >= RUNNING_AFTER_US and mark not in worker.reported:
            worker.reported.add(mark)
            events.append(Running(mark.task_id, mark.fence, mark.started_us))
        chunk = worker.chunk_of(mark.task_id)
        if chunk is None:
            return
        if age > chunk.estimate_s * 1e6 + _STALL_US and _is_in_the_way(worker, chunk, mark):
            self.revoke(worker, now)
        if chunk.timeout_s is not None and age > chunk.timeout_s * 1e6:
            worker.stops.setdefault(mark.task_id, Stop("timeout"))

    def _press(self, worker: Handle, task_id: int, stop: Stop, now: int) -> None:
        """TERM once the task is seen to run, KILL after the grace."""
        if stop.mark is None:
            mark = next((mark for mark in worker.page.marks() if mark.task_id == task_id), None)
            if mark is not None:
                stop.mark, stop.asked_us = mark, now
                stop.kill_at_us = now + self._grace_us
                worker.page.ask_to_stop(mark)
                self.revoke(worker, now)
                self._send_signal(worker, signal.SIGTERM)
        elif now >= stop.kill_at_us:
            stop.kill_at_us = now + 1_000_000
            self._send_signal(worker, signal.SIGKILL)

    def check_memory(self, workers: Iterable[Handle], now: int) -> None:
        """Kill workers that are over the limit of what they run."""
        if now < self._next_memory_us:
            return
        running = [(worker, worker.page.marks()) for worker in workers if worker.pid]
        limited = [(worker, limit, marks) for worker, marks in running if (limit := _limit(worker, marks))]
        if not limited:
            return
        started = time.monotonic()
        families = linux.families(worker.pid for worker, _, _ in limited)
        for worker, limit, marks in limited:
            family = families[worker.pid]
            taken = linux.memory_of(family) - min(map(worker.page.memory_before, marks))
            if taken > limit:
                number = "1 process" if len(family) == 1 else f"{len(family)} processes"
                self._kill_over_limit(worker, marks, now, f"{taken / MB:.0f} MB in {number}")
        took_us = (time.monotonic() - started) * 1e6
        self._next_memory_us = now + max(_MEMORY_EVERY_US, round(took_us * _WALK_SHARE))

    def _kill_over_limit(self, worker: Handle, measured: list[Mark], now: int, taken: str) -> None:
        """`measured`: what ran when its memory was looked at. Nothing else begins from here on."""
        self.revoke(worker, now)
        if len(measured) == 1:
            [mark] = measured
            if mark not in worker.page.marks():
                return  # it has just ended, and what follows it is not to blame
            worker.stops[mark.task_id] = Stop("memory", mark, now, now, taken)
        worker.is_leaving = True
        self._send_signal(worker, signal.SIGKILL)


def _limit(worker: Handle, marks: list[Mark]) -> int:
    """The limit in force: the sum where several tasks run side by side and each has one."""
    if NOT_COUNTED in map(worker.page.memory_before, marks):
        return 0
    chunks = [worker.chunk_of(mark.task_id) for mark in marks]
    limits = [chunk.memory if chunk else None for chunk in chunks]
    return sum(limit for limit in limits if limit) if limits and all(limits) else 0


def _is_in_the_way(worker: Handle, chunk: Chunk, mark: Mark) -> bool:
    """Whether tasks wait behind it: in its own chunk, or in the only slot."""
    if worker.revoked_us:
        return False
    if worker.slots == 1:
        return len(worker.open) > 1
    return any(task.task_id in worker.open for task in chunk.tasks if task.task_id != mark.task_id)

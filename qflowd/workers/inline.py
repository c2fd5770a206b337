"""Jobs in threads of this very process: functions that no worker could import, such as closures.

A thread cannot be killed. A job that runs out of time is answered for and left alone; what it still says is not heard.
"""

import asyncio
import contextlib
import itertools
import os
import sys
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import msgspec

from qflowd.jobs.context import Context, Facts, running
from qflowd.jobs.decorators import InvalidJob
from qflowd.model.jsontext import clean_text
from qflowd.workers.ends import encode_output, ended_by
from qflowd.workers.events import Broken, Checkpointed, Event, Finished, Progressed, Returned, Running, StopReason
from qflowd.workers.inline_logs import ThreadLogs
from qflowd.workers.load import Loaded
from qflowd.workers.sink import Author
from qflowd.workers.task_context import facts_of
from qflowd.workers.watch import RUNNING_AFTER_US
from qflowd.workers.wire import Assignment, Chunk, Done, Ended, now_us

POOL: Final = "inline"  # the pool of all jobs in threads, and of nothing else
MOST_LOST: Final = 32  # threads that have run out of time and go on; beyond it each one takes up a slot
_TICK_S = 0.02  # how often running jobs are looked at
_STALL_US = 1_000_000  # what has waited so long for a thread goes back
_OURS = f"{Path(__file__).parents[1]}{os.sep}"
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True, eq=False)
class _Run:
    """One task on its way through a thread."""

    chunk: Chunk
    task: Assignment
    flight: int
    sent_us: int
    started_us: int = 0  # 0: it waits for a thread
    ident: int = 0  # of its thread
    cancel: Callable[[], object] | None = None
    is_told: bool = False  # Running went out
    is_lost: bool = False  # answered for already

    def ask_to_end(self) -> None:
        with contextlib.suppress(RuntimeError):  # its event loop has just ended by itself
            if self.cancel is not None:
                self.cancel()


class Threads:
    """The pool `inline`. Its owner (one thread) sends and takes; `wake` is called when there is something to take."""

    def __init__(
        self, functions: Mapping[str, Loaded], slots: int, *, wake: Callable[[], None], logs: ThreadLogs
    ) -> None:
        self._functions = functions
        self._slots = slots
        self._wake = wake
        self._logs = logs
        self._lock = threading.Condition()
        self._waiting: deque[_Run] = deque()
        self._open: dict[int, _Run] = {}  # sent and not answered
        self._flights: Counter[int] = Counter()  # number of a chunk -> its open tasks
        self._flight_numbers = itertools.count(1)
        self._events: list[Event] = []
        self._results: list[Done | Ended] = []
        self._alive = self._idle = self._lost = 0  # threads; the lost ones are not among the living
        self._is_closed = False

    # -- for the owner

    def room(self) -> int:
        """How many chunks may be sent now."""
        with self._lock:
            return max(0, self._capacity() - len(self._flights))

    def held(self) -> set[tuple[int, int]]:
        """(task_id, fence) of everything sent and not answered."""
        with self._lock:
            return {(run.task.task_id, run.task.fence) for run in self._open.values()}

    def patience_s(self, longest_s: float) -> float:
        """Seconds until `take` should be called, unless `wake` comes first."""
        return min(longest_s, _TICK_S) if self._open else longest_s

    def send(self, chunk: Chunk) -> None:
        """Run the tasks of `chunk`, side by side as far as threads are free."""
        now, flight = now_us(), next(self._flight_numbers)
        with self._lock:
            for task in chunk.tasks:
                run = self._open[task.task_id] = _Run(chunk, task, flight, now)
                self._waiting.append(run)
            self._flights[flight] += len(chunk.tasks)
            while self._alive < self._capacity() and self._idle < len(self._waiting):
                self._start_thread()
            self._lock.notify_all()

    def take(self) -> list[Event]:
        """What has happened since the last call."""
        now = now_us()
        with self._lock:
            for run in list(self._open.values()):
                self._look(run, now)
            events, self._events = self._events, []
            results, self._results = self._results, []
        return [Finished(results), *events] if results else events

    def stop(self, task_id: int, reason: StopReason) -> bool:
        """Be done with a task, whether its thread is or not. False: it is not here."""
        with self._lock:
            run = self._open.get(task_id)
            if run is None:
                return False
            self._give_up(run, reason)
        self._wake()
        return True

    def give_back(self, *, running_too: bool) -> None:
        """What has not begun comes back; and with `running_too` everything."""
        with self._lock:
            for run in list(self._waiting if not running_too else self._open.values()):
                self._return(run)
        self._wake()

    def close(self) -> None:
        """Let idle threads end. Those that are at work end when they are through, unheard."""
        with self._lock:
            self._is_closed = True
            for run in list(self._open.values()):
                self._return(run)
            self._events.clear()
            self._lock.notify_all()

    # -- under the lock

    def _capacity(self) -> int:
        return max(0, self._slots - max(0, self._lost - MOST_LOST))

    def _start_thread(self) -> None:
        self._alive += 1
        self._idle += 1  # until it takes its first task
        threading.Thread(target=self._work, name="qflowd-inline", daemon=True).start()

    def _look(self, run: _Run, now: int) -> None:
        if not run.started_us:
            if now - run.sent_us > _STALL_US:
                self._return(run)
            return
        age, timeout_s = now - run.started_us, run.chunk.timeout_s
        if timeout_s is not None and age > timeout_s * 1e6:
            self._give_up(run, "timeout")
        elif age >= RUNNING_AFTER_US and not run.is_told:
            run.is_told = True
            self._events.append(Running(run.task.task_id, run.task.fence, run.started_us))

    def _give_up(self, run: _Run, reason: StopReason) -> None:
        if not run.started_us:
            self._return(run)
            return
        task = run.task
        where = _where_it_is(run.ident)
        self._events.append(
            Broken(task.task_id, task.fence, reason, started_us=run.started_us, traceback=where, is_given_up=True)
        )
        self._lose(run)

    def _return(self, run: _Run) -> None:
        self._events.append(Returned(run.task.task_id, run.task.fence, False))
        if run.started_us:
            self._lose(run)
        else:
            self._waiting.remove(run)
            self._close(run)

    def _lose(self, run: _Run) -> None:
        """Its thread goes on alone; another one takes its place."""
        run.is_lost = True
        self._close(run)
        self._alive -= 1
        self._lost += 1
        run.ask_to_end()
        if self._waiting and not self._is_closed and self._alive < self._capacity():
            self._start_thread()

    def _close(self, run: _Run) -> None:
        del self._open[run.task.task_id]
        self._flights[run.flight] -= 1
        if not self._flights[run.flight]:
            del self._flights[run.flight]

    # -- in the threads

    def _work(self) -> None:
        author = Author()
        self._logs.adopt_thread(author)
        while (run := self._next()) is not None:
            author.begin(run.task)
            result = self._attempt(run)
            if not self._answer(run, result):
                return

    def _next(self) -> _Run | None:
        """The next task; None at the end. A thread without a task counts as idle."""
        with self._lock:
            while not self._waiting and not self._is_closed:
                self._lock.wait()
            self._idle -= 1
            if self._is_closed:
                self._alive -= 1
                return None
            run = self._waiting.popleft()
            run.started_us = now_us()
            run.ident = threading.get_ident()
            return run

    def _answer(self, run: _Run, result: Ended) -> bool:
        """Tell how it ended. False: that was told before, and this thread has been replaced."""
        with self._lock:
            if run.is_lost:
                self._lost -= 1
                return False
            self._close(run)
            self._idle += 1
            self._results.append(result)
        self._wake()
        return True

    def _attempt(self, run: _Run) -> Ended:
        task, cpu_s = run.task, time.thread_time()
        try:
            value = self._call(run)
            ended = Ended(task.task_id, task.fence, "success", None if value is None else encode_output(value))
        except BaseException as raised:  # noqa: BLE001 - whatever a job raises is its outcome
            ended = ended_by(raised, task, is_stopped=False)
        cpu_s = round(time.thread_time() - cpu_s, 6)
        return msgspec.structs.replace(ended, started_us=run.started_us, ended_us=now_us(), cpu_s=cpu_s)

    def _call(self, run: _Run) -> Any:
        job = self._functions.get(run.chunk.job)
        if job is None:
            raise InvalidJob(f"job {run.chunk.job} runs in worker processes; give its task another pool than {POOL}")
        params = _decode(run.task.params)
        arguments = job.signature.bind(params)
        context = Context(facts_of(run.chunk, run.task, params), self)
        self._let_cancel(run, context.mark_cancelled)
        with running(context):
            if job.is_async:
                return asyncio.run(self._await(run, context, partial(job.function, **arguments)))
            return job.function(**arguments)

    async def _await(self, run: _Run, context: Context, function: Callable[[], Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker

        def cancel() -> None:
            context.mark_cancelled()
            loop.call_soon_threadsafe(task.cancel)

        loop = asyncio.get_running_loop()
        self._let_cancel(run, cancel)
        return await function()

    def _let_cancel(self, run: _Run, cancel: Callable[[], object]) -> None:
        with self._lock:
            run.cancel = cancel
            if run.is_lost:
                run.ask_to_end()

    # -- what a running job says: the channel of its context()

    def send_progress(self, facts: Facts, done: float, total: float | None, text: str) -> None:
        self._say(facts, Progressed(facts.task_id, facts.fence, done, total, clean_text(text)))

    def send_save(self, facts: Facts, value: bytes) -> None:
        self._say(facts, Checkpointed(facts.task_id, facts.fence, value.decode()))

    def _say(self, facts: Facts, event: Event) -> None:
        with self._lock:
            run = self._open.get(facts.task_id)
            if run is None or run.task.fence != facts.fence:
                return
            self._events.append(event)
        self._wake()


def _where_it_is(ident: int) -> str | None:
    """The stack of a thread, from the first frame that is the user's."""
    frame = sys._current_frames().get(ident)  # noqa: SLF001 - there is no other way to look into a thread
    if frame is None:
        return None
    stack = traceback.extract_stack(frame)
    first = next((i for i, line in enumerate(stack) if line.filename.startswith(_OURS)), 0)
    theirs = [line for line in stack[first:] if not line.filename.startswith(_OURS)]
    text = "".join(traceback.StackSummary.from_list(theirs).format())
    return clean_text(f"Its thread goes on, unheard. Where it was (most recent call last):\n{text}")

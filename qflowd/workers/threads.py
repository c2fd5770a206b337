"""The backend of the pool `inline`: threads of this very process, for functions that no worker could import.

A thread cannot be killed. A job that times out is reported and left alone; later output is dropped.
"""

import asyncio
import contextlib
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Collection, Coroutine, Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from types import CoroutineType
from typing import Any, Final

import msgspec

from qflowd.config.records import PoolConfig
from qflowd.jobs.context import Facts, running
from qflowd.jobs.decorators import InvalidJob
from qflowd.model.errors import QflowdError
from qflowd.model.jsontext import clean_text
from qflowd.workers.backends import NEVER_US, Backend, Bell
from qflowd.workers.events import (
    Asked,
    Broken,
    Checkpointed,
    Event,
    Finished,
    Progressed,
    Returned,
    Running,
    StopReason,
)
from qflowd.workers.job_loader import Loaded
from qflowd.workers.log_budget import PrintedLine
from qflowd.workers.task_context import TaskContext
from qflowd.workers.task_result import OURS, encode_output, ended_by
from qflowd.workers.task_watch import RUNNING_AFTER_US
from qflowd.workers.thread_logs import ThreadLogs
from qflowd.workers.wire import Assignment, Chunk, Done, Ended, now_us

INLINE: Final = "inline"  # the pool of all jobs in threads, and of nothing else
MOST_LOST: Final = 32  # threads that have run out of time and still run; beyond it each one takes up a slot
_TICK_US = 20_000  # how often running jobs are looked at
_STALL_US = 1_000_000  # what has waited so long for a thread goes back
_decode = msgspec.json.Decoder(dict[str, Any]).decode


@dataclass(slots=True, eq=False)
class _Run:
    """One task on its way through a thread."""

    chunk: Chunk
    task: Assignment
    context: TaskContext
    sent_us: int
    started_us: int = 0  # 0: it waits for a thread
    ident: int = 0  # of its thread
    coroutine: "asyncio.Task[Any] | None" = None
    is_reported: bool = False  # Running went out

    def ask_to_end(self) -> None:
        self.context.mark_cancelled()
        if self.coroutine is not None:
            with contextlib.suppress(RuntimeError):  # its event loop has just ended by itself
                self.coroutine.get_loop().call_soon_threadsafe(self.coroutine.cancel)


class Threads(Backend):
    """At most `size.slots` threads, which live as long as there is something to run.

    Args:
        functions: the jobs that run here, by name.
    """

    def __init__(self, functions: Mapping[str, Loaded], size: PoolConfig) -> None:
        self._functions = functions
        self._slots = size.slots
        self._logs = ThreadLogs()
        self._bell = Bell()
        self._lock = threading.Condition()
        self._tickets = count(1)
        self._answers: dict[int, tuple[str | None, str]] = {}  # by ticket
        self._waiting: deque[_Run] = deque()
        self._open: dict[int, _Run] = {}  # sent and not answered
        self._events: list[Event] = []
        self._results: list[Done | Ended] = []
        self._alive = self._lost = 0  # threads; a lost one is not counted as alive
        self._due_us = self._until_us = NEVER_US

    def start(self, manifest: bytes) -> None:
        self._logs.listen(self._functions)

    def keep_alive(self, until_us: int) -> None:
        """What a thread has begun cannot be killed, but nothing begins after `until_us`."""
        self._until_us = until_us

    def adopt(self, manifest: bytes) -> None:
        """The functions are the program's, and stay."""

    def room(self, pool: str) -> int:
        with self._lock:
            return max(0, self._capacity() - len({id(run.chunk) for run in self._open.values()}))

    def idle(self, pool: str) -> int:
        return self.room(pool)

    def send(self, pool: str, chunk: Chunk) -> None:
        """Run the tasks of `chunk`, side by side as far as threads are free."""
        now = now_us()
        with self._lock:
            runs = [_Run(chunk, task, TaskContext(self, chunk, task), now) for task in chunk.tasks]
            self._open.update((run.task.task_id, run) for run in runs)
            self._waiting += runs
            self._start_threads()
        self._due_us = min(self._due_us, now + _TICK_US)

    def stop(self, task_ids: Collection[int], reason: StopReason) -> None:
        """Be done with these tasks, whether their threads are or not."""
        with self._lock:
            for run in [self._open[number] for number in task_ids if number in self._open]:
                self._give_up(run, reason)
        self._bell.ring()

    def give_back(self, task_ids: Collection[int]) -> None:
        wanted = set(task_ids)
        with self._lock:
            self._give_back([run for run in self._waiting if run.task.task_id in wanted])

    def answer(self, asked: Asked, text: str | None, error: str) -> None:
        with self._lock:
            self._answers[asked.ticket] = text, error
            self._lock.notify_all()

    def held(self) -> set[tuple[int, int]]:
        with self._lock:
            return {(run.task.task_id, run.task.fence) for run in self._open.values()}

    def fileno(self) -> int:
        return self._bell.fileno()

    def due_us(self) -> int:
        return self._due_us

    def take(self) -> list[Event]:
        self._bell.reset()
        now = now_us()
        with self._lock:
            for run in list(self._open.values()):
                self._look(run, now)
            self._due_us = now + _TICK_US if self._open else NEVER_US
            events, self._events = self._events, []
            results, self._results = self._results, []
        return [Finished(results), *events] if results else events

    def read_logs(self) -> list[PrintedLine]:
        return self._logs.take()

    def drain(self) -> None:
        self._give_back(self._waiting)

    def kill_all(self) -> None:
        """A thread continues, but what it held comes back all the same."""
        self._give_back(self._open.values())

    def close(self) -> None:
        """Those threads that are at work end when they are through; their output is dropped."""
        self._logs.stop_listening(self._functions)
        self.kill_all()
        self._bell.close()

    # -- under the lock

    def _capacity(self) -> int:
        return max(0, self._slots - max(0, self._lost - MOST_LOST))

    def _start_threads(self) -> None:
        for _ in range(min(len(self._waiting), self._capacity() - self._alive)):
            self._alive += 1
            threading.Thread(target=self._work, name="qflowd-inline", daemon=True).start()

    def _look(self, run: _Run, now: int) -> None:
        if not run.started_us:
            if now - run.sent_us > _STALL_US:
                self._give_up(run)
            return
        age, timeout_s = now - run.started_us, run.chunk.timeout_s
        if timeout_s is not None and age > timeout_s * 1e6:
            self._give_up(run, "timeout")
        elif age >= RUNNING_AFTER_US and not run.is_reported:
            run.is_reported = True
            self._events.append(Running(run.task.task_id, run.task.fence, run.started_us))

    def _give_up(self, run: _Run, reason: StopReason | None = None) -> None:
        """Answer for it, whether its thread is done or not: Broken for that reason if it has begun, or else Returned."""
        task = run.task
        if reason is None or not run.started_us:
            self._events.append(Returned(task.task_id, task.fence, False))
        else:
            where = _where_it_is(run.ident)
            self._events.append(
                Broken(task.task_id, task.fence, reason, started_us=run.started_us, traceback=where, is_given_up=True)
            )
        del self._open[task.task_id]
        if not run.started_us:
            self._waiting.remove(run)
            return
        self._alive -= 1  # its thread continues alone; another one takes its place
        self._lost += 1
        run.ask_to_end()
        self._start_threads()
        self._lock.notify_all()

    # -- outside

    def _give_back(self, runs: Iterable[_Run]) -> None:
        with self._lock:
            for run in sorted(runs, key=lambda run: run.started_us):  # else a place would be filled with what waits
                self._give_up(run)
        self._bell.ring()

    # -- in the threads

    def _work(self) -> None:
        while (run := self._next()) is not None:
            result = self._attempt(run)
            self._logs.finish(run.task)
            with self._lock:
                if not self._is_open(run.task):  # it was answered for, and this thread has been replaced
                    self._lost -= 1
                    return
                del self._open[run.task.task_id]
                self._results.append(result)
            self._bell.ring()

    def _next(self) -> _Run | None:
        with self._lock:
            if not self._waiting or self._alive > self._capacity() or now_us() >= self._until_us:
                self._alive -= 1
                return None
            run = self._waiting.popleft()
            run.started_us, run.ident = now_us(), threading.get_ident()
            return run

    def _attempt(self, run: _Run) -> Ended:
        task, cpu_s = run.task, time.thread_time()
        try:
            value = self._call(run)
            output = None if value is None else encode_output(value)
            spawns = run.context.spawns
            ended = Ended(
                task.task_id, task.fence, "success", output, spawned=None if spawns is None else spawns.text()
            )
        except BaseException as raised:  # noqa: BLE001 - whatever a job raises is its outcome
            ended = ended_by(raised, task, is_stopped=False)
        cpu_s = round(time.thread_time() - cpu_s, 6)
        return msgspec.structs.replace(ended, started_us=run.started_us, ended_us=now_us(), cpu_s=cpu_s)

    def _call(self, run: _Run) -> Any:
        job = self._functions.get(run.chunk.job)
        if job is None:
            raise InvalidJob(f"job {run.chunk.job} runs in worker processes; give its task another pool than {INLINE}")
        arguments = job.signature.bind(_decode(run.chunk.params_of(run.task)))
        with running(run.context):
            value = job.function(**arguments)
            return asyncio.run(self._await(run, value)) if type(value) is CoroutineType else value

    async def _await(self, run: _Run, coroutine: Coroutine[Any, Any, Any]) -> Any:
        with self._lock:
            run.coroutine = asyncio.current_task()
            if not self._is_open(run.task):
                run.ask_to_end()
        return await coroutine

    # -- the channel of a running job's context()

    is_cut_off: Final = False

    def send_progress(self, facts: Facts, done: float, total: float | None, text: str) -> None:
        self._emit(facts, Progressed(facts.task_id, facts.fence, done, total, clean_text(text)))

    def send_save(self, facts: Facts, value: bytes) -> None:
        self._emit(facts, Checkpointed(facts.task_id, facts.fence, value.decode()))

    def fetch_output(self, facts: Facts, key: str, number: int) -> bytes:
        ticket = next(self._tickets)
        self._emit(facts, Asked(facts.task_id, facts.fence, key, ticket))
        with self._lock:
            self._lock.wait_for(lambda: ticket in self._answers or not self._is_open(facts))
            text, error = self._answers.pop(ticket, (None, "the attempt is over"))
        if text is None:
            raise QflowdError(error)
        return text.encode()

    def _emit(self, facts: Facts, event: Event) -> None:
        with self._lock:
            if self._is_open(facts):
                self._events.append(event)
        self._bell.ring()

    def _is_open(self, attempt: Assignment | Facts) -> bool:
        run = self._open.get(attempt.task_id)
        return run is not None and run.task.fence == attempt.fence


def _where_it_is(ident: int) -> str | None:
    """The stack of a thread, from the first frame that is the user's."""
    frame = sys._current_frames().get(ident)  # noqa: SLF001 - there is no other way to look into a thread
    if frame is None:
        return None
    stack = traceback.extract_stack(frame)
    first = next((i for i, line in enumerate(stack) if line.filename.startswith(OURS)), 0)
    theirs = [line for line in stack[first:] if not line.filename.startswith(OURS)]
    text = "".join(traceback.StackSummary.from_list(theirs).format())
    return clean_text(
        f"Its thread still runs, but its output is dropped. Where it was (most recent call last):\n{text}"
    )

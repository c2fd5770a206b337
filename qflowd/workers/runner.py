"""Runs the tasks of one slot, one after the other. This is the hot path of a worker."""

import ctypes
import logging
import os
import resource
import threading
import time
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from types import CoroutineType
from typing import Any

import msgspec

from qflowd.jobs.context import Facts
from qflowd.model.jsontext import clean_text
from qflowd.workers import linux, wire
from qflowd.workers.children import SOONEST_US, end_children
from qflowd.workers.inbox import Inbox
from qflowd.workers.job_loader import JobLoader, Loaded
from qflowd.workers.page import NOT_COUNTED, Page
from qflowd.workers.process_state import ProcessState
from qflowd.workers.sink import NOBODY, Sink
from qflowd.workers.task_context import TaskContext, Variables
from qflowd.workers.task_result import Stopped, encode_output, ended_by
from qflowd.workers.wire import Assignment, Chunk, Done, Ended, Parcel

_TOGETHER_US = 1000  # results of short tasks are sent no later than so long after the first
_LONG_US = 1000  # a task that takes so long can afford a thorough look at what it has changed
_MEASURED_US = 500_000  # from here on CPU time is told of every task
_BOOTTIME = time.CLOCK_BOOTTIME
_clock_ns = time.clock_gettime_ns
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Results:
    """The pipe to the daemon; every message is in one write. Also the `Channel` of `context()`.

    Args:
        page: where results wait for others; None: several slots share the pipe, and none waits.
    """

    def __init__(self, fd: int, inbox: Inbox, page: Page | None) -> None:
        self._fd, self._inbox, self._page = fd, inbox, page
        self._lock = threading.RLock()  # threads may outlive their task, and a job's signal handler may send too
        self._since_us = 0  # when the first of those that wait ended
        self.is_cut_off = False

    def send(self, message: wire.Message) -> None:
        data = wire.encode_line(message) + b"\n"
        with self._lock:
            if self._page is None:
                self._write(data)
            else:
                self._write(self._page.staged() + data)
                self._page.clear_stage()
                self._since_us = 0

    def send_soon(self, done: Done) -> None:
        """Together with what follows within a millisecond. If this process is lost before, the daemon finds it in the page."""
        with self._lock:
            self._since_us = self._since_us or done.ended_us
            is_due = done.ended_us - self._since_us >= _TOGETHER_US
            if is_due or self._page is None or not self._page.stage(wire.encode_line(done) + b"\n"):
                self.send(done)

    def cut_off(self) -> None:
        """This is a fork of the worker: the page is not its own, and threads that held the lock are not here."""
        self._page, self._lock, self.is_cut_off = None, threading.RLock(), True

    def _write(self, data: bytes) -> None:
        try:
            written = os.write(self._fd, data)
            while written < len(data):  # a signal came between
                written += os.write(self._fd, memoryview(data)[written:])
        except BaseException:  # it asked the task to stop: half a message must not spoil the next one
            os.write(self._fd, b"\n")
            raise

    def send_progress(self, facts: Facts, done: float, total: float | None, text: str) -> None:
        self.send(wire.Progressed(facts.task_id, facts.fence, done, total, clean_text(text)))

    def send_save(self, facts: Facts, value: bytes) -> None:
        self.send(wire.Checkpointed(facts.task_id, facts.fence, value.decode()))

    def fetch_output(self, facts: Facts, key: str, number: int) -> bytes:
        ask = partial(wire.Asked, facts.task_id, facts.fence, key)
        return self._inbox.fetch(number, lambda ticket: self.send(ask(ticket)))


class RawOutput:
    """How far the raw files of descriptors 1 and 2 have been written."""

    def __init__(self, stdout_fd: int, stderr_fd: int) -> None:
        self._files = (stdout_fd, stderr_fd)  # a job may close or replace 1 and 2, not these
        self.stdout_end = self.stderr_end = 0

    def has_grown(self) -> bool:
        """Whether something was written since the last call, or 1 and 2 are no longer ours (then they are repaired)."""
        try:
            ends = os.lseek(1, 0, os.SEEK_END), os.lseek(2, 0, os.SEEK_END)
        except OSError:
            ends = (-1, -1)
        if ends == (self.stdout_end, self.stderr_end):
            return False
        before = self.stdout_end, self.stderr_end
        for fd, kept in enumerate(self._files, start=1):
            os.dup2(kept, fd)
        self.stdout_end, self.stderr_end = (os.lseek(fd, 0, os.SEEK_END) for fd in self._files)
        return before != (self.stdout_end, self.stderr_end)


class Runner:
    """One slot of a worker. `stop` may be called from the handler of SIGTERM."""

    def __init__(
        self, slot: int, page: Page, jobs: JobLoader, results: Results, sink: Sink, raw: RawOutput, state: ProcessState
    ) -> None:
        self.slot = slot
        self.is_in_task = False
        self.is_leaving = False  # alone: the process is to end after the task in hand
        self.is_raised = False  # in threads: an exception is on its way
        self.lock = threading.Lock()
        self._page = page
        self._jobs = jobs
        self._results = results
        self._sink = sink
        self._raw = raw
        self._state = state
        self._alone = page.slots == 1
        self._loop = AsyncLoop()
        self._loaded_us = 0
        self._cpu_s = 0.0
        self._variables = Variables(alone=self._alone)
        self._attempt = NOBODY

    def run(self, parcel: Parcel) -> None:
        """Run the tasks of `parcel` until it is revoked; every task gets an answer."""
        chunk, seq = parcel.chunk, parcel.seq
        words, base, page = self._page.words, self._page.base(self.slot), self._page
        self._take_cpu()
        for index, task in enumerate(chunk.tasks):
            started_us = _clock_ns(_BOOTTIME) // 1000
            words[base] = started_us
            words[base + 1] = task.fence
            words[base + 3] = task.attempt
            words[base + 5] = NOT_COUNTED
            words[base + 2] = task.task_id
            # The mark stands before the question: the daemon revokes first and then looks at marks.
            if self.is_leaving or not page.may_begin(seq, started_us):
                words[base + 2] = 0
                self._results.send(wire.Unstarted(seq, [rest.task_id for rest in chunk.tasks[index:]]))
                return
            self._attempt = TaskContext(self._results, chunk, task)
            self._state.enter(chunk.module)
            end = self._run(chunk, task, started_us)
            if type(end) is Done and task is not chunk.tasks[-1]:
                self._results.send_soon(end)
            else:
                self._results.send(end)
            words[base + 2] = 0

    def _run(self, chunk: Chunk, task: Assignment, started_us: int) -> Done | Ended:
        if chunk.long:
            reset_peak()
        output: str | None = None
        error: BaseException | None = None
        try:
            output, error = self._outcome(chunk, task)
            if not self._alone:
                self._settle()
        except Stopped as late:  # raised from another thread, when the task had just ended
            error = late
            self._settle()
        ended_us = _clock_ns(_BOOTTIME) // 1000
        is_thorough = ended_us - started_us >= _LONG_US or task is chunk.tasks[-1]
        if lasting := self._state.leave(is_thorough=is_thorough):
            self._replace_for(lasting)
        # With several slots it is unknown whose child it is; there they end with the process.
        if self._alone and ended_us - started_us >= SOONEST_US and end_children():
            self.is_leaving = True  # what the job keeps in memory may count on them
        if self._loaded_us:  # the import is not what the next task will take
            started_us, self._loaded_us = self._loaded_us, 0
        attempt = self._attempt
        has_written = self._raw.has_grown() or attempt.has_written or attempt.partial
        if has_written:
            self._sink.end_lines(attempt)
            self._sink.reach(task, self._raw.stdout_end, self._raw.stderr_end)
        is_measured = chunk.long or ended_us - started_us >= _MEASURED_US
        spawns = attempt.spawns
        if error is None and not is_measured and not has_written and spawns is None:
            return Done(task.task_id, task.fence, output, started_us, ended_us)
        if error is None:
            ended = Ended(
                task.task_id, task.fence, "success", output, spawned=None if spawns is None else spawns.text()
            )
        else:
            ended = ended_by(error, task, is_stopped=self._page.is_stop_asked(self.slot))
        return msgspec.structs.replace(
            ended,
            started_us=started_us,
            ended_us=ended_us,
            cpu_s=self._take_cpu() if is_measured else None,
            peak_memory=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 if chunk.long else None,
        )

    def _take_cpu(self) -> float:
        """CPU seconds since the last call, with those of children that have ended where they can only be this slot's."""
        before, self._cpu_s = self._cpu_s, time.thread_time()
        if self._alone:
            children = resource.getrusage(resource.RUSAGE_CHILDREN)
            self._cpu_s = time.process_time() + children.ru_utime + children.ru_stime
        self._page.words[self._page.base(self.slot) + 6] = round(self._cpu_s * 1e6)
        return round(self._cpu_s - before, 6)

    def _outcome(self, chunk: Chunk, task: Assignment) -> tuple[str | None, BaseException | None]:
        self.is_in_task = True
        try:
            # An order that came between the mark and here found no task to interrupt.
            if self.is_leaving if self._alone else self._page.is_stop_asked(self.slot):
                raise Stopped
            job = self._jobs.loaded.get((chunk.module, chunk.job)) or self._load(chunk)
            if chunk.memory:  # not before: what the import takes is not the task's
                self._page.words[self._page.base(self.slot) + 5] = linux.memory(os.getpid())
            value = self._variables.fresh(chunk.module, self._attempt).run(self._call, job, chunk.params_of(task))
            output = None if value is None else encode_output(value)
        except BaseException as raised:  # noqa: BLE001 - whatever a job raises is its outcome
            self.is_in_task = False
            return None, raised
        self.is_in_task = False
        return output, None

    def _settle(self) -> None:
        """The task is over: an exception that was sent into this thread for it must not hit the next."""
        with self.lock:
            self.is_in_task = False
            if self.is_raised:
                self.is_raised = False
                raise_in_thread(threading.get_ident(), None)

    def _replace_for(self, changes: list[str]) -> None:
        self.is_leaving = self._alone
        end = "it is replaced" if self._alone else "its later tasks meet it"
        text = f"the job changed {', '.join(changes)} of its process, which cannot be put back: {end}"
        self._sink.emit("log", "WARNING", "qflowd", [text], attempt=self._attempt)

    def _load(self, chunk: Chunk) -> Loaded:
        if self._jobs.install():
            self._state.rebase()
        variables = self._variables.fresh(chunk.module, self._attempt)
        job = variables.run(self._jobs.load, chunk.module, chunk.job)
        self._variables.keep(chunk.module, variables)
        self._sink.keep_listening()
        self._state.adopt(chunk.module)
        self._loaded_us = _clock_ns(_BOOTTIME) // 1000
        return job

    def _call(self, job: Loaded, params: str) -> Any:
        arguments = job.signature.bind(_decode(params))
        value = job.function(**arguments)
        return self._loop.run(value) if type(value) is CoroutineType else value

    def cancel(self) -> bool:
        """Ask the task in hand to end. True: nothing more can be done; False: the caller may raise inside it."""
        self._attempt.mark_cancelled()
        return self._loop.cancel()


def raise_in_thread(ident: int, error: type[BaseException] | None) -> None:
    """Have `error` raised in a thread of Python, as soon as it runs Python; None takes back one not raised yet."""
    what = ctypes.c_void_p(None) if error is None else ctypes.py_object(error)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), what)


class AsyncLoop:
    """An event loop that is made when the first coroutine comes, and kept."""

    def __init__(self) -> None:
        self._runner: Any = None
        self._task: Any = None

    def run(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """What the coroutine returns or raises."""
        import asyncio

        if self._runner is None:
            self._runner = asyncio.Runner()
        loop = self._runner.get_loop()
        asyncio.set_event_loop(loop)
        self._task = loop.create_task(coroutine)
        try:
            return loop.run_until_complete(self._task)
        finally:
            self._task = None
            if left := asyncio.all_tasks(loop):  # of this job: they must not run into the next
                for task in left:
                    task.cancel()
                loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))

    def cancel(self) -> bool:
        """Cancel the coroutine that runs, from any thread or signal handler. False: none runs."""
        task = self._task
        if task is None:
            return False
        self._runner.get_loop().call_soon_threadsafe(task.cancel)
        return True


def reset_peak() -> None:
    """The peak of memory starts again from what is resident now."""
    try:
        with Path("/proc/self/clear_refs").open("wb", buffering=0) as file:
            file.write(b"5")
    except OSError:
        logging.getLogger("qflowd").debug("peak memory cannot be reset here; it is that of the whole process")

"""The main of a worker process: what the nursery's fork becomes. It runs user code, and nothing else of qflowd."""

import contextlib
import faulthandler
import gc
import os
import queue
import signal
import sys
import threading
import traceback
from functools import partial
from pathlib import Path
from types import FrameType
from typing import NoReturn

from qflowd.workers import linux, orders, wire
from qflowd.workers.children import dismiss_helpers
from qflowd.workers.inbox import Inbox
from qflowd.workers.inherit import inherit_attempts
from qflowd.workers.job_loader import JobLoader
from qflowd.workers.page import Page
from qflowd.workers.process_state import ProcessState, watch_setters
from qflowd.workers.runner import RawOutput, Results, Runner, raise_in_thread
from qflowd.workers.sink import Sink
from qflowd.workers.statements import cancel_statements
from qflowd.workers.task_result import Stopped

_block_term = partial(signal.pthread_sigmask, signal.SIG_BLOCK, {signal.SIGTERM})
_unblock_term = partial(signal.pthread_sigmask, signal.SIG_UNBLOCK, {signal.SIGTERM})
_OOM_SCORE = b"800"  # the kernel shall take a worker before the daemon


def main(order: orders.Spawn, fds: dict[str, int]) -> NoReturn:
    """Run in the forked child; ends the process."""
    code = 1
    try:
        nursery = os.getppid()
        os.setsid()
        linux.die_with_parent()
        if os.getppid() != nursery:
            os._exit(1)
        linux.become_subreaper()
        _settle(order, fds)
        Worker(order.slots, fds).run()
        dismiss_helpers()
        code = 0
    except SystemExit as exit_:
        code = exit_.code if isinstance(exit_.code, int) else 1
    except BaseException:  # noqa: BLE001 - the last words go to the raw file, then to the log of the task
        with contextlib.suppress(OSError):
            os.write(2, traceback.format_exc().encode("utf-8", "replace"))
    finally:
        os._exit(code)


def _settle(order: orders.Spawn, fds: dict[str, int]) -> None:
    """Descriptors, folder, signals: as a job expects them."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(fds["stdout"], 1)
    os.dup2(fds["stderr"], 2)
    fds["null"] = null
    for fd in fds.values():
        os.set_inheritable(fd, False)
    # While it is locked, others know that a process of this daemon is alive.
    lock = os.environ.get("QFLOWD_LOCK_FD", "")
    linux.keep_only([*fds.values(), *([int(lock)] if lock else [])])
    os.chdir(order.cwd)
    with contextlib.suppress(OSError), Path("/proc/self/oom_score_adj").open("wb", buffering=0) as file:
        file.write(_OOM_SCORE)
    for signum in (signal.SIGCHLD, signal.SIGHUP):
        signal.signal(signum, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    faulthandler.enable(2)
    sys.argv[:] = ["qflowd-worker"]
    linux.name_process("qflowd-worker")
    gc.enable()


class Worker:
    """Reads parcels and has its slots run them."""

    def __init__(self, slots: int, fds: dict[str, int]) -> None:
        self._inbox = Inbox(fds["tasks"], is_shared=slots > 1)
        self._page = Page(fds["page"], slots)
        self._page.seal(fds["page"])
        os.close(fds.pop("page"))
        sink = Sink(fds["records"])
        sink.take_over()
        inherit_attempts()
        watch_setters()
        results = Results(fds["results"], self._inbox, self._page if slots == 1 else None)
        raw = RawOutput(fds["stdout"], fds["stderr"])
        jobs = JobLoader(fds["manifest"])
        signal.signal(signal.SIGTERM, self._on_term)
        state = ProcessState(slots)
        self._runners = [Runner(slot, self._page, jobs, results, sink, raw, state) for slot in range(slots)]
        self._idents: dict[int, int] = {}
        # A SIGTERM for a child that is just being forked must find it without our handler.
        os.register_at_fork(
            before=_block_term, after_in_parent=_unblock_term, after_in_child=lambda: _cut_off(fds, results)
        )

    def run(self) -> None:
        """Run until the daemon closes the pipe, or a task has left this process unfit for the next."""
        if len(self._runners) == 1:
            self._run_alone(self._runners[0])
        else:
            self._run_threads()

    def _run_alone(self, runner: Runner) -> None:
        while parcels := self._inbox.parcels():
            for parcel in parcels:
                runner.run(parcel)
            if runner.is_leaving:
                return  # its code may have left anything behind: a fresh process is safer

    def _run_threads(self) -> None:
        parcels: queue.SimpleQueue[wire.Parcel | None] = queue.SimpleQueue()
        threads = [threading.Thread(target=self._slot, args=(runner, parcels)) for runner in self._runners]
        for thread in threads:
            thread.start()
        while arrived := self._inbox.parcels():
            for parcel in arrived:
                parcels.put(parcel)
        for _ in threads:
            parcels.put(None)
        for thread in threads:
            thread.join()

    def _slot(self, runner: Runner, parcels: "queue.SimpleQueue[wire.Parcel | None]") -> None:
        self._idents[runner.slot] = threading.get_ident()
        while (parcel := parcels.get()) is not None:
            runner.run(parcel)

    def _on_term(self, _: int, frame: FrameType | None) -> None:
        """SIGTERM means: look in the page which task is to stop. Without such an order the signal is ignored."""
        for runner in self._runners:
            if not self._page.is_stop_asked(runner.slot):
                continue
            if len(self._runners) == 1:
                self._stop_alone(runner, frame)
            else:
                self._stop_thread(runner)

    def _stop_alone(self, runner: Runner, frame: FrameType | None) -> None:
        if runner.is_leaving:
            return
        runner.is_leaving = True
        linux.kill_group(0, signal.SIGTERM)  # what the task has started; it comes back to us, and is_leaving ends that
        if runner.is_in_task and not runner.cancel():
            cancel_statements(frame)
            raise Stopped

    def _stop_thread(self, runner: Runner) -> None:
        if not runner.lock.acquire(blocking=False):
            return  # the task is ending, or another signal interrupted this very function
        try:
            if runner.is_in_task and not runner.is_raised and not runner.cancel():
                runner.is_raised = True
                ident = self._idents[runner.slot]
                raise_in_thread(ident, Stopped)
                cancel_statements(sys._current_frames().get(ident))  # noqa: SLF001 - the one way to look into a thread
        finally:
            runner.lock.release()


def _cut_off(fds: dict[str, int], results: Results) -> None:
    """In a fork of user code: if it ever comes back into our loop, it reads end of file and writes nowhere."""
    for name in ("tasks", "results"):
        os.dup2(fds["null"], fds[name], inheritable=False)
    results.cut_off()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _unblock_term()

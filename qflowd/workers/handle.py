"""One worker, seen from the daemon: its pipes, its page, what it was sent and has not answered."""

import contextlib
import fcntl
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from operator import attrgetter

from qflowd.workers import linux, wire
from qflowd.workers.events import StopReason
from qflowd.workers.log_reader import LogReader
from qflowd.workers.page import Mark, Page, new_page
from qflowd.workers.wire import Assignment, Chunk, Message, OutputAnswer, Parcel

_PIPE_BYTES = 1 << 20
_READ = 1 << 18
task_id_of = attrgetter("task_id")


@dataclass(slots=True)
class Stop:
    """A task that is to end. Killed at `kill_at_us`, once it was asked to (`mark`, at `asked_us`). `memory`: what it took."""

    reason: StopReason
    mark: Mark | None = None
    asked_us: int = 0
    kill_at_us: int = 0
    memory: str = ""


@dataclass(slots=True, eq=False)
class Handle:
    """State of one worker; no decisions are made here."""

    number: int
    pool: str
    slots: int
    page: Page
    log_reader: LogReader
    tasks_fd: int = -1
    results_fd: int = -1
    pid: int = 0
    seq: int = 0
    open: dict[int, Assignment] = field(default_factory=dict)  # sent and not answered
    parcels: list[Parcel] = field(default_factory=list)  # those that hold something open
    stops: dict[int, Stop] = field(default_factory=dict)
    reported: set[Mark] = field(default_factory=set)  # Running went out
    revoked_us: int = 0  # above 0: unstarted tasks are being taken back since then
    is_leaving: bool = False  # gets no more work
    is_extra: bool = False  # beside the workers in the pool's places: for one solo chunk, or it has left its place
    is_killed: bool = False  # by the daemon, through no fault of its tasks
    backlog: bytearray = field(default_factory=bytearray)
    _buffer: bytes = b""

    def room(self) -> int:
        """Chunks that may be sent now: per slot one in flight and one queued, but none behind a long one."""
        if self._is_closed():
            return 0
        long = sum(parcel.chunk.long for parcel in self.parcels)
        return max(0, 2 * (self.slots - long) - (len(self.parcels) - long))

    def idle(self) -> int:
        """Slots with nothing to do."""
        return 0 if self._is_closed() else max(0, self.slots - len(self.parcels))

    def _is_closed(self) -> bool:
        return bool(self.is_leaving or self.revoked_us or self.stops)

    def send(self, chunk: Chunk) -> None:
        """Queue `chunk`; what the pipe does not take now waits in `backlog`."""
        parcel = Parcel(self.seq + 1, chunk)
        data = wire.pack(parcel)  # first: what cannot be sent must not count as sent
        self.seq += 1
        self.parcels.append(parcel)
        self.open.update(zip(map(task_id_of, chunk.tasks), chunk.tasks, strict=True))
        self._queue(data)

    def answer(self, answer: OutputAnswer) -> None:
        """Queue `answer`, as `send` does."""
        self._queue(wire.pack(answer))

    def _queue(self, data: bytes) -> None:
        if self.backlog:
            self.backlog += data
        elif (sent := self._write(data)) < len(data):
            self.backlog += memoryview(data)[sent:]

    def flush(self) -> bool:
        """Send more of the backlog. True: none is left."""
        del self.backlog[: self._write(self.backlog)]
        return not self.backlog

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self.tasks_fd, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it is ending; its tasks come back with the report of its exit

    def receive(self) -> tuple[list[Message] | None, bool]:
        """The messages of one read, and whether the pipe is still open.

        None: there was nothing to read; without any message, it was a part of a large one.
        """
        try:
            data = os.read(self.results_fd, _READ)
        except BlockingIOError:
            return None, True
        except OSError:
            return None, False
        if not data:
            return None, False
        end = data.rfind(b"\n") + 1
        if end == 0:
            self._buffer += data
            return [], True
        whole = self._buffer + data[:end] if self._buffer else data[:end]
        self._buffer = data[end:]
        return wire.readable(wire.decode_lines, whole), True

    def staged(self) -> list[Message]:
        """The messages that the worker has not sent yet; it sends them all the same."""
        return wire.readable(wire.decode_lines, self.page.staged())

    def chunk_of(self, task_id: int) -> Chunk | None:
        chunks = (parcel.chunk for parcel in self.parcels)
        return next((chunk for chunk in chunks if task_id in map(task_id_of, chunk.tasks)), None)

    def forget_answered(self) -> None:
        """Drop parcels of which nothing is open. Tasks end in their order, so the last one is asked first."""
        self.parcels = [
            parcel for parcel in self.parcels if any(task.task_id in self.open for task in reversed(parcel.chunk.tasks))
        ]

    def take_back(self, task_ids: Iterable[int]) -> list[Assignment]:
        """Remove those of `task_ids` that are open."""
        taken = [task for task_id in task_ids if (task := self.open.pop(task_id, None)) is not None]
        for task in taken:
            self.stops.pop(task.task_id, None)  # a stop left over would keep this worker closed for good
        self.forget_answered()
        return taken

    def close_pipes(self) -> None:
        for fd in (self.tasks_fd, self.results_fd):
            with contextlib.suppress(OSError):
                os.close(fd)
        self.tasks_fd = self.results_fd = -1


def new_handle(number: int, pool: str, slots: int, run_dir: str) -> tuple[Handle, list[int]]:
    """A handle with fresh pipes and files, and the worker's ends of them in the order of `orders.FDS`."""
    with contextlib.ExitStack() as opened:  # closes what was opened, should the next thing fail

        def keep(*fds: int) -> tuple[int, ...]:
            for fd in fds:
                opened.callback(os.close, fd)
            return fds

        tasks_out, tasks_in = keep(*os.pipe2(os.O_CLOEXEC))
        results_out, results_in = keep(*os.pipe2(os.O_CLOEXEC))
        page, page_fd = new_page(slots)
        keep(page_fd)
        files = [keep(linux.nameless_file(run_dir, name))[0] for name in ("stdout", "stderr", "records")]
        opened.pop_all()
    for fd in (tasks_in, results_in):
        _widen(fd)
    for fd in (tasks_in, results_out):
        os.set_blocking(fd, False)
    handle = Handle(number, pool, slots, page, LogReader(page, *files), tasks_in, results_out)
    return handle, [tasks_out, results_in, page_fd, *files]


def _widen(fd: int) -> None:
    with contextlib.suppress(OSError):  # above the user's quota of pipe pages: the usual 64 KB do
        fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

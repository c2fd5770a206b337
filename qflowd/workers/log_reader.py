"""The daemon's side of what tasks print: reads the workers' output files, attributes it, and frees the space."""

import contextlib
import os

import msgspec

from qflowd.model.jsontext import clean_text
from qflowd.workers import linux
from qflowd.workers.log_budget import LARGEST_LOG, NOBODY, Budgets, Owner, PrintedLine
from qflowd.workers.page import Page
from qflowd.workers.sink import Reach
from qflowd.workers.wire import now_us, readable

_PIECE = 1 << 18
_PUNCH_EVERY = 1 << 16
_LEVELS = {"stdout": "INFO", "stderr": "ERROR"}
_decode_lines = msgspec.json.Decoder(PrintedLine | Reach).decode_lines


class _File:
    """A file that only grows, read from the front; what was read is given back to the disk."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.position = 0
        self._punched = 0

    def end(self) -> int:
        return os.lseek(self.fd, 0, os.SEEK_END)

    def read(self, end: int) -> bytes:
        """A piece, not beyond `end`."""
        data = os.pread(self.fd, min(_PIECE, end - self.position), self.position)
        self.skip_to(self.position + len(data))
        return data

    def skip_to(self, position: int) -> None:
        self.position = position
        if position - self._punched >= _PUNCH_EVERY:
            self._punched = position
            linux.punch(self.fd, position)


class _Raw:
    """Raw stdout or stderr of a worker: bytes without a sender until a `Reach` or a mark tells."""

    def __init__(self, fd: int, stream: str, budgets: Budgets) -> None:
        self.file = _File(fd)
        self.stream = stream
        self._budgets = budgets
        self._owner = NOBODY
        self._rest = b""

    def take(self, owner: Owner, end: int, lines: list[PrintedLine]) -> None:
        """Everything up to `end` is `owner`'s."""
        if owner != self._owner:
            self.flush(lines)
            self._owner = owner
        while self.file.position < end:
            budget, start = self._budgets.of(owner, self.stream), end - LARGEST_LOG
            if budget.is_start_full() and start > self.file.position:
                budget.lose(start - self.file.position + len(self._rest))  # it would not be kept: spares the reading
                self.file.skip_to(start)
                self._rest = b""
            data = self.file.read(end)
            if not data:
                return
            whole, newline, self._rest = (self._rest + data).rpartition(b"\n")
            if newline:
                self._add(whole, lines)
            elif len(self._rest) >= LARGEST_LOG:
                self.flush(lines)

    def flush(self, lines: list[PrintedLine]) -> None:
        """A line without its end ends here."""
        if self._rest:
            self._add(self._rest, lines)
            self._rest = b""

    def _add(self, data: bytes, lines: list[PrintedLine]) -> None:
        at_us, level = now_us(), _LEVELS[self.stream]
        for number, text in enumerate(data.decode("utf-8", "replace").split("\n")):
            line = PrintedLine(
                *self._owner, at_us + number, self.stream, level, "", clean_text(text.rstrip("\r")), None
            )
            self._budgets.add(line, lines)


class LogReader:
    """The three output files of one worker, and its page, which says whose the raw bytes are.

    With several slots it is unknown: a child process, or C code, may write for any of them.
    """

    def __init__(self, page: Page, stdout_fd: int, stderr_fd: int, records_fd: int) -> None:
        self._page = page
        self._records = _File(records_fd)
        self._rest = b""
        self._budgets = Budgets()
        self._raws = (_Raw(stdout_fd, "stdout", self._budgets), _Raw(stderr_fd, "stderr", self._budgets))
        self._last = NOBODY
        self.is_dead = False  # set by the supervisor once the process and its group are gone

    def collect(self, lines: list[PrintedLine]) -> bool:
        """Add what is new. True: the worker is dead and everything has been read."""
        is_last = self.is_dead
        before = self._page.marks()
        ends = [raw.file.end() for raw in self._raws]
        self._read_records(lines)
        after = self._page.marks()
        # Bytes beyond the last reach belong to the running task, if it is the same one before and after the look.
        if self._page.slots == 1 and before and before == after:
            self._last = (before[0].task_id, before[0].fence, before[0].attempt)
        if is_last or not before or before == after or self._page.slots > 1:
            for raw, end in zip(self._raws, ends, strict=True):
                raw.take(self._last, end, lines)
        if is_last:
            for raw in self._raws:
                raw.flush(lines)
            self._budgets.finish_all(lines)
        return is_last

    def _read_records(self, lines: list[PrintedLine]) -> None:
        end = self._records.end()
        while self._records.position < end:
            whole, newline, self._rest = (self._rest + self._records.read(end)).rpartition(b"\n")
            if newline:
                self._sort(readable(_decode_lines, whole), lines)

    def _sort(self, items: list[PrintedLine | Reach], lines: list[PrintedLine]) -> None:
        for item in items:
            if isinstance(item, PrintedLine):
                self._budgets.add(item, lines)
                continue
            owner = (item.task_id, item.fence, item.attempt)
            if self._page.slots == 1:
                self._last = owner
                for raw, end in zip(self._raws, (item.stdout_end, item.stderr_end), strict=True):
                    raw.take(owner, end, lines)
                    raw.flush(lines)
            self._budgets.finish(owner, lines)

    def close(self) -> None:
        self._page.close()
        for fd in (self._records.fd, *(raw.file.fd for raw in self._raws)):
            with contextlib.suppress(OSError):
                os.close(fd)

"""The daemon's side of what tasks print: reads the workers' output files, attributes it, and frees the space."""

import contextlib
import os
import threading
from typing import NamedTuple

import msgspec

from qflowd.model.jsontext import clean_text
from qflowd.workers import linux
from qflowd.workers.page import Page
from qflowd.workers.sink import CUT, LARGEST_LOG, Reach, Record
from qflowd.workers.wire import now_us

_PIECE = 1 << 20
_PUNCH_EVERY = 1 << 16
_LEVELS = {"stdout": "INFO", "stderr": "ERROR"}
_decode_lines = msgspec.json.Decoder(Record | Reach).decode_lines


class LogLine(NamedTuple):
    """One line, or one record of `logging`. `at_us`: CLOCK_BOOTTIME; `attributes`: JSON object as text, or None."""

    task_id: int
    fence: int
    attempt: int
    at_us: int
    stream: str  # stdout, stderr, log
    level: str
    logger: str
    message: str
    attributes: str | None


class _File:
    """A file that only grows, read from the front; what was read is given back to the disk."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.position = 0
        self._punched = 0

    def end(self) -> int:
        return os.lseek(self.fd, 0, os.SEEK_END)

    def read(self, end: int) -> bytes:
        """At most 1 MB, not beyond `end`."""
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

    def __init__(self, fd: int, stream: str) -> None:
        self.file = _File(fd)
        self.stream = stream
        self._owner = (0, 0, 0)
        self._used = 0
        self._rest = b""

    def take(self, owner: tuple[int, int, int], end: int, lines: list[LogLine]) -> None:
        """Everything up to `end` is `owner`'s (task_id, fence, attempt)."""
        if owner != self._owner:
            self._flush(lines)
            self._owner, self._used = owner, 0
        while self.file.position < end:
            if self._used > LARGEST_LOG:
                self.file.skip_to(end)
                return
            data = self.file.read(end)
            if not data:
                return
            keep = data[: max(0, LARGEST_LOG - self._used)]
            self._used += len(data)
            whole, newline, rest = (self._rest + keep).rpartition(b"\n")
            self._rest = rest
            if newline:
                self._add(whole, lines)
            if self._used > LARGEST_LOG:
                self._flush(lines)
                lines.append(LogLine(*owner, now_us(), self.stream, "WARNING", "qflowd", CUT, None))

    def _flush(self, lines: list[LogLine]) -> None:
        if self._rest:
            self._add(self._rest, lines)
            self._rest = b""

    def _add(self, data: bytes, lines: list[LogLine]) -> None:
        at_us, level = now_us(), _LEVELS[self.stream]
        texts = data.decode("utf-8", "replace").split("\n")
        lines += [
            LogLine(*self._owner, at_us, self.stream, level, "", clean_text(text.rstrip("\r")), None) for text in texts
        ]

    def finish(self, lines: list[LogLine]) -> None:
        self._flush(lines)


class Output:
    """The three output files of one worker, and its page, which says whose the raw bytes are."""

    def __init__(self, page: Page, stdout_fd: int, stderr_fd: int, records_fd: int) -> None:
        self._page = page
        self._records = _File(records_fd)
        self._rest = b""
        self._raws = (_Raw(stdout_fd, "stdout"), _Raw(stderr_fd, "stderr"))
        self._last = (0, 0, 0)
        self.is_dead = False  # set by the supervisor once the process and its group are gone

    def collect(self, lines: list[LogLine]) -> bool:
        """Add what is new. True: the worker is dead and everything has been read."""
        is_last = self.is_dead
        before = self._page.marks()
        ends = [raw.file.end() for raw in self._raws]
        self._read_records(lines)
        after = self._page.marks()
        # Bytes beyond the last reach belong to the running task, if it is the same one before and after the look.
        if before and before[:1] == after[:1]:
            self._last = (before[0].task_id, before[0].fence, before[0].attempt)
        if is_last or not before or before == after:
            for raw, end in zip(self._raws, ends, strict=True):
                raw.take(self._last, end, lines)
        if is_last:
            for raw in self._raws:
                raw.finish(lines)
        return is_last

    def _read_records(self, lines: list[LogLine]) -> None:
        end = self._records.end()
        while self._records.position < end:
            whole, newline, self._rest = (self._rest + self._records.read(end)).rpartition(b"\n")
            if newline:
                self._sort(_decode(whole), lines)

    def _sort(self, found: list[Record | Reach], lines: list[LogLine]) -> None:
        for item in found:
            if isinstance(item, Reach):
                self._last = (item.task_id, item.fence, item.attempt)
                for raw, end in zip(self._raws, (item.stdout_end, item.stderr_end), strict=True):
                    raw.take(self._last, end, lines)
                    raw.finish(lines)
            else:
                lines.append(
                    LogLine(
                        item.task_id, item.fence, item.attempt, item.at_us, item.stream, item.level, item.logger,
                        item.message, item.attributes,
                    )
                )  # fmt: skip

    def close(self) -> None:
        self._page.close()
        for fd in (self._records.fd, *(raw.file.fd for raw in self._raws)):
            with contextlib.suppress(OSError):
                os.close(fd)


def _decode(data: bytes) -> list[Record | Reach]:
    try:
        return _decode_lines(data)
    except msgspec.MsgspecError:  # a full disk has cut a line, or user code wrote here
        found = []
        for line in data.split(b"\n"):
            with contextlib.suppress(msgspec.MsgspecError):
                found += _decode_lines(line)
        return found


class LogReader:
    """All workers' output. Their owner adds workers; any one thread may call `collect`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._outputs: list[Output] = []

    def add(self, output: Output) -> None:
        with self._lock:
            self._outputs.append(output)

    def collect(self) -> list[LogLine]:
        """What has been printed and logged since the last call, in order per task. Takes microseconds if nothing."""
        lines: list[LogLine] = []
        with self._lock:
            outputs = list(self._outputs)
        for output in outputs:
            if output.collect(lines):
                with self._lock:
                    self._outputs.remove(output)
                output.close()
        return lines

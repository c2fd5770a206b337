"""What a task prints and logs, in the worker: records in a file that the daemon reads, one JSON array a line.

A task that prints nothing costs nothing here. Raw bytes on file descriptors 1 and 2 (C code, child processes) bypass
Python; they go to two files of their own, and a `Reach` says how far the output of which task goes in them.
"""

import contextlib
import io
import logging
import os
import sys
from collections.abc import Sequence
from threading import get_ident
from typing import Any

import msgspec

from qflowd.jobs.context import current
from qflowd.model import jsontext
from qflowd.model.jsontext import clean_text, clipped
from qflowd.model.plain import plain
from qflowd.workers.log_budget import LARGEST_LOG, PrintedLine
from qflowd.workers.task_context import TaskContext
from qflowd.workers.wire import Assignment, Chunk, now_us

_LONGEST_LINE = 8192
_encode_lines = msgspec.json.Encoder().encode_lines


class Reach(msgspec.Struct, frozen=True, array_like=True, tag="x"):
    """Raw output up to these ends belongs to this task, or to those before it."""

    task_id: int
    fence: int
    attempt: int
    stdout_end: int
    stderr_end: int


# Stands for an unknown attempt, where a thread may work for any; it has no channel to the daemon.
NOBODY = TaskContext(None, Chunk("", "", []), Assignment(0, 0, 0, ""))  # type: ignore[arg-type]


def writer() -> TaskContext:
    """The attempt that the calling thread writes for."""
    attempt = current()
    return attempt if isinstance(attempt, TaskContext) else NOBODY


class Sink:
    """Writes records, each for the attempt that the calling thread works for."""

    def __init__(self, records_fd: int) -> None:
        self._fd = records_fd
        self._handler = RecordsHandler(self)

    def emit(
        self,
        stream: str,
        level: str,
        logger: str,
        lines: list[str],
        attributes: str | None = None,
        *,
        attempt: TaskContext | None = None,
    ) -> None:
        """Append a record for each of `lines`, in one write; for `attempt`, where it is not the calling thread's."""
        attempt = attempt or writer()
        attempt.has_written = True
        task, at_us = attempt.assignment, now_us()
        texts = [clean_text(clipped(line, LARGEST_LOG)) for line in lines]
        owner = (task.task_id, task.fence, task.attempt)
        self._append([PrintedLine(*owner, at_us, stream, level, logger, text, attributes) for text in texts])

    def reach(self, task: Assignment, stdout_end: int, stderr_end: int) -> None:
        """Up to here, what lies in the files of raw output is the task's."""
        self._append([Reach(task.task_id, task.fence, task.attempt, stdout_end, stderr_end)])

    def end_lines(self, attempt: TaskContext) -> None:
        """The task is over: a line without its end ends here."""
        while attempt.partial:
            (stream, _), text = attempt.partial.popitem()
            self.emit(stream, "ERROR" if stream == "stderr" else "INFO", "", [text], attempt=attempt)

    def _append(self, items: Sequence[PrintedLine | Reach]) -> None:
        with contextlib.suppress(OSError):  # a full disk must not fail the task
            os.write(self._fd, _encode_lines(items))

    def take_over(self) -> None:
        """Make `print` and `logging` of this process write here."""
        sys.stdout = sys.__stdout__ = Stream(self, "stdout", "INFO", 1)  # type: ignore[misc,assignment]
        sys.stderr = sys.__stderr__ = Stream(self, "stderr", "ERROR", 2)  # type: ignore[misc,assignment]
        logging.root.handlers[:] = []
        self.keep_listening()
        logging.root.setLevel(logging.INFO)

    def keep_listening(self) -> None:
        """A module may have configured `logging` when it was imported: records still come here, and only once."""
        others = [handler for handler in logging.root.handlers if handler is not self._handler]
        others = [handler for handler in others if not isinstance(getattr(handler, "stream", None), Stream)]
        logging.root.handlers[:] = [self._handler, *others]


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a worker."""

    def __init__(self, sink: Sink, name: str, level: str, fd: int) -> None:
        self._sink = sink
        self.name = name
        self._level = level
        self._fd = fd
        self.buffer = io.FileIO(fd, "wb", closefd=False)  # bytes written here are raw output

    encoding = "utf-8"
    errors = "backslashreplace"

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        partial, key = writer().partial, (self.name, get_ident())
        lines = (partial.pop(key, "") + text).split("\n")
        rest = lines.pop()
        if len(rest) > _LONGEST_LINE:
            lines.append(rest)
        elif rest:
            partial[key] = rest
        if lines:
            self._sink.emit(self.name, self._level, "", lines)
        return len(text)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        """Where child processes write: the raw file."""
        return self._fd

    def reconfigure(self, **_: Any) -> None:
        """Scripts ask for encodings and buffering of their terminal; here neither matters."""

    def close(self) -> None:
        """Does nothing: the next task wants to print too."""


class RecordsHandler(logging.Handler):
    """Records of `logging`, with what `extra=` brought as attributes."""

    def __init__(self, sink: Sink) -> None:
        super().__init__()
        self._sink = sink
        self._usual = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
            if record.exc_info:
                message += "\n" + logging.Formatter().formatException(record.exc_info)
            extra = {key: value for key, value in record.__dict__.items() if key not in self._usual}
            attributes = _attributes(extra) if extra else None
            self._sink.emit("log", clean_text(record.levelname)[:64], clean_text(record.name), [message], attributes)
        except Exception:  # noqa: BLE001 - logging must never fail the task
            self.handleError(record)


def _attributes(extra: dict[str, Any]) -> str:
    return jsontext.dump({clean_text(key): _attribute(value) for key, value in extra.items()})


def _attribute(value: Any) -> Any:
    try:
        return plain(value)
    except Exception:  # noqa: BLE001 - whatever it is, the record is kept
        return str(value)

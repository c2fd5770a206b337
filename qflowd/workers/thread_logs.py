"""What jobs in threads log: records of `context().logger` as log lines. Printing stays the program's own affair."""

import logging
from collections import deque
from collections.abc import Iterable

import msgspec

from qflowd.workers.log_reader import LogLine
from qflowd.workers.sink import Record, RecordsHandler, Sink

_decode_lines = msgspec.json.Decoder(Record).decode_lines


class ThreadLogs(Sink):
    """A sink that keeps its records until they are taken. Threads that run no job of ours are not heard."""

    def __init__(self) -> None:
        super().__init__(-1)
        self._kept: deque[bytes] = deque()
        self._handler = RecordsHandler(self)
        self._raised: list[logging.Logger] = []  # whose level is ours

    def emit(self, stream: str, level: str, logger: str, lines: list[str], attributes: str | None = None) -> None:
        if self.author() is not self.first:
            super().emit(stream, level, logger, lines, attributes)

    def _append(self, data: bytes | bytearray) -> None:
        self._kept.append(bytes(data))

    def take(self) -> list[LogLine]:
        """What has come since the last call."""
        lines: list[LogLine] = []
        while self._kept:
            lines += map(_line, _decode_lines(self._kept.popleft()))
        return lines

    def listen(self, names: Iterable[str]) -> None:
        """Hear these loggers, from INFO on unless the program has set their level itself."""
        # Not the root logger: with a handler of ours there, the program's own basicConfig() would do nothing.
        for logger in map(logging.getLogger, names):
            logger.addHandler(self._handler)
            if logger.level == logging.NOTSET:
                logger.setLevel(logging.INFO)
                self._raised.append(logger)

    def stop_listening(self, names: Iterable[str]) -> None:
        """Leave these loggers as they were."""
        for logger in map(logging.getLogger, names):
            logger.removeHandler(self._handler)
        for logger in self._raised:
            logger.setLevel(logging.NOTSET)
        self._raised.clear()


def _line(record: Record) -> LogLine:
    return LogLine(
        record.task_id, record.fence, record.attempt, record.at_us, record.stream, record.level, record.logger,
        record.message, record.attributes,
    )  # fmt: skip

"""How much is kept of what an attempt prints: the start and the end of each stream."""

from collections import deque
from typing import NamedTuple

from qflowd.workers.sink import LARGEST_LOG

_HALF = LARGEST_LOG // 2
Owner = tuple[int, int, int]  # task_id, fence, attempt
NOBODY: Owner = (0, 0, 0)
STREAMS = ("stdout", "stderr", "log")


class LogLine(NamedTuple):
    """One line, or one record of `logging`. `at_us`: CLOCK_BOOTTIME; `attributes`: JSON object as text, or None.

    `task_id` is 0 where nobody can tell whose it is.
    """

    task_id: int
    fence: int
    attempt: int
    at_us: int
    stream: str  # stdout, stderr, log
    level: str
    logger: str
    message: str
    attributes: str | None


class _Budget:
    """One stream of one attempt."""

    def __init__(self) -> None:
        self._kept_bytes = 0  # of the start, then of start and end
        self._end: deque[tuple[LogLine, int]] = deque()
        self._lost_bytes = 0

    def add(self, line: LogLine, lines: list[LogLine]) -> None:
        size = len(line.message.encode()) + len(line.attributes or "")
        is_start = not self._end and self._kept_bytes < _HALF
        self._kept_bytes += size
        if is_start:
            lines.append(line)
            return
        self._end.append((line, size))
        while self._kept_bytes > LARGEST_LOG and len(self._end) > 1:
            _, size = self._end.popleft()
            self.lose(size)
            self._kept_bytes -= size

    def is_start_full(self) -> bool:
        return self._kept_bytes >= _HALF

    def lose(self, size: int) -> None:
        self._lost_bytes += size

    def finish(self, lines: list[LogLine]) -> None:
        if self._lost_bytes:
            text = f"… {self._lost_bytes:,} bytes are missing here: of a stream, more than the first and last half of 1 MB is not kept …"
            lines.append(self._end[0][0]._replace(level="WARNING", logger="qflowd", message=text, attributes=None))
        lines += [line for line, _ in self._end]


class Budgets:
    """Of all attempts whose output is read now."""

    def __init__(self) -> None:
        self._budgets: dict[tuple[Owner, str], _Budget] = {}

    def of(self, owner: Owner, stream: str) -> _Budget:
        key = (owner, stream)
        budget = self._budgets.get(key)
        if budget is None:
            budget = self._budgets[key] = _Budget()
        return budget

    def add(self, line: LogLine, lines: list[LogLine]) -> None:
        """Give `line` on into `lines`, now, or when its attempt is over, or never."""
        self.of(line[:3], line.stream).add(line, lines)

    def finish(self, owner: Owner, lines: list[LogLine]) -> None:
        """The attempt is over: the end of its output follows."""
        for stream in STREAMS:
            if (budget := self._budgets.pop((owner, stream), None)) is not None:
                budget.finish(lines)

    def finish_all(self, lines: list[LogLine]) -> None:
        for budget in self._budgets.values():
            budget.finish(lines)
        self._budgets.clear()

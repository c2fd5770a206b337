"""How much is kept of what an attempt prints: the start and the end of each stream."""

from collections import defaultdict, deque

import msgspec

LARGEST_LOG = 1 << 20  # bytes of each stream that are kept of an attempt, and characters of a single message
_HALF = LARGEST_LOG // 2
Owner = tuple[int, int, int]  # task_id, fence, attempt
NOBODY: Owner = (0, 0, 0)


class PrintedLine(msgspec.Struct, frozen=True, array_like=True, tag="r"):
    """One printed line, or one record of `logging`. `at_us`: CLOCK_BOOTTIME; `attributes`: JSON object as text, or None.

    `task_id` is 0 where the task is unknown.
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
        self._end: deque[tuple[PrintedLine, int]] = deque()
        self._lost_bytes = 0

    def add(self, line: PrintedLine, lines: list[PrintedLine]) -> None:
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

    def finish(self, lines: list[PrintedLine]) -> None:
        if self._lost_bytes:
            text = f"… {self._lost_bytes:,} bytes are missing here: of a stream, more than the first and last half of 1 MB is not kept …"
            first_kept = self._end[0][0]
            lines.append(
                msgspec.structs.replace(first_kept, level="WARNING", logger="qflowd", message=text, attributes=None)
            )
        lines += [line for line, _ in self._end]


class Budgets:
    """Of all attempts whose output is read now."""

    def __init__(self) -> None:
        self._budgets: defaultdict[Owner, defaultdict[str, _Budget]] = defaultdict(lambda: defaultdict(_Budget))

    def of(self, owner: Owner, stream: str) -> _Budget:
        return self._budgets[owner][stream]

    def add(self, line: PrintedLine, lines: list[PrintedLine]) -> None:
        """Pass `line` on into `lines`, now, or when its attempt is over, or never."""
        self.of((line.task_id, line.fence, line.attempt), line.stream).add(line, lines)

    def finish(self, owner: Owner, lines: list[PrintedLine]) -> None:
        """The attempt is over: the end of its output follows."""
        for budget in self._budgets.pop(owner, {}).values():
            budget.finish(lines)

    def finish_all(self, lines: list[PrintedLine]) -> None:
        for owner in list(self._budgets):
            self.finish(owner, lines)

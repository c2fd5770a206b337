"""What jobs in threads log: records of `context().logger` as log lines. Printing stays the program's own affair."""

import logging
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

from qflowd.workers.log_budget import Budgets, PrintedLine
from qflowd.workers.sink import NOBODY, Reach, Sink, writer
from qflowd.workers.wire import Assignment


class ThreadLogs(Sink):
    """A sink that keeps its records until they are taken. Threads that run no job of ours are not heard."""

    def __init__(self) -> None:
        super().__init__(-1)
        self._kept: deque[PrintedLine | Reach] = deque()
        self._budgets = Budgets()
        self._raised: list[logging.Logger] = []  # whose level is ours

    def emit(self, *args: Any, **kwargs: Any) -> None:
        if writer() is not NOBODY:
            super().emit(*args, **kwargs)

    def _append(self, items: Sequence[PrintedLine | Reach]) -> None:
        self._kept += items

    def take(self) -> list[PrintedLine]:
        """What has come since the last call."""
        lines: list[PrintedLine] = []
        while self._kept:
            item = self._kept.popleft()
            if isinstance(item, PrintedLine):
                self._budgets.add(item, lines)
            else:
                self._budgets.finish((item.task_id, item.fence, item.attempt), lines)
        return lines

    def finish(self, task: Assignment) -> None:
        """It has ended, and logs nothing more."""
        self.reach(task, 0, 0)

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

"""Logs: carries what tasks print from the workers' files into the table, in batches."""

import logging
from collections.abc import Callable
from typing import ClassVar

from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import DataRefused, Store, Tx
from qflowd.workers.log_reader import LogLine

log = logging.getLogger("qflowd")
EVERY_S = 0.2
BATCH = 2000
MOST_WAITING = 20_000  # lines kept while the database is away; more stay in the workers' files


class Logs:
    """The service that writes log lines."""

    name: ClassVar[str] = "logs"
    topics: ClassVar[tuple[str, ...]] = ("log",)

    def __init__(self, store: Store, read: Callable[[], list[LogLine]]) -> None:
        self._store = store
        self._read = read
        self._waiting: list[LogLine] = []

    def tick(self) -> float:
        if len(self._waiting) < MOST_WAITING:
            self._waiting += self._read()
        while self._waiting:
            self._write(self._waiting[:BATCH])
            del self._waiting[:BATCH]
        return EVERY_S

    def finish(self) -> None:
        """Write what is left; at shutdown, when all workers are gone."""
        try:
            self.tick()
        except StoreUnavailable:
            return

    def _write(self, lines: list[LogLine]) -> None:
        """Write these lines; one that the database refuses is left out, and holds up no other."""
        try:
            self._insert(lines)
        except DataRefused as refusal:
            if len(lines) == 1:
                log.warning("a log line of task %d is not kept, the database refused it: %s", lines[0].task_id, refusal)
                return
            middle = len(lines) // 2
            self._write(lines[:middle])
            self._write(lines[middle:])

    def _insert(self, lines: list[LogLine]) -> None:
        at = self._store.clock.at
        rows = [
            (
                line.task_id,
                line.fence,
                line.attempt,
                at(line.at_us / 1e6),
                line.stream,
                line.level or None,
                line.logger or None,
                line.message,
                line.attributes,
            )
            for line in lines
        ]

        def write_logs(tx: Tx) -> None:
            tx.run("insert_log_lines", rows=rows)

        self._store.transact(write_logs)

"""Logs: carries what tasks print from the workers' files into the table, in batches."""

import logging
import threading
from collections.abc import Callable
from typing import ClassVar

from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import DataRefused, Store, Tx
from qflowd.workers.log_budget import LogLine

log = logging.getLogger("qflowd")
EVERY_S = 0.2
BATCH = 2000


class Logs:
    """The service that writes log lines; before a task's end is written, the executor has its lines written."""

    name: ClassVar[str] = "logs"
    topics: ClassVar[tuple[str, ...]] = ("log",)

    def __init__(self, store: Store, read: Callable[[], list[LogLine]]) -> None:
        self._store = store
        self._read = read
        self._lock = threading.Lock()
        self._waiting: list[LogLine] = []  # read, and not written yet

    def tick(self) -> float:
        self.write_all()
        return EVERY_S

    def write_all(self) -> None:
        """Write what has been printed until now.

        Raises: StoreUnavailable; what is not written then waits here, and the rest in the workers' files.
        """
        with self._lock:
            self._write_waiting()
            for line in self._read():
                if line.task_id:
                    self._waiting.append(line)
                else:
                    log.warning("a worker printed, and nobody can tell for which of its tasks: %s", line.message)
            self._write_waiting()

    def finish(self) -> None:
        """Write what is left; at shutdown, when all workers are gone."""
        try:
            self.tick()
        except StoreUnavailable:
            return

    def _write_waiting(self) -> None:
        while self._waiting:
            self._write(self._waiting[:BATCH])
            del self._waiting[:BATCH]

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

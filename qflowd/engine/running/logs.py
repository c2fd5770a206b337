"""Logs: carries what tasks print from the workers' files into the table, in batches."""

import logging
import threading
from collections.abc import Callable
from typing import Any, ClassVar

import msgspec

from qflowd.model.errors import StoreUnavailable
from qflowd.store.tx import DataRefused, Store, Tx
from qflowd.workers.log_budget import PrintedLine

log = logging.getLogger("qflowd")
SOON_S, LATE_S = 0.2, 1.0  # between two looks: after one that found lines, and where there have been none for a while
BATCH = 2000
SAMPLE = 8  # lines of a batch that are looked for: all were written, or none


class Logs:
    """The service that writes log lines; before a task's end is written, the executor has its lines written."""

    name: ClassVar[str] = "logs"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, read: Callable[[], list[PrintedLine]]) -> None:
        self._store = store
        self._read = read
        self._lock = threading.Lock()
        self._waiting: list[tuple[Any, ...]] = []  # rows of lines that were read, and are not written yet
        self._pause_s = SOON_S
        self._unsure = 0  # of them, how many the last transaction may have written: its COMMIT was not answered

    def tick(self) -> float:
        self._pause_s = SOON_S if self.write_all() else min(2 * self._pause_s, LATE_S)
        return self._pause_s

    def write_all(self) -> bool:
        """Write what has been printed until now. Was there anything?

        Raises: StoreUnavailable; what is not written then waits here, and the rest in the workers' files.
        """
        with self._lock:
            self._write_waiting()
            lines = self._read()
            for line in lines:
                if line.task_id:
                    self._waiting.append(self._row(line))
                else:
                    log.warning(
                        "a worker printed this line; which of its tasks it belongs to is unknown: %s", line.message
                    )
            self._write_waiting()
        return bool(lines)

    def _write_waiting(self) -> None:
        while self._waiting:
            self._write(self._waiting[: self._unsure or BATCH])

    def _write(self, rows: list[tuple[Any, ...]]) -> None:
        """Write these, which are the first that wait; one that the database refuses is left out, and holds up no other."""
        is_unsure = bool(self._unsure)

        def write_logs(tx: Tx) -> None:
            if not (is_unsure and _are_there(tx, rows)):
                tx.run("insert_log_lines", rows=rows)

        try:
            self._store.transact(write_logs)
        except StoreUnavailable:
            self._unsure = len(rows)
            raise
        except DataRefused as refusal:
            if len(rows) > 1:
                self._unsure, middle = 0, len(rows) // 2
                self._write(rows[:middle])
                self._write(rows[middle:])
                return
            log.warning("a log line of task %d is lost, the database refused it: %s", rows[0][0], refusal)
        self._unsure = 0
        del self._waiting[: len(rows)]

    def _row(self, line: PrintedLine) -> tuple[Any, ...]:
        task_id, fence, attempt, at_us, stream, level, logger, *rest = msgspec.structs.astuple(line)
        return task_id, fence, attempt, self._store.clock.at(at_us / 1e6), stream, level or None, logger or None, *rest


def _are_there(tx: Tx, rows: list[tuple[Any, ...]]) -> bool:
    sample = {(row[0], row[1], row[3], row[4], row[7]) for row in rows[:: max(1, len(rows) // SAMPLE)]}
    written = tx.run("find_log_lines", rows=sorted({row[:3] for row in sample}))
    return sample <= {tuple(row) for row in written}

"""Timers: rows that wait for an instant (run_at, retries, deferrals), deadlines of instances, and ends of waits."""

from datetime import datetime, timedelta
from typing import ClassVar

from qflowd.engine.commands.terminate import expire
from qflowd.engine.service import Topics
from qflowd.model.ids import instance_of
from qflowd.model.instruments import TimersPromoted
from qflowd.store.tx import Store, Tx

RUN = 0  # purpose: the task may run
DEADLINE = 1  # purpose: the instance has run out of time
WAIT = 2  # purpose: the task has waited long enough
BATCH = 1000
IDLE_S = 60.0
LOCKED_S = 0.5  # between looks at due tasks that are locked


class Timers:
    """The service that makes rows READY when their time has come."""

    name: ClassVar[str] = "timers"
    topics: ClassVar[tuple[str, ...]] = ("timer",)

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store = store
        self._topics = topics

    def tick(self) -> float:
        promoted, expired, next_due = self._store.transact(self.promote_due)
        if promoted:
            self._store.instruments.emit(TimersPromoted(promoted))
            self._topics.publish("ready", "wait", *(("intent",) if expired else ()))
        if next_due is None:
            return IDLE_S
        left_s = (next_due - self._store.clock.now()).total_seconds()
        return min(IDLE_S, max(0.0 if promoted else LOCKED_S, left_s))

    def promote_due(self, tx: Tx) -> tuple[int, int, datetime | None]:
        """Take timers that are due, except those of tasks that are locked, most likely by a daemon that promotes them.

        Those whose task is gone (rows were deleted by hand, a backup was restored in part) are deleted.

        Returns how many, how many of them were deadlines, and when the next one is.
        """
        due = tx.run("list_due_timers", now=tx.now, batch=BATCH)
        waiting = sorted((row.task_id,) for row in due if row.purpose == RUN)
        free = {row.id for row in tx.run("lock_unheld", rows=waiting)} if waiting else set()
        locked = {number for (number,) in waiting} - free
        if locked:
            locked &= {row.id for row in tx.run("list_present", rows=[(number,) for number in sorted(locked)])}
        taken = sorted(
            (row.task_id, row.purpose, row.fence) for row in due if row.purpose != RUN or row.task_id not in locked
        )
        if rows := [(number, fence) for number, purpose, fence in taken if purpose == RUN]:
            tx.run("promote_tasks", rows=rows, now=tx.now)
        if waits := [(number, fence) for number, purpose, fence in taken if purpose == WAIT]:
            tx.run("expire_waiters", rows=waits)
        if taken:
            tx.run("delete_due_timers", rows=taken, now=tx.now)
        deadlines = [row for row in taken if row[1] == DEADLINE]
        put_back = self._expire(tx, deadlines)
        return len(taken) - put_back, len(deadlines) - put_back, tx.one("next_timer").due_at

    def _expire(self, tx: Tx, deadlines: list[tuple[int, int, int]]) -> int:
        """Have instances end that have run out of time.

        Returns how many deadlines were put back, as their instances are locked: they are looked at again in a moment.
        """
        numbers = [(instance_of(number),) for number, _, _ in deadlines]
        free = {row.id for row in tx.run("lock_unheld_instances", rows=numbers)} if numbers else set()
        for (number,) in numbers:
            if number in free:
                expire(tx, number)
        if not (locked := [row for row in deadlines if instance_of(row[0]) not in free]):
            return 0
        later = tx.now + timedelta(seconds=LOCKED_S)
        return tx.count("put_back_deadlines", rows=[(*row, later) for row in locked])

"""Usage: what instances of tenants used is added up once they have ended, by day and workflow, apart from what ends them.

The column `meter` of an instance says whether it is still to be added, and changes in the transaction that adds it: whoever
is killed when, each is added once. What a retried instance does later is added when it has ended again.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar, Final

from qflowd.engine.access.cleanup import clean
from qflowd.engine.service import Topics
from qflowd.model import jsontext
from qflowd.model.quotas import MEGABYTE
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx

BATCH: Final = 500  # instances of one transaction
LOOK_S: Final = 5.0
CLEANED_AFTER_S, CLEANED_EVERY_S = 60.0, 3600.0
AUDIT_KEPT: Final = timedelta(days=400)
NEAR: Final = 1 << 30  # ids are sent as their distances from one that is a multiple of this
Key = tuple[str, str, str]  # tenant, day, workflow


class Usage:
    """The service that adds up what was used, and now and then takes away what is over, for which no thread is needed.

    Any daemon does it; what another one adds is skipped.
    """

    name: ClassVar[str] = "usage"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, topics: Topics, audit_kept: timedelta = AUDIT_KEPT) -> None:
        self._store, self._audit_kept = store, audit_kept
        self._cleans_at = boottime() + CLEANED_AFTER_S

    def tick(self) -> float:
        if boottime() >= self._cleans_at:
            self._cleans_at = boottime() + CLEANED_EVERY_S
            clean(self._store, self._audit_kept)
        if self._store.read(lambda tx: tx.one("find_unmetered")).tenant is None:
            return LOOK_S
        added = self._store.transact(add_up, name="add_usage")
        return 0 if added == BATCH else LOOK_S


def add_up(tx: Tx) -> int:
    """Add what some ended instances used. Returns how many they were."""
    ended = tx.run("list_unmetered", batch=BATCH)
    if not ended:
        return 0
    parts: dict[tuple[Key, int], list[Any]] = {}
    for row in ended:
        key = row.tenant, str(row.finished_at.date()), row.workflow
        parts.setdefault((key, row.id - row.id % NEAR), []).append(row)
    rows = [
        (part, base, jsontext.dump([row.id - base for row in parts[key, base]]))
        for part, (key, base) in enumerate(parts)
    ]
    totals = _totals(tx, rows)
    usage: dict[Key, list[float]] = {}
    for (part, *_), ((key, _), instances) in zip(rows, parts.items(), strict=True):
        used = sum(row.is_new for row in instances), *totals[part]
        usage[key] = [one + more for one, more in zip(usage.get(key, [0] * len(used)), used, strict=True)]
    tx.run("add_usage", rows=[(*key, *used) for key, used in sorted(usage.items())])
    tx.run("mark_metered", rows=sorted((row.id,) for row in ended), now=tx.now)
    return len(ended)


def _totals(tx: Tx, rows: Sequence[tuple[int, int, str]]) -> list[tuple[float, ...]]:
    """Of each part: tasks that ran, failures among them, seconds that they ran, seconds of CPU, MB of log lines."""
    ran = {row.part: row for row in tx.run("sum_attempts", rows=rows)}
    succeeded = {row.part: row for row in tx.run("sum_successes", rows=rows)}
    logged = {row.part: float(row.bytes) / MEGABYTE for row in tx.run("sum_log_lines", rows=rows)}
    totals: list[tuple[float, ...]] = []
    for part, *_ in rows:
        tasks, failed, task_s, cpu_s = 0, 0, 0.0, 0.0
        if (row := ran.get(part)) is not None:
            tasks, failed, task_s, cpu_s = int(row.tasks), int(row.failed), float(row.task_s), float(row.cpu_s)
        if (row := succeeded.get(part)) is not None:
            tasks, task_s = tasks + int(row.tasks), task_s + float(row.task_s)
        totals.append((tasks, failed, task_s, cpu_s, logged.get(part, 0.0)))
    return totals

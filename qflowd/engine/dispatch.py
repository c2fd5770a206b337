"""Dispatch: claimed rows are rendered, cut into chunks and given to workers."""

from collections.abc import Iterator

from qflowd.engine.claim import Claimed
from qflowd.engine.harvest import Harvest
from qflowd.engine.instances import Instances
from qflowd.engine.lanes import Lane, Terms
from qflowd.engine.render import render
from qflowd.model.ids import ORDINALS
from qflowd.store.tx import Store
from qflowd.workers.crew import Crew
from qflowd.workers.wire import Assignment, Chunk

LARGEST_PARCEL = 4 << 20  # characters of parameters and parents' outputs in one chunk


class Dispatch:
    """Owned by the executor's thread. `timeout_s`: the daemon's default for tasks."""

    def __init__(
        self, store: Store, crew: Crew, instances: Instances, harvest: Harvest, timeout_s: float | None
    ) -> None:
        self._store, self._crew, self._instances, self._harvest = store, crew, instances, harvest
        self._timeout_s = timeout_s

    def send(self, lane: Lane, rows: list[Claimed], slots: int) -> None:
        """Give these rows to `slots` places of workers: alone where a row must be, else hundreds together.

        Raises: StoreUnavailable, or what rendering raises; nothing was sent then, and nothing of `rows` is held.
        """
        groups, failed = self._store.read(lambda tx: render(tx, self._instances, lane, rows, self._timeout_s))
        for row, error in failed:
            self._harvest.fail(row, lane, error)
        for group in groups:
            self._harvest.hold(group.terms, group.rows)
            if not lane.is_short:
                for row, task in zip(group.rows, group.assignments, strict=True):
                    self._give(group.terms, [task], solo=bool(row.solo))
                continue
            tasks = group.assignments
            if lane.has_solo:
                for row, task in zip(group.rows, tasks, strict=True):
                    if row.solo:
                        self._give(group.terms, [task], solo=True)
                tasks = [task for row, task in zip(group.rows, tasks, strict=True) if not row.solo]
            size = max(1, min(lane.chunk_size, -(-len(tasks) // slots)))
            for part in _parts(tasks, size):
                self._give(group.terms, part, solo=False)

    def _give(self, terms: Terms, tasks: list[Assignment], *, solo: bool) -> None:
        """To a worker; back to the lane if the last one with room has died meanwhile."""
        pool = terms.lane.key.pool
        if self._crew.room(pool):
            self._crew.send(pool, self._chunk(terms, tasks, solo=solo))
        else:
            self._harvest.release([self._harvest.held[task.task_id][0] for task in tasks])

    def _chunk(self, terms: Terms, tasks: list[Assignment], *, solo: bool) -> Chunk:
        lane, settings = terms
        instances = {task.task_id // ORDINALS for task in tasks}
        return Chunk(
            job=lane.job.name,
            module=lane.job.module,
            tasks=tasks,
            long=not lane.is_short,
            solo=solo,
            timeout_s=settings.timeout,
            memory=settings.memory,
            estimate_s=lane.mean_s,
            instances={number: self._instances[number].facts for number in instances},
        )


def _parts(tasks: list[Assignment], size: int) -> Iterator[list[Assignment]]:
    """Chunks of at most `size` tasks, and no more text than a worker should be sent at once."""
    for start in range(0, len(tasks), size):
        part = tasks[start : start + size]
        weights = [len(task.params) + len(task.upstream or "") for task in part]
        if sum(weights) < LARGEST_PARCEL:
            yield part
            continue
        first = weight = 0
        for i, more in enumerate(weights):
            weight += more
            if weight >= LARGEST_PARCEL:
                yield part[first : i + 1]
                first, weight = i + 1, 0
        if first < len(part):
            yield part[first:]

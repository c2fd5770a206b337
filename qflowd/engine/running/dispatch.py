"""Dispatch: claimed rows are rendered, cut into chunks and given to workers."""

import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import cached_property, partial
from itertools import groupby
from typing import TYPE_CHECKING, Any, NamedTuple

from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.claiming.lanes import Lane
from qflowd.engine.claiming.settle import settle
from qflowd.engine.maps import fan_out
from qflowd.engine.plans.gather import Unrenderable, gather
from qflowd.engine.plans.instances import Instances
from qflowd.engine.plans.render import Group, render
from qflowd.engine.running.harvest import Harvest
from qflowd.model.errors import BreakerIsOpen, ExpressionFailed, QflowdError, SkippedByPerson, Unreached, Unwanted
from qflowd.model.ids import ORDINALS
from qflowd.model.states import Reason, TaskState
from qflowd.store.tx import Store, Tx
from qflowd.workers.backends import Backends
from qflowd.workers.wire import Assignment, Chunk

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

log = logging.getLogger("qflowd")
LARGEST_PARCEL = 4 << 20  # characters of parameters in one chunk
WORTH_A_THREAD = 100  # rows; fewer are rendered before another thread is awake
PUT_OFF_S = 60.0  # what cannot be read here waits so long, for a daemon that can


class Shipment(NamedTuple):
    """A claim on its way to the workers. `rendered` waits for what to send.

    `others`: claims that are lines, as it is then too; their rows travel in the same chunks.
    """

    claim: Claim
    rendered: Callable[[], tuple[list[Group], list[Unrenderable]]]
    are_heads: bool = False  # of maps: they are not sent, but expanded into items
    others: Sequence[Claim] = ()

    @property
    def claims(self) -> Sequence[Claim]:
        return self.claim, *self.others

    @property
    def rows(self) -> list[Claimed]:
        return [row for claim in self.claims for row in claim.rows]

    @property
    def is_sent(self) -> bool:
        """Do its rows go to workers? Others become, or make, rows that are ready."""
        return not (self.are_heads or self.claim.lane.is_unsettled)


class Dispatch:
    """Owned by the executor's thread. `timeout_s`: the daemon's default for tasks."""

    def __init__(
        self,
        store: Store,
        backends: Backends,
        instances: Instances,
        harvest: Harvest,
        timeout_s: float | None,
        database_id: str,
    ) -> None:
        self._store, self._backends, self.instances, self._harvest = store, backends, instances, harvest
        self.timeout_s, self._database_id = timeout_s, database_id

    def prepare(self, tx: Tx, claim: Claim, *others: Claim) -> Shipment:
        """Read what a claim takes, in its transaction; many rows are rendered while its COMMIT waits for the disk.

        `others`: if it is a line, those that travel with it.
        """
        claims = claim, *others
        gathered = gather(tx, self.instances, *((each.lane, each.rows) for each in claims))
        if sum(len(each.rows) for each in claims) < WORTH_A_THREAD:
            return Shipment(claim, partial(render, gathered, self.timeout_s), others=others)
        return Shipment(claim, self._render_thread.submit(render, gathered, self.timeout_s).result, others=others)

    def prepare_heads(self, tx: Tx, claim: Claim) -> Shipment:
        """Heads of maps are expanded after the claim, in transactions of their own: their items are rows of the same lane."""
        return Shipment(claim, lambda: ([], []), are_heads=True)

    @cached_property
    def _render_thread(self) -> "ThreadPoolExecutor":
        from concurrent.futures import ThreadPoolExecutor

        return ThreadPoolExecutor(1, thread_name_prefix="qflowd-render")

    def close(self) -> None:
        """End the thread that renders, if there is one."""
        if "_render_thread" in vars(self):
            self._render_thread.shutdown(wait=False)

    def send(self, shipment: Shipment, cancelled: Collection[int] = ()) -> bool:
        """Give these rows to workers: alone where a row must be, else hundreds together.

        Heads of maps are expanded, and rows without a lane of their own are put into one.
        `cancelled`: ids of rows that end before they begin, as they or their instances were terminated.
        Returns: have other rows become ready? Raises: StoreUnavailable, for what is not sent.
        """
        if shipment.is_sent:
            self._ship(shipment, cancelled)
        elif shipment.are_heads:
            self._expand(shipment.claim, cancelled)
        else:
            self._settle(shipment.claim, cancelled)
        return not shipment.is_sent

    def recall(self, pauses: Sequence[tuple[int, str, Any, Any]]) -> None:
        """Have workers return what they have not begun and what needs a limit that a task asked to pause."""
        if pauses:
            self._backends.give_back(self._harvest.held.lines.that_take({limit for _, limit, _, _ in pauses}))

    def _ship(self, shipment: Shipment, cancelled: Collection[int]) -> None:
        lane = shipment.claim.lane
        groups, failed = shipment.rendered()
        if cancelled:
            self._cancel(shipment.rows, cancelled)
            failed = [item for item in failed if item.row.id not in cancelled]
            groups = [group.without(cancelled) for group in groups]
        if failed:
            lanes = {row.id: each.lane for each in shipment.claims for row in each.rows}
            for _, of_lane in groupby(failed, lambda item: lanes[item.row.id].id):
                items = list(of_lane)
                refuse(self._harvest, lanes[items[0].row.id], items)
        for group in groups:
            self._harvest.held.hold(lane, group.rows, group.row_terms)
            for tasks, solo in self._parcels(shipment, group):
                self._give(group, tasks, solo=solo)

    def _parcels(self, shipment: Shipment, group: Group) -> Iterator[tuple[list[Assignment], bool]]:
        """What workers are given at a time, and whether it must run alone."""
        lane, tasks = shipment.claim.lane, group.assignments
        if shipment.others:
            for part in _lines(group, -(-len(shipment.rows) // max(1, shipment.claim.room))):
                yield part, False
            return
        if not lane.is_short:
            for row, task in zip(group.rows, tasks, strict=True):
                yield [task], bool(row.solo)
            return
        if any(row.solo for row in group.rows):
            for row, task in zip(group.rows, tasks, strict=True):
                if row.solo:
                    yield [task], True
            tasks = [task for row, task in zip(group.rows, tasks, strict=True) if not row.solo]
        for part in _parts(tasks, group.shared, self._chunk_size(shipment.claim, len(tasks))):
            yield part, False

    def _chunk_size(self, claim: Claim, tasks: int) -> int:
        """Of so many tasks, how many go into one chunk: with limits, as many chunks as slots are held for them."""
        if limits := claim.lane.key.limits:
            of_all = -(-len(claim.rows) // max(1, len(claim.holders)))
            return max(1, of_all, -(-tasks // max(1, self._harvest.held.lines.free(limits))))
        return max(1, min(claim.lane.chunk_size, -(-tasks // claim.room)))

    def _expand(self, claim: Claim, cancelled: Collection[int]) -> None:
        """Make rows for the items of claimed heads. Raises: StoreUnavailable."""
        rows = self._cancel(claim.rows, cancelled)
        lines = self._harvest.held.lines
        expanded = fan_out.expand(self._store, self.instances, rows, lines.freed((row.id, row.fence) for row in rows))
        self._harvest.release(expanded.left)
        held = {row.id for row, _ in expanded.failed} | {row.id for row, _, _ in expanded.ended}
        held |= {row.id for row in expanded.left}
        for row in rows:
            if row.id not in held:
                lines.forget((row.id, row.fence))
        for row, items, bad in expanded.ended:
            self._harvest.end_head(row, claim.lane, items, bad)
        if expanded.failed:
            refuse(self._harvest, claim.lane, [Unrenderable(*failed) for failed in expanded.failed])

    def _settle(self, claim: Claim, cancelled: Collection[int]) -> None:
        """Put claimed rows into their own lanes. Raises: StoreUnavailable."""
        rows = self._cancel(claim.rows, cancelled)
        failed = settle(self._store, self.instances, rows)
        kept = {row.id for row, _ in failed}
        for row in rows:
            if row.id not in kept:
                self._harvest.held.lines.forget((row.id, row.fence))
        if failed:
            refuse(self._harvest, claim.lane, failed)

    def _cancel(self, rows: Sequence[Claimed], cancelled: Collection[int]) -> list[Claimed]:
        """End those of the rows that are cancelled. Returns the others."""
        self._harvest.cancel(row for row in rows if row.id in cancelled)
        return [row for row in rows if row.id not in cancelled]

    def _give(self, group: Group, tasks: list[Assignment], *, solo: bool) -> None:
        """To a worker; back to their lanes if the last one with room is gone meanwhile, or no slots of their limits are left."""
        pool = group.terms.lane.key.pool
        if not self._backends.room(pool):
            self._release(tasks)
            return
        if group.terms.lane.key.limits:
            tasks = self._begin_lines(tasks)
        if tasks:
            self._backends.send(pool, self._chunk(group, tasks, solo=solo))

    def _begin_lines(self, tasks: Sequence[Assignment]) -> list[Assignment]:
        """Tasks that are to run one after another, each lane's as a line; those for which no slot is left go back."""
        begun = []
        for limits, of_lane in groupby(tasks, lambda task: self._harvest.held[task.task_id][1].lane.key.limits):
            line = list(of_lane)
            if self._harvest.held.lines.begin(limits, [(task.task_id, task.fence) for task in line]):
                begun += line
            else:
                self._release(line)
        return begun

    def _release(self, tasks: Iterable[Assignment]) -> None:
        self._harvest.release([self._harvest.held[task.task_id][0] for task in tasks])

    def _chunk(self, group: Group, tasks: list[Assignment], *, solo: bool) -> Chunk:
        lane, settings = group.terms
        instances = {task.task_id // ORDINALS for task in tasks}
        return Chunk(
            job=lane.job.name,
            module=lane.job.module,
            tasks=tasks,
            long=not lane.is_short,
            solo=solo,
            timeout_s=settings.timeout,
            memory=settings.memory,
            estimate_s=lane.known_pace.mean_s,
            instances={number: self.instances[number].facts for number in instances},
            database=self._database_id,
            shared_params={task.params: group.shared[task.params] for task in tasks if isinstance(task.params, int)},
            upstreams={n: group.upstreams[n] for task in tasks if (n := task.upstream) is not None},
            calendars=self.instances.calendars.book(lane.key.tenant).text,
        )


def refuse(harvest: Harvest, lane: Lane, rows: Sequence[Unrenderable]) -> None:
    """Rows end whose `when` is false or whose params have no value; rows that cannot be read here wait for another daemon."""
    unreadable = []
    for row, error in rows:
        if isinstance(error, SkippedByPerson):
            harvest.skip(row, lane, str(error))
        elif isinstance(error, BreakerIsOpen):
            harvest.skip(row, lane, str(error), Reason.BREAKER_OPEN)
        elif isinstance(error, Unreached):
            state = TaskState.UPSTREAM_FAILED if error.is_failed else TaskState.SKIPPED
            harvest.end_unrun([row], state, Reason.NONE)
        elif isinstance(error, Unwanted):
            harvest.end_unrun([row], TaskState.SKIPPED, Reason.CONDITION)
        elif isinstance(error, ExpressionFailed):
            harvest.fail(row, lane, str(error))
        else:
            harvest.put_off(row, PUT_OFF_S)
            unreadable.append(error)
    if unreadable:
        log.error(
            "%d tasks of job %s cannot be prepared by this daemon; they wait %.0f s for one that can (upgrade qflowd "
            "here, or terminate their instances). The first: %s",
            len(unreadable),
            lane.job.name,
            PUT_OFF_S,
            unreadable[0],
            exc_info=None if isinstance(unreadable[0], QflowdError) else unreadable[0],
        )


def _lines(group: Group, size: int) -> Iterator[list[Assignment]]:
    """Chunks of so many tasks or some more: whatever is of one lane travels together."""
    chunk: list[Assignment] = []
    for _, line in groupby(zip(group.row_terms, group.assignments, strict=True), lambda pair: pair[0].lane.id):
        chunk += [task for _, task in line]
        if len(chunk) >= size:
            yield from _parts(chunk, group.shared, len(chunk))
            chunk = []
    yield from _parts(chunk, group.shared, max(1, len(chunk)))


def _parts(tasks: list[Assignment], texts: Sequence[str], size: int) -> Iterator[list[Assignment]]:
    """Chunks of at most `size` tasks, and no more text than a worker should be sent at once."""
    for start in range(0, len(tasks), size):
        part = tasks[start : start + size]
        shared: set[int] = set()
        weights = []
        for task in part:
            if isinstance(params := task.params, str):
                weights.append(len(params))
            else:  # what is shared weighs once
                weights.append(0 if params in shared else len(texts[params]))
                shared.add(params)
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

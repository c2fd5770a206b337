"""Claim: which lanes, how many rows, in which order. The rows are taken by one statement per lane."""

import math
from collections.abc import Callable, Iterable, Mapping
from operator import attrgetter
from typing import Any, NamedTuple

from qflowd.engine.known import Codes, LaneIds
from qflowd.engine.lanes import Lane
from qflowd.model.errors import QflowdError
from qflowd.model.workflow import Job
from qflowd.store.tx import Store, Tx

LARGEST_BATCH = 2000
_PLACE = attrgetter("priority", "id")
# LIMIT is part of the text, so batches come in few sizes: each has its plan.
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)


class Claimed(NamedTuple):
    """A row that is now ours. `attempt` and `crashes` as they were before this run; `round`: restarts by people."""

    id: int
    node: int
    fence: int
    priority: int
    attempt: int
    crashes: int
    solo: int
    kind: int = 0
    map_index: int | None = None
    round: int = 0


class Head(NamedTuple):
    """A lane that has READY rows, and the priority (negated) of its first."""

    lane: int
    priority: int


class Claim(NamedTuple):
    """Rows taken from one lane, whose pool had room for `room` chunks."""

    lane: Lane
    rows: list[Claimed]
    room: int


class Claimer:
    """Chooses among the lanes that this daemon serves: those whose job and pool are here. Owned by the executor's thread."""

    def __init__(self, lane_ids: LaneIds, pools: Iterable[str]) -> None:
        self._lane_ids = lane_ids
        self._pools = frozenset(pools)
        self._codes = Codes()
        self._jobs: Mapping[str, Job] = {}
        self._lanes: dict[int, Lane] = {}
        self._turns = 0
        self.has_unknown_lanes = False  # met inside a transaction, where they cannot be learnt
        self.is_held_back = False  # by a better lane that is to be learnt first: the next claim should come at once

    def set_jobs(self, jobs: Mapping[str, Job]) -> None:
        """A new generation of plugins is live: of a job that has changed, all is learnt anew."""
        changed = {name for name in self._jobs if jobs.get(name) != self._jobs[name]}
        self._jobs = jobs
        self._lanes = {number: lane for number, lane in self._lanes.items() if lane.key.job not in changed}

    def look(self, store: Store) -> bool:
        """Learn lanes not seen before, outside any transaction. Does anything stand in a lane of ours?"""
        heads = _heads(store.read(lambda tx: tx.run("list_heads")))
        self._learn(store, heads)
        self.has_unknown_lanes = False
        return any(head.lane in self._lanes for head in heads)

    def claim(self, tx: Tx, room: dict[str, int], idle: dict[str, int], owner: int) -> list[Claim]:
        """Claim lane by lane while their pools have room.

        `room`: by pool, how many chunks it can be given. `idle`: how many of its worker slots have nothing to do. What is
        taken is subtracted from both.
        """
        self.is_held_back = False
        if not any(room.values()):
            return []
        claims = []
        ordered = order_lanes(self._open(_heads(tx.run("list_heads"))), self._tenant_of, self._turns)
        stuck = self._stuck(ordered, idle)
        for head in ordered:
            lane = self._lanes[head.lane]
            pool = lane.key.pool
            if lane.is_short and head.priority >= stuck.get(pool, math.inf):
                continue
            # Short tasks fill every chunk that fits; long ones go only where a slot is free, so nobody hoards.
            free = room[pool] if lane.is_short else min(room[pool], idle[pool])
            if free <= 0:
                continue
            rows = claim_rows(tx, lane, free * (1 if lane.has_solo else lane.chunk_size), owner)
            if rows:
                lane.has_solo = any(row.solo for row in rows)
                claims.append(Claim(lane, rows, free))
                chunks = min(free, len(rows))
                room[pool] -= chunks
                idle[pool] -= chunks
        if claims:  # not for a turn that was held back: the start would move in step with it, always to the same lane
            self._turns += 1
        return claims

    def _open(self, heads: list[Head]) -> list[Head]:
        """Heads of the lanes to claim from now."""
        unknown = [head for head in heads if head.lane not in self._lanes and self._may_be_ours(head.lane)]
        self.has_unknown_lanes = bool(unknown)
        # What is worse than a lane that is ours and not learnt yet waits for it, one turn that comes at once.
        worst = min((head.priority for head in unknown if self._job_of(head.lane)), default=math.inf)
        self.is_held_back = worst < math.inf
        return [head for head in heads if head.lane in self._lanes and head.priority <= worst]

    def _stuck(self, ordered: Iterable[Head], idle: Mapping[str, int]) -> dict[str, int]:
        """Pool -> best priority (negated) of its lanes that need a free slot where there is none.

        Short tasks that are no better wait until a slot has run dry: filling the queues up again and again, they would
        never leave one free.
        """
        found: dict[str, int] = {}
        for head in ordered:
            lane = self._lanes[head.lane]
            if not lane.is_short and idle[lane.key.pool] <= 0:
                found.setdefault(lane.key.pool, head.priority)
        return found

    def _learn(self, store: Store, heads: Iterable[Head]) -> None:
        """Lanes not seen before; those whose job or pool is not here are left to others."""
        new = [head.lane for head in heads if head.lane not in self._lanes]
        if not new:
            return
        self._lane_ids.load(new)
        for number in new:
            key, job = self._lane_ids.key(number), self._job_of(number)
            if key is None or job is None:
                continue
            code_id = store.transact(lambda tx, job=job: self._codes.id(tx, job), name="know_code")  # type: ignore[misc]
            self._lanes[number] = Lane(number, key, job, code_id)

    def _job_of(self, lane: int) -> Job | None:
        """The job of a lane; None if that or its pool is not here, or the lane's key is not known."""
        key = self._lane_ids.key(lane)
        return self._jobs.get(key.job) if key is not None and key.pool in self._pools else None

    def _may_be_ours(self, lane: int) -> bool:
        return self._lane_ids.key(lane) is None or self._job_of(lane) is not None

    def _tenant_of(self, lane: int) -> str:
        return self._lanes[lane].key.tenant


def order_lanes(heads: Iterable[Head], tenant_of: Callable[[int], str], turn: int) -> list[Head]:
    """Best head priority first; among equals round robin between tenants, then lanes, `turn` moving the start."""
    by_priority: dict[int, dict[str, list[Head]]] = {}
    for head in sorted(heads):
        by_priority.setdefault(head.priority, {}).setdefault(tenant_of(head.lane), []).append(head)
    ordered: list[Head] = []
    for priority in sorted(by_priority):
        tenants = [_rotated(lanes, turn) for _, lanes in sorted(by_priority[priority].items())]
        tenants = _rotated(tenants, turn)
        for place in range(max(map(len, tenants))):
            ordered += [lanes[place] for lanes in tenants if place < len(lanes)]
    return ordered


def claim_rows(tx: Tx, lane: Lane, wanted: int, owner: int) -> list[Claimed]:
    """Take up to `wanted` ready rows of a lane, best priority first, then oldest.

    Those of a lane that is not known to be short become RUNNING in the same transaction. If the reply to its COMMIT is
    lost, the rows are taken all the same (see reconciliation).
    """
    batch = max(size for size in SIZES if size <= max(1, min(wanted, LARGEST_BATCH)))
    rows: list[Claimed] = tx.run("claim_tasks", lane=lane.id, owner=owner, batch=batch)
    if len(rows) > batch:
        raise QflowdError(
            f"a claim of {batch} rows took {len(rows)}: the database ignores LIMIT with SKIP LOCKED; run `qflowd doctor`"
        )
    starting = rows if not lane.is_short else [row for row in rows if row.solo]
    if starting:
        tx.run("start_tasks", rows=sorted((row.id, row.fence, tx.now) for row in starting))
    rows.sort(key=_PLACE)
    return rows


def _heads(rows: Iterable[Any]) -> list[Head]:
    return [Head(*row) for row in rows]


def _rotated(items: list[Any], turn: int) -> list[Any]:
    start = turn % len(items)
    return items[start:] + items[:start]

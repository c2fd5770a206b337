"""Claim: which lanes, how many rows, in which order. The rows are taken by one statement per lane."""

import math
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

from qflowd.engine.caches import CodeIds, LaneIds
from qflowd.engine.claiming.gate import Gate, Head, rows_of, rows_of_lines, shut
from qflowd.engine.claiming.lane_turns import order_lanes
from qflowd.engine.claiming.lanes import START, Lane
from qflowd.engine.claiming.paused_rows import hold_paused
from qflowd.engine.limits.slots import Slots, holders_of
from qflowd.engine.plans import lane_keys
from qflowd.engine.plans.expand import Admission
from qflowd.model.errors import QflowdError
from qflowd.model.ids import task_id
from qflowd.model.states import TaskState
from qflowd.model.workflow import Job
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx

LARGEST_BATCH = 2000
MANY = 100  # rows of one claim: from here on the next one continues where it ended
HEADS_S = 0.4  # how long claims continue like that if nothing has become ready here
MANY_UNRUN = 500  # rows claimed together that are not to run: they get other lanes, or end
LOOKS_PAST_PAUSED = 20  # claims in one transaction that met nothing but rows of paused instances
_PLACE = itemgetter(3, 0)  # of a Claimed: priority, id
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


class Claim(NamedTuple):
    """Rows taken from one lane, whose pool had room for `room` chunks.

    `holders`: ids of those that hold slots of limits. `open_breaker`: the limit for whose breaker they are to end, unrun.
    """

    lane: Lane
    rows: list[Claimed]
    room: int
    holders: AbstractSet[int] = frozenset()
    open_breaker: str | None = None


LimitedLane = tuple[Head, Lane, int]  # a lane with limits, and how many chunks of it may be claimed


class Claimer:
    """Chooses among the lanes whose job and pool this daemon has. Owned by the executor's thread."""

    def __init__(
        self, lane_ids: LaneIds, pools: Iterable[str], runs_in_order: Callable[[str], bool] = lambda _: False
    ) -> None:
        """`runs_in_order`: does this pool run the tasks of a chunk one after another, so that they can share a slot?"""
        self._lane_ids, self._runs_in_order = lane_ids, runs_in_order
        self._pools = frozenset(pools)
        self._codes = CodeIds()
        self._jobs: Mapping[str, Job] = {}
        self._lanes: dict[int, Lane] = {}
        self._turns = 0
        self._rest: dict[int, Head] = {}  # by lane: those in which the last claims have left rows
        self._continues = False  # one of them was far from empty: the next claims begin with these
        self._next_rest: list[Head] | None = None  # lanes in which a claim has left rows that is not committed yet
        self._look_at = 0.0
        self._was_passed_over = False
        self._places: dict[int, tuple[int, int]] = {}  # of lanes in `limited`: where their claims begin
        self._gave_up = False  # the last claim of a lane met so many paused rows that it did not look further
        self.limited: list[LimitedLane] = []  # lanes with limits and their chunks, to be claimed next
        self.has_unknown_lanes = False  # met inside a transaction, where they cannot be learnt
        self.is_held_back = False  # by a better lane that is to be learnt first: the next claim should come at once
        self.may_have_left = False  # the last claim did not see the end of every lane: rows may be left to claim

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

    def forget_heads(self) -> None:
        """Rows may have become ready before the place where the last claims ended."""
        self._continues = False

    def claim(self, tx: Tx, room: dict[str, int], idle: dict[str, int], owner: int) -> list[Claim]:
        """Claim lane by lane while their pools have room; those with limits are left in `limited`, for `claim_limited`.

        `room`: by pool, how many chunks it can be given. `idle`: how many of its worker slots have nothing to do. What is
        taken is subtracted from both.
        """
        self.is_held_back, self.may_have_left, self.limited = False, True, []
        self._next_rest, self._was_passed_over = None, False
        if not any(room.values()):
            return []
        claims, rest, gate = [], [], Gate(room, idle)
        ordered = order_lanes(self._open(self._read_heads(tx)), self._tenant_of, self._turns)
        gate.look((head, self._lanes[head.lane]) for head in ordered)
        whole = gate.copy()
        for head in ordered:
            lane = self._lanes[head.lane]
            chunks = gate.chunks(head, lane)
            if lane.key.limits:  # limits are locked before instances, which a finish holds
                # The first keeps its share free; the others get what it leaves, as its limits may give it little.
                if most := whole.chunks(head, lane):
                    gate.take(lane, chunks)
                    self.limited.append((head, lane, most))
                    self._places[lane.id] = lane.after
                else:
                    rest.append(head)
            elif not chunks:
                rest.append(head)
                self.may_have_left = True
            elif rows := self._take(tx, head, lane, rows_of(lane, chunks), owner):
                claim = Claim(lane, rows, chunks)
                gate.take(lane, min(chunks, len(claim.rows)))
                claims.append(claim)
                if len(claim.rows) == _batch(rows_of(lane, chunks)):
                    self.may_have_left = True
                    if len(claim.rows) >= MANY:
                        lane.after = _PLACE(claim.rows[-1])
                        rest.append(head._replace(priority=lane.after[0]))
            else:
                self._was_passed_over = True
        # Not after a turn that was held back: the start would move in step with it, always to the same lane.
        if claims or self.limited:
            self._turns += 1
        self._next_rest = rest
        return claims

    def keep_place(self) -> bool:
        """The last claim is committed: for a moment the next ones continue where it ended.

        Returns: did a lane give nothing, since others had its rows locked or were faster? They may let go of them.
        """
        if self._next_rest is not None:
            self._rest, self._continues = {}, False
            for head in self._next_rest:
                self.keep(head)
            self._next_rest = None
        return self._was_passed_over

    def keep(self, head: Head) -> None:
        """Rows are left in this lane: the next claims look at it, if for a moment they continue where the last ones ended."""
        self._rest[head.lane] = head
        self._continues |= self._lanes[head.lane].after > START

    def claim_limited(self, tx: Tx, head: Head, lane: Lane, chunks: int, owner: int) -> list[Claim]:
        """Claim a lane with limits, in a transaction of its own: limits are locked first, instances last."""
        lane.after = self._places.get(lane.id, lane.after)  # a claim that was rolled back has moved it
        if boottime() >= self._look_at:  # what the head says of pauses is old: many lanes were claimed since
            head = head._replace(has_pauses=1, has_paused_tasks=1)
        self._gave_up = False
        if lane.is_unsettled:
            return self._claim_unrun(tx, (head, lane, chunks), owner)
        slots = Slots(tx, lane.key.limits)
        lane.has_breaker, lane.is_probing = slots.has_breaker, slots.is_probing
        if lane.has_fallback and slots.open_breaker is not None:
            lane.is_probing = False
            return self._claim_unrun(tx, (head, lane, chunks), owner, slots.open_breaker)
        wanted = places = min(chunks, slots.free)
        if self._runs_in_order(lane.key.pool):
            wanted = rows_of_lines(lane, places, is_scarce=places < chunks)
        if not (rows := self._take_all(tx, head, lane, min(wanted, slots.tokens), owner)):
            if not self._gave_up:  # behind the paused rows there may be others
                shut(lane, slots.opens_in_s)
            return []
        holders = holders_of(rows, places) if lane.is_short else rows
        if lane.is_short:
            tx.run("start_tasks", rows=sorted((row.id, row.fence, tx.now) for row in holders))
        slots.take(len(holders), len(rows))
        if slots.is_probing:
            slots.probe(rows[0])
        return [Claim(lane, rows, chunks, {row.id for row in holders})]

    def _claim_unrun(self, tx: Tx, limited: LimitedLane, owner: int, breaker: str | None = None) -> list[Claim]:
        """Rows that are not to run: they get lanes of their own, or end as a breaker is open."""
        head, lane, chunks = limited
        rows = self._take(tx, head, lane, MANY_UNRUN, owner, is_start=False)
        if len(rows) == MANY_UNRUN:
            self.keep(head)
        return [Claim(lane, rows, chunks, open_breaker=breaker)] if rows else []

    def _take_all(self, tx: Tx, head: Head, lane: Lane, wanted: int, owner: int) -> list[Claimed]:
        """As `_take`, for a lane with limits: as many as are wanted, in several batches. The next claims continue behind them."""
        rows: list[Claimed] = []
        while len(rows) < wanted and (more := self._take(tx, head, lane, wanted - len(rows), owner)):
            rows += more
            if len(more) >= MANY:
                lane.after = _PLACE(more[-1])
        if len(rows) >= wanted:
            self.keep(head if lane.after == START else head._replace(priority=lane.after[0]))
        return rows

    def opens_at(self) -> float:
        """When the next lane is to be looked at again that gave nothing (CLOCK_BOOTTIME); infinite if there is none."""
        now = boottime()
        return min((lane.shut_until for lane in self._lanes.values() if lane.shut_until > now), default=math.inf)

    def open_limited(self) -> None:
        """Slots of limits have come back: lanes that gave nothing are looked at again."""
        for lane in self._lanes.values():
            lane.shut_until = 0.0

    def claim_new(self, tx: Tx, admissions: Iterable[Admission], idle: dict[str, int], owner: int) -> list[Claim]:
        """Insert what is ready of these as claimed, if there is an idle slot for each row and no other row is READY.

        Returns: the claims; none: nothing was inserted. Raises: DataRefused if a row is there already.
        """
        claims: dict[int, Claim] = {}
        for admission in admissions:
            for cohort in admission.ready(tx.now):
                lane = self._lanes.get(self._lane_ids.id(cohort.lane))
                if lane is None or lane.key.limits:
                    return []
                first = task_id(admission.request.id, 0)
                rows = [
                    Claimed(first + node, node, 1, cohort.priority, 0, 0, 0, int(cohort.kind))
                    for node in cohort.ordinals
                ]
                claims.setdefault(lane.id, Claim(lane, [], idle[lane.key.pool])).rows.extend(rows)
                idle[lane.key.pool] -= len(rows)
        if not claims or min(idle.values()) < 0:
            return []
        new = [_inserted(claim.lane, row, tx.now) for claim in claims.values() for row in claim.rows]
        return list(claims.values()) if tx.count("insert_claimed_tasks", rows=new, owner=owner) else []

    def _read_heads(self, tx: Tx) -> list[Head]:
        """The lanes that have rows; those that were far from empty a moment ago are not asked for in every turn.

        In PostgreSQL's index all that was claimed since the last vacuum stands before a lane's first row.
        """
        heads = list(self._rest.values()) if self._continues else []
        self._continues = False  # if this transaction is rolled back, the next one begins anew
        self.may_have_left = bool(heads) and boottime() < self._look_at
        if self.may_have_left:
            return heads
        self._look_at = boottime() + HEADS_S
        for lane in self._lanes.values():
            lane.after = START
        return _heads(tx.run("list_heads"))

    def _take(self, tx: Tx, head: Head, lane: Lane, wanted: int, owner: int, *, is_start: bool = True) -> list[Claimed]:
        """Up to so many rows of a lane. Those of paused instances and tasks become HELD when they are met here."""
        for _ in range(LOOKS_PAST_PAUSED):
            rows = taken = claim_rows(tx, lane, wanted, owner, is_start=is_start)
            if taken and head.may_be_paused:
                self.may_have_left = True
                rows = hold_paused(tx, head, taken)
            if rows:
                lane.has_solo = any(row.solo for row in rows)
                return rows
            if not taken:
                return []
        self._gave_up = True
        return []

    def _open(self, heads: list[Head]) -> list[Head]:
        """Heads of the lanes to claim from now."""
        unknown = [head for head in heads if head.lane not in self._lanes and self._may_be_ours(head.lane)]
        self.has_unknown_lanes = bool(unknown)
        self.may_have_left |= self.has_unknown_lanes
        # What is worse than a lane that is ours and not learnt yet waits for it, one turn that comes at once.
        worst = min((head.priority for head in unknown if self._job_of(head.lane)), default=math.inf)
        self.is_held_back = worst < math.inf
        return [head for head in heads if head.lane in self._lanes and head.priority <= worst]

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
            self._lanes[number] = Lane(number, lane_keys.known_to(job, key), job, code_id)

    def _job_of(self, lane: int) -> Job | None:
        """The job of a lane; None if that or its pool is not here, or the lane's key is not known."""
        key = self._lane_ids.key(lane)
        return self._jobs.get(key.job) if key is not None and key.pool in self._pools else None

    def _may_be_ours(self, lane: int) -> bool:
        return self._lane_ids.key(lane) is None or self._job_of(lane) is not None

    def _tenant_of(self, lane: int) -> str:
        return self._lanes[lane].key.tenant


def claim_rows(tx: Tx, lane: Lane, wanted: int, owner: int, *, is_start: bool = True) -> list[Claimed]:
    """Take up to `wanted` ready rows of a lane, best priority first, then oldest.

    Those of a lane that is not known to be short become RUNNING in the same transaction. If the reply to its COMMIT is
    lost, the rows are taken all the same (see reconciliation). Not `is_start`: none of them is about to run.
    """
    batch = _batch(wanted)
    after_priority, after_id = lane.after
    rows: list[Claimed] = tx.run(
        "claim_tasks", lane=lane.id, owner=owner, batch=batch, after_priority=after_priority, after_id=after_id
    )
    if len(rows) > batch:
        raise QflowdError(
            f"a claim of {batch} rows took {len(rows)}: the database ignores LIMIT with SKIP LOCKED; run `qflowd doctor`"
        )
    starting = rows if not lane.is_short else [row for row in rows if row.solo and not lane.key.limits]
    if starting and is_start:
        tx.run("start_tasks", rows=sorted((row.id, row.fence, tx.now) for row in starting))
    rows.sort(key=_PLACE)
    return rows


def _inserted(lane: Lane, row: Claimed, now: datetime) -> tuple[Any, ...]:
    """The row of `insert_claimed_tasks`: as `claim_rows` leaves it."""
    state, started_at = (TaskState.RESERVED, None) if lane.is_short else (TaskState.RUNNING, now)
    return row.id, row.node, row.kind, int(state), lane.id, row.priority, now, started_at


def _batch(wanted: int) -> int:
    return max(size for size in SIZES if size <= max(1, min(wanted, LARGEST_BATCH)))


def _heads(rows: Iterable[Any]) -> list[Head]:
    return [Head(*row) for row in rows]

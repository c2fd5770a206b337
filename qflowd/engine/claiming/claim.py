"""Claim: which lanes, how many rows, in which order. The rows are taken by one statement per lane (`take.py`)."""

import math
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

from qflowd.engine.caches import CodeIds, LaneIds, LaneKey
from qflowd.engine.claiming.gate import SHUT_S, Gate, Head, rows_of
from qflowd.engine.claiming.lane_turns import order_lanes
from qflowd.engine.claiming.lanes import START, Lane, Pace
from qflowd.engine.claiming.limit_turns import LimitTurns
from qflowd.engine.claiming.take import batch_of, place_of, take
from qflowd.engine.plans import lane_keys
from qflowd.engine.plans.expand import Admission
from qflowd.model.ids import task_id
from qflowd.model.states import TaskState
from qflowd.model.workflow import Job
from qflowd.store.clock import boottime
from qflowd.store.tx import Store, Tx

MANY = 100  # rows of one claim: from here on the next one continues where it ended
HEADS_S = 0.4  # how long claims continue like that if nothing has become ready here
MOST_TOGETHER = 100  # lanes with limits that one claim looks at: their limits are locked together


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
    `is_line`: they run one after another, in a chunk with lines of other lanes.
    """

    lane: Lane
    rows: list[Claimed]
    room: int
    holders: AbstractSet[int] = frozenset()
    open_breaker: str | None = None
    is_line: bool = False


class LimitedLane(NamedTuple):
    """A lane with limits that is to be claimed next, and the place behind which its rows begin."""

    head: Head
    lane: Lane
    after: tuple[int, int]


class Claimer:
    """Chooses among the lanes whose job and pool this daemon has. Owned by the executor's thread."""

    def __init__(self, lane_ids: LaneIds, pools: Iterable[str]) -> None:
        self._lane_ids = lane_ids
        self._pools = frozenset(pools)
        self._codes = CodeIds()
        self._jobs: Mapping[str, Job] = {}
        self._lanes: dict[int, Lane] = {}
        self._paces: dict[LaneKey, Pace] = {}  # by key without limits: of all lanes that have some
        self._turns = 0
        self._rest: dict[int, Head] = {}  # by lane: those in which the last claims have left rows
        self._continues = False  # one of them was far from empty: the next claims begin with these
        self._next_rest: list[Head] | None = None  # lanes in which a claim has left rows that is not committed yet
        self._look_at = 0.0
        self._was_passed_over = False
        self._used_up: dict[str, float] = {}  # limits whose slots are all in use -> when to look again (CLOCK_BOOTTIME)
        self._claims_at = 0.0  # when the last claim began (CLOCK_BOOTTIME)
        self.limit_turns = LimitTurns(lane_ids)
        self.limited: list[LimitedLane] = []  # those that `claim` has left, for `LimitedClaimer`
        self._allowance: dict[str, int] = {}  # how many more of these, by pool
        self.has_unknown_lanes = False  # met inside a transaction, where they cannot be learnt
        self.is_held_back = False  # by a better lane that is to be learnt first: the next claim should come at once
        self.may_have_left = False  # the last claim did not see the end of every lane: rows may be left to claim

    def set_jobs(self, jobs: Mapping[str, Job]) -> None:
        """A new generation of plugins is live: of a job that has changed, all is learnt anew."""
        changed = {name for name in self._jobs if jobs.get(name) != self._jobs[name]}
        self._jobs = jobs
        self._lanes = {number: lane for number, lane in self._lanes.items() if lane.key.job not in changed}
        self._paces = {key: pace for key, pace in self._paces.items() if key.job not in changed}

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
        """Claim lane by lane while their pools have room; those with limits are left in `limited`.

        `room`: by pool, how many chunks it can be given. `idle`: how many of its worker slots have nothing to do. What is
        taken is subtracted from both.
        """
        self.is_held_back, self.may_have_left, self.limited = False, True, []
        self._next_rest, self._was_passed_over = None, False
        self._allowance.clear()
        self._claims_at = now = boottime()
        self._used_up = {name: at for name, at in self._used_up.items() if at > now}
        if not any(room.values()):
            return []
        claims, rest, gate = [], [], Gate(room, idle)
        heads = self._read_heads(tx)
        ordered = order_lanes(self._open(heads), self._tenant_of, self._turns)
        ours = [(head, self._lanes[head.lane]) for head in ordered]
        gate.look(ours)
        self.limit_turns.look(tx, ours, self._of_others(heads))
        whole = gate.copy()
        for head, lane in ours:
            if lane.key.limits:  # limits are locked before instances, which a finish holds
                if not self._leave(head, lane, gate, whole):
                    rest.append(head)
            elif not (chunks := gate.chunks(head, lane)):
                rest.append(head)
                self.may_have_left = True
            else:
                taken = take(tx, head, lane, wanted := rows_of(lane, chunks), owner)
                self.may_have_left |= taken.met_paused
                if not (rows := taken.rows):
                    self._was_passed_over = True
                    continue
                lane.met([row.solo for row in rows])
                gate.take(lane, min(chunks, len(rows)))
                claims.append(Claim(lane, rows, chunks))
                if len(rows) == batch_of(wanted):
                    self.may_have_left = True
                    if len(rows) >= MANY:
                        lane.after = place_of(rows[-1])
                        rest.append(head._replace(priority=lane.after[0]))
        # Not after a turn that was held back: the start would move in step with it, always to the same lane.
        if claims or self.limited:
            self._turns += 1
        self._next_rest = rest
        return claims

    def _leave(self, head: Head, lane: Lane, gate: Gate, whole: Gate) -> bool:
        """Leave a lane with limits to `LimitedClaimer`. Returns: may it be claimed now?"""
        pool = lane.key.pool
        if self._allowance.get(pool, 1) <= 0:
            self.may_have_left = True
            return False
        if self.is_used_up(lane) or self.limit_turns.leaves(head, lane) or not (chunks := whole.chunks(head, lane)):
            return False
        # The first keeps its share free; the others get what it leaves, as its limits may give it little.
        gate.take(lane, gate.chunks(head, lane))
        self.limited.append(LimitedLane(head, lane, lane.after))
        # Each may give no more than a row, or none: twice as many as fit are enough.
        allowance = self._allowance.setdefault(pool, min(MOST_TOGETHER, 2 * chunks * lane.chunk_size))
        self._allowance[pool] = allowance - 1
        return True

    def keep_place(self) -> bool:
        """The last claim is committed: for a moment the next ones continue where it ended.

        Returns: did a lane give nothing, since others had its rows locked or were faster? They may let go of them.
        """
        rest, self._next_rest = self._next_rest, None
        if rest is not None:
            self._rest, self._continues = {}, False
            for head in rest:
                self.keep(head)
        return self._was_passed_over

    def keep(self, head: Head) -> None:
        """Rows are left in this lane: the next claims look at it, if for a moment they continue where the last ones ended."""
        if self._next_rest is not None:  # the claim that has left them is not committed yet
            self._next_rest.append(head)
            return
        self._rest[head.lane] = head
        self._continues |= self._lanes[head.lane].after > START or len(self._rest) >= MOST_TOGETHER

    @property
    def heads_are_old(self) -> bool:
        """What they say of pauses may not be true any more."""
        return boottime() >= self._look_at

    def opens_at(self) -> float:
        """When a lane that the last claim left alone is to be looked at (CLOCK_BOOTTIME); infinite if there is none."""
        since = self._claims_at  # what has opened since then was not claimed either
        shut = (lane.shut_until for lane in self._lanes.values())
        times = chain(shut, self._used_up.values(), self.limit_turns.open_times(since))
        return min((at for at in times if at > since), default=math.inf)

    def reopen(self, names: Iterable[str]) -> None:
        """Slots of these limits have come back: what gave nothing is looked at again."""
        for lane in self._lanes.values():
            lane.shut_until = 0.0
        self.open_limits(names)

    def open_limits(self, names: Iterable[str]) -> None:
        """Slots of these limits may be free again."""
        for name in names:
            self._used_up.pop(name, None)

    def note_used_up(self, names: Iterable[str]) -> None:
        """Lanes that take slots of these limits give nothing until some come back; others may give them back too."""
        self._used_up.update(dict.fromkeys(names, boottime() + SHUT_S))

    def is_used_up(self, lane: Lane) -> bool:
        """Are the slots of one of its limits all in use?"""
        return not lane.limit_names.isdisjoint(self._used_up)

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
            if (code_id := self._codes.known(job)) is None:
                code_id = store.transact(lambda tx, job=job: self._codes.id(tx, job), name="know_code")  # type: ignore[misc]
            key = lane_keys.known_to(job, key)
            pace = self._paces.setdefault(key._replace(limits=""), Pace()) if key.limits else None
            self._lanes[number] = Lane(number, key, job, code_id, of_siblings=pace)

    def _job_of(self, lane: int) -> Job | None:
        """The job of a lane; None if that or its pool is not here, or the lane's key is not known."""
        key = self._lane_ids.key(lane)
        return self._jobs.get(key.job) if key is not None and key.pool in self._pools else None

    def _of_others(self, heads: Iterable[Head]) -> list[Head]:
        """Heads of lanes that only other daemons run, if anybody."""
        return [head for head in heads if head.lane not in self._lanes and not self._may_be_ours(head.lane)]

    def _may_be_ours(self, lane: int) -> bool:
        return self._lane_ids.key(lane) is None or self._job_of(lane) is not None

    def _tenant_of(self, lane: int) -> str:
        return self._lanes[lane].key.tenant


def _inserted(lane: Lane, row: Claimed, now: datetime) -> tuple[Any, ...]:
    """The row of `insert_claimed_tasks`: as `claim_rows` leaves it."""
    state, started_at = (TaskState.RESERVED, None) if lane.is_short else (TaskState.RUNNING, now)
    return row.id, row.node, row.kind, int(state), lane.id, row.priority, now, started_at


def _heads(rows: Iterable[Any]) -> list[Head]:
    return [Head(*row) for row in rows]

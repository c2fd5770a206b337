"""Lanes with limits: claimed in a transaction of their own, which locks limits by name, takes rows, and locks instances last.

A finish that gives slots back has locked their limits before instances, so it claims what takes slots of these alone.
One transaction claims many lanes whose short tasks differ in their limits alone. If there are more of them than chunks can
be sent, each gives one line, and a chunk is filled with lines of several lanes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from itertools import groupby, takewhile

from qflowd.engine.claiming.claim import MANY, MOST_TOGETHER, Claim, Claimed, Claimer, LimitedLane
from qflowd.engine.claiming.gate import Gate, Head, rows_of_lines, shut
from qflowd.engine.claiming.lanes import START, Lane
from qflowd.engine.claiming.take import place_of, rounded, take
from qflowd.engine.limits.slots import LockedLimits, Slots, holders_of
from qflowd.store.tx import Tx

MANY_UNRUN = 500  # rows claimed together that are not to run: they get other lanes, or end


class LimitedClaimer:
    """Claims the lanes that `Claimer.claim` has left. Owned by the executor's thread."""

    def __init__(self, claimer: Claimer, runs_in_order: Callable[[str], bool]) -> None:
        """`runs_in_order`: does this pool run the tasks of a chunk one after another, so that they can share a slot?"""
        self._claimer, self._runs_in_order = claimer, runs_in_order

    def groups(self) -> list[list[LimitedLane]]:
        """The lanes that were left, in their order: those together that one transaction may claim."""
        limited, self._claimer.limited = self._claimer.limited, []
        return self._groups(limited)

    def claim_locked(
        self, tx: Tx, gate: Gate, claims: Sequence[Claim], names: AbstractSet[str], owner: int
    ) -> list[Claim]:
        """Claim the first group of the lanes that were left, if this transaction has locked all their limits (`names`).

        A lane behind one that was not locked waits for its turn. `claims`: what was taken of what the gate lets through.
        """
        limited = self._claimer.limited
        for claim in claims:
            gate.take(claim.lane, min(claim.room, len(claim.rows)))
        if not (groups := self._groups(list(takewhile(lambda one: _takes_of(one.lane, names), limited)))):
            return []
        self._claimer.limited = limited[len(groups[0]) :]
        if not (lanes := self.open(groups[0], gate)):
            return []
        return self.claim(tx, lanes, gate.chunks(lanes[0].head, lanes[0].lane), owner)

    def open(self, group: Sequence[LimitedLane], gate: Gate) -> list[LimitedLane]:
        """Those of a group that may still be claimed; the others are kept for the next claims."""
        lanes = []
        for one in group:
            if gate.chunks(one.head, one.lane) and not self._claimer.is_used_up(one.lane):
                lanes.append(one)
            else:
                self._claimer.keep(one.head)
        return lanes

    def claim(self, tx: Tx, group: Sequence[LimitedLane], chunks: int, owner: int) -> list[Claim]:
        """Claim open lanes of a group, as much as fills so many chunks."""
        if self._claimer.heads_are_old:  # something may be paused since they were read
            group = [one._replace(head=one.head._replace(has_pauses=1, has_paused_tasks=1)) for one in group]
        if group[0].lane.is_unsettled:
            return [claim for one in group for claim in self._claim_unrun(tx, one, chunks, owner)]
        locked = LockedLimits(tx, frozenset[str]().union(*(one.lane.limit_names for one in group)))
        self._claimer.open_limits(locked.rows)  # a try before this one may have found them used up
        claims = list(
            self._claim_lines(tx, locked, group, chunks, owner)
            if len(group) > chunks
            else self._claim_each(tx, locked, group, chunks, owner)
        )
        holders = [row for claim in claims if claim.lane.is_short for row in claim.rows if row.id in claim.holders]
        if holders:
            tx.run("start_tasks", rows=sorted((row.id, row.fence, tx.now) for row in holders))
        self._claimer.limit_turns.begin(locked.left())
        locked.write()
        return claims

    def _claim_each(
        self, tx: Tx, locked: LockedLimits, group: Sequence[LimitedLane], chunks: int, owner: int
    ) -> Iterator[Claim]:
        """Fewer lanes than chunks: what one leaves of its share is for the next ones."""
        for place, one in enumerate(group):
            share = -(-chunks // (len(group) - place))
            for claim in self._claim_lane(tx, locked, one, share, owner):
                chunks -= len(claim.holders)
                yield claim

    def _claim_lines(
        self, tx: Tx, locked: LockedLimits, group: Sequence[LimitedLane], chunks: int, owner: int
    ) -> Iterator[Claim]:
        """More lanes than chunks: a line of each, until so many rows are claimed as fill the chunks."""
        left = chunks * group[0].lane.chunk_size
        needed = Counter(name for one in group for name in one.lane.limit_names)
        is_scarce = any(needed[name] > 1 and locked.free(name) < chunks for name in locked.rows)
        for one in group:
            if left <= 0 or self._claimer.is_used_up(one.lane):
                self._claimer.keep(one.head)
                continue
            for claim in self._claim_lane(tx, locked, one, 1, owner, left, is_scarce=is_scarce):
                is_run = claim.open_breaker is None
                left -= len(claim.rows) if is_run else 0
                yield claim._replace(room=chunks, is_line=is_run)

    def _claim_lane(
        self,
        tx: Tx,
        locked: LockedLimits,
        one: LimitedLane,
        chunks: int,
        owner: int,
        most: int | None = None,
        *,
        is_scarce: bool = False,
    ) -> list[Claim]:
        """Of one lane, what fills so many chunks, and `most` rows."""
        head, lane, after = one
        lane.after = after  # a claim that was rolled back has moved it
        slots = Slots(locked, lane.key.limits)
        lane.has_breaker, lane.is_probing = slots.has_breaker, slots.is_probing
        if lane.has_fallback and slots.open_breaker is not None:
            lane.is_probing = False
            return self._claim_unrun(tx, one, chunks, owner, slots.open_breaker)
        wanted = places = min(chunks, slots.free)
        if self._runs_in_order(lane.key.pool):
            wanted = rows_of_lines(lane, places, is_scarce=is_scarce or places < chunks)
            wanted = wanted if wanted <= places else rounded(wanted)
        wanted = min(wanted, slots.tokens, wanted if most is None else most)
        rows, gave_up = self._take(tx, head, lane, wanted, owner)
        self._claimer.may_have_left |= gave_up
        if not rows:
            if slots.used_up:
                self._claimer.note_used_up(slots.used_up)
            elif not gave_up:  # behind the paused rows there may be others
                shut(lane, slots.opens_in_s)
            return []
        holders = holders_of(rows, places) if lane.is_short else rows
        slots.take(rows, len(holders))
        self._claimer.note_used_up(slots.used_up)
        return [Claim(lane, rows, chunks, {row.id for row in holders})]

    def _claim_unrun(
        self, tx: Tx, one: LimitedLane, chunks: int, owner: int, breaker: str | None = None
    ) -> list[Claim]:
        """Rows that are not to run: they get lanes of their own, or end as a breaker is open."""
        head, lane, after = one
        lane.after = after
        taken = take(tx, head, lane, MANY_UNRUN, owner, is_start=False)
        self._claimer.may_have_left |= taken.gave_up
        if len(taken.rows) == MANY_UNRUN:
            self._claimer.keep(head)
        return [Claim(lane, taken.rows, chunks, open_breaker=breaker)] if taken.rows else []

    def _take(self, tx: Tx, head: Head, lane: Lane, wanted: int, owner: int) -> tuple[list[Claimed], bool]:
        """As many rows as are wanted, in several batches; the next claims continue behind them. And did it give up?"""
        rows: list[Claimed] = []
        gave_up = has_end = False
        while len(rows) < wanted and not has_end:
            more, has_end, _, gave_up = take(tx, head, lane, wanted - len(rows), owner)
            rows += more
            has_end |= not more
            if len(more) >= MANY:
                lane.after = place_of(more[-1])
        lane.met([row.solo for row in rows])
        if len(rows) >= wanted:
            self._claimer.keep(head if lane.after == START else head._replace(priority=lane.after[0]))
        return rows, gave_up

    def _groups(self, limited: Sequence[LimitedLane]) -> list[list[LimitedLane]]:
        alike = [list(lanes) for _, lanes in groupby(limited, self._likeness)]
        return [lanes[i : i + MOST_TOGETHER] for lanes in alike for i in range(0, len(lanes), MOST_TOGETHER)]

    def _likeness(self, one: LimitedLane) -> tuple[object, ...]:
        """The same for neighbours that may be claimed together."""
        lane = one.lane
        if lane.is_short and not (lane.has_solo or lane.is_unsettled) and self._runs_in_order(lane.key.pool):
            return lane.key.pool, lane.job.name
        return (lane.id,)


def _takes_of(lane: Lane, names: AbstractSet[str]) -> bool:
    """Does a lane take slots, and of no other limits than these?"""
    return not lane.is_unsettled and lane.limit_names <= names

"""The rows that this daemon holds: claimed by it, and not ended yet."""

from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from qflowd.engine.claiming.claim import Claim, Claimed
from qflowd.engine.claiming.lanes import SHORT_S, Lane, Terms
from qflowd.engine.claiming.lines import Lines
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import Released
from qflowd.engine.limits.breakers import settle_probes
from qflowd.engine.limits.slots import Freed
from qflowd.model.states import TaskState

WORTH_A_COMMIT = 128  # results; fewer wait a moment for others
Held = tuple[Claimed, Terms]  # a row that is ours, and what it runs under


class HeldRows(dict[int, Held]):
    """By id. Owned by the executor's thread."""

    def __init__(self) -> None:
        super().__init__()
        self.lines = Lines()  # what is ours in lanes with limits
        self._probes: dict[int, str] = {}  # tasks that try whether a breaker may close -> their limits
        self._long: set[int] = set()  # tasks of lanes that have been slow so far; few
        self._absent: set[tuple[int, int]] = set()  # (id, fence) that no worker had at the last look

    def hold(self, lane: Lane, rows: Sequence[Claimed], terms: Sequence[Terms]) -> None:
        """These rows of a lane were claimed, and are about to be sent; each runs under its terms."""
        ids = [row.id for row in rows]
        self.update(zip(ids, zip(rows, terms, strict=True), strict=True))
        if lane.known_pace.mean_s >= SHORT_S:
            self._long.update(ids)

    def hold_slots(self, claims: Iterable[Claim]) -> None:
        """These rows were claimed, and with them slots of the limits of their lanes."""
        for claim in claims:
            if claim.lane.key.limits:
                self.lines.hold(claim)
            if claim.lane.is_probing:
                self._probes.update((row.id, claim.lane.key.limits) for row in claim.rows)

    def has(self, task_id: int, fence: int) -> bool:
        """Is this claim of a row held? With an old fence the row was taken away, and may have come back as another claim."""
        held = self.get(task_id)
        return held is not None and held[0].fence == fence

    def count_short(self) -> int:
        """Rows of lanes that are short, or not known yet: their results may come in a moment."""
        self._long &= self.keys()
        return len(self) - len(self._long)

    def has_empty_slot(self, short: int) -> bool:
        """Does a slot of a limit wait to be given back, where too few results of short tasks are out to wait for?"""
        return short < WORTH_A_COMMIT and self.lines.has_ended(self)

    def end(self, batch: Batch, unbegun: AbstractSet[int] = frozenset()) -> None:
        """Add to a batch what its rows give back, and what breakers are to be told of them.

        `unbegun`: ids of rows that have ended, or wait again, without having begun; those that are released are known.
        """
        ends = batch.final, batch.rearmed, batch.released
        if self._probes:
            batch.attempt_ends += settle_probes(self._probes, batch.final, ends)
        if self.lines:
            released = {row.id for row in batch.released} - {row.task_id for row in batch.attempts}
            freed, moved = self.lines.end((row[:2] for rows in ends for row in rows), released | unbegun)
            batch.slots += freed
            batch.moved += moved

    def strays(self, rows: Sequence[Any], limits: Mapping[int, str], ending: set[int]) -> Batch:
        """To give back: those of `list_held` (what the database says is ours) that are not held here.

        `limits`: of lanes that have any, by the lane's id. `ending`: ids of rows whose ends are about to be written.
        """
        ours = self.keys() | ending
        limited = [row for row in rows if row.lane in limits]
        self.lines.keep(
            {
                (row.id, row.fence): (limits[row.lane], row.state == TaskState.RUNNING)
                for row in limited
                if row.id in ours
            }
        )
        strays = [row for row in rows if row.id not in ours]
        return Batch(
            released=[Released(row.id, row.fence, int(row.state == TaskState.RUNNING), 0) for row in strays],
            slots=[
                Freed(row.id, limits[row.lane])
                for row in limited
                if row.id not in ours and row.state == TaskState.RUNNING
            ],
        )

    def forget_disowned(self, ours: set[int]) -> list[int]:
        """Drop tasks that have another owner in the database; their results are not written. Returns their ids."""
        lost = [number for number in self if number not in ours]
        for number in lost:
            self.pop(number)
        return lost

    def forget_absent(self, sent: set[tuple[int, int]]) -> list[int]:
        """Let go what no worker has, at two looks in a row: its end was lost on the way here. Returns the ids.

        `sent`: (id, fence) of what workers have. What is let go is a stray at the next look, and given back.
        """
        absent = {(number, row.fence) for number, (row, _) in self.items()} - sent
        lost = [number for number, _ in absent & self._absent]
        for number in lost:
            self.pop(number)
        self._absent = absent
        return lost

    def forget_all(self) -> None:
        """Nothing is ours any more."""
        self.clear()
        self.lines = Lines()
        self._absent.clear()

"""Rows that no pool claims: of tasks that start instances, and of those that are about to wait. Services take them in batches."""

from collections.abc import Iterable
from typing import Any

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import START
from qflowd.engine.service import Place
from qflowd.store.tx import Store, Tx

FIRST = 0  # before the first lane


class UnclaimedRows:
    """The READY rows in the lanes of one such pool, some at a time, each lane's by priority.

    Lanes take turns: whoever has thousands of rows lets others have theirs in between. Rows that cannot be taken yet stay
    where they are, and hide none of those behind them.

    Args:
        batch: rows of a lane at once; further lanes are read until there are so many in all.
    """

    def __init__(self, store: Store, pool: str, batch: int) -> None:
        self._store, self._pool, self._batch = store, pool, batch
        self._places: dict[int, Place[tuple[int, int]]] = {}
        self._turn = FIRST  # the last lane that was read before it was the first one's turn again
        self._ended: set[int] = set()  # lanes that have been read to their end since all had been

    def next(self) -> tuple[list[list[Any]], bool]:
        """Rows of `list_unclaimed` that may begin, lane by lane; and whether some lane has not been read to its end."""
        lanes = [row.id for row in self._store.read(lambda tx: tx.run("list_unclaimed_lanes", pool=self._pool))]
        self._places = {lane: self._places.get(lane) or Place(START) for lane in lanes}
        found: list[list[Any]] = []
        left = self._batch
        for lane in (lane for lane in lanes if lane > self._turn):
            if left <= 0:
                return found, True
            rows = self._read(lane)
            left -= len(rows)
            found += filter(None, [[row for row in rows if row.may_begin]])
            self._turn = lane
        self._turn = FIRST
        has_more = not self._ended.issuperset(lanes)
        if not has_more:
            self._ended.clear()
        return found, has_more

    def _read(self, lane: int) -> list[Any]:
        priority, number = self._places[lane].after

        def read(tx: Tx) -> list[Any]:
            return tx.run("list_unclaimed", batch=self._batch, lane=lane, after_priority=priority, after_id=number)

        rows = self._store.read(read)
        if not self._places[lane].move(rows, self._batch, lambda row: (row.priority, row.id)):
            self._ended.add(lane)
        return rows


def claimed_of(rows: Iterable[Any]) -> list[Claimed]:
    """Rows of `list_unclaimed` as a claim would have them."""
    return [Claimed(*row[: len(Claimed._fields)]) for row in rows]

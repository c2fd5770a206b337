"""The gate of a lane: whether it may be claimed now, and how much of it. Nothing else decides that."""

import math
from collections.abc import Iterable
from typing import NamedTuple

from qflowd.engine.claiming.lanes import CHUNK_S, LINE_S, Lane
from qflowd.store.clock import boottime

SHUT_S = 0.5  # how long a lane with limits is left alone that gave nothing
LONGEST_SHUT_S = 0.8  # a pause may be lifted, or a limit raised


class Head(NamedTuple):
    """A lane with READY rows: the first one's priority (negated), the lane's flags, whether any instance or task is paused."""

    lane: int
    priority: int
    is_paused: int = 0
    has_pauses: int = 0
    has_paused_tasks: int = 0

    @property
    def may_be_paused(self) -> bool:
        """Rows that are claimed must be asked whether they are paused."""
        return bool(self.has_pauses or self.has_paused_tasks)


class Gate:
    """Of one claim. `room`: by pool, how many chunks it can be given; `idle`: how many of its slots have nothing to do."""

    def __init__(self, room: dict[str, int], idle: dict[str, int]) -> None:
        self.room, self.idle = room, idle
        self._stuck: dict[str, int] = {}

    def copy(self) -> "Gate":
        """The same gate, from which nothing has been taken."""
        gate = Gate(dict(self.room), dict(self.idle))
        gate._stuck = dict(self._stuck)
        return gate

    def look(self, lanes: Iterable[tuple[Head, Lane]]) -> None:
        """Note the best priority (negated) of each pool's lanes that need a free slot where there is none.

        Short tasks of no better priority wait until a slot is empty: they would fill the queues again and again, and
        never leave one free.
        """
        for head, lane in lanes:
            if self.idle[lane.key.pool] <= 0 and not lane.is_short:
                best = self._stuck.get(lane.key.pool, math.inf)
                self._stuck[lane.key.pool] = int(min(best, head.priority))

    def chunks(self, head: Head, lane: Lane) -> int:
        """How many chunks of this lane may be claimed now.

        Short tasks fill every chunk that fits; long ones go only where a slot is free, so no worker hoards.
        """
        pool = lane.key.pool
        if head.is_paused or boottime() < lane.shut_until:
            return 0
        if lane.is_short and head.priority >= self._stuck.get(pool, math.inf):
            return 0
        return max(0, self.room[pool] if lane.is_short else min(self.room[pool], self.idle[pool]))

    def take(self, lane: Lane, chunks: int) -> None:
        """These chunks are taken."""
        self.room[lane.key.pool] -= chunks
        self.idle[lane.key.pool] -= chunks


def rows_of(lane: Lane, chunks: int) -> int:
    """How many rows fill so many chunks."""
    return chunks * (1 if lane.has_solo else lane.chunk_size)


def rows_of_lines(lane: Lane, places: int, *, is_scarce: bool) -> int:
    """How many rows so many slots of limits are worth. Where slots are `is_scarce`, each is kept busy for longer."""
    return places * (1 if lane.has_solo else lane.tasks_in(LINE_S if is_scarce else CHUNK_S))


def shut(lane: Lane, opens_in_s: float | None) -> None:
    """A lane with limits gave nothing, so it is left alone until a pause or rate is over, as far as that is known."""
    lane.shut_until = boottime() + (SHUT_S if opens_in_s is None else min(LONGEST_SHUT_S, opens_in_s))

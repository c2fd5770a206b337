"""Turns of limits: who has claimed of a limit for a while leaves it, for a moment, to tasks that only other daemons run.

A finish claims the slots that it gives back, so without this others would find none while there are rows here.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from qflowd.engine.caches import LaneIds
from qflowd.engine.claiming.gate import Head
from qflowd.engine.claiming.lanes import Lane
from qflowd.model.limits import taken_of
from qflowd.store.clock import boottime
from qflowd.store.tx import Tx

TURN_S: Final = 5.0  # how long a daemon claims of a limit that others wait for
LEFT_S: Final = 1.0  # how long it then leaves it to them, who look twice a second
MOST_TURNS: Final = 10_000  # beyond it all of them begin anew


class LimitTurns:
    """Those of one daemon. Owned by the executor's thread."""

    def __init__(self, lane_ids: LaneIds) -> None:
        self._lane_ids = lane_ids
        self._ends: dict[str, float] = {}  # limit -> when its turn here is over (CLOCK_BOOTTIME)
        self._free: dict[str, int] = {}  # limit -> how many slots the last claim here left to others
        self._left: dict[str, tuple[float, int]] = {}  # limit -> until when it is left, and to which priority (negated)

    def begin(self, free: Mapping[str, int]) -> None:
        """Slots of these limits were taken here. `free`: how many others find now."""
        if len(self._free) > MOST_TURNS:
            self._ends.clear()
            self._free.clear()
        self._free.update(free)
        for name in free:
            self._ends.setdefault(name, boottime() + TURN_S)

    def look(self, tx: Tx, ours: Sequence[tuple[Head, Lane]], others: Iterable[Head]) -> None:
        """Leave those whose turn is over, if rows of no worse priority wait for them that another living daemon runs.

        Rows for which the last claim left slots enough do not wait for them.
        """
        now = boottime()
        waiting: dict[str, list[Head]] = {}
        for head in others:
            for name, slots in self._limits_of(head):
                if self._ends.get(name, math.inf) <= now and self._free[name] < slots:
                    waiting.setdefault(name, []).append(head)
        if not waiting:
            return
        best: dict[str, int] = {}
        for head, lane in ours:
            for name in () if head.is_paused else lane.limit_names & waiting.keys():
                best[name] = min(head.priority, best.get(name, head.priority))
        waiting = {name: [head for head in waiting[name] if head.priority <= best[name]] for name in best}
        lanes = sorted({(head.lane,) for heads in waiting.values() for head in heads})
        live = {row.id for row in tx.run("list_live_lanes", rows=lanes)} if lanes else set()
        for name, heads in waiting.items():
            if priorities := [head.priority for head in heads if head.lane in live]:
                self._left[name] = now + LEFT_S, min(priorities)
                del self._ends[name]
            elif heads:
                self._ends[name] = now + TURN_S  # until then nobody asks again

    def leaves(self, head: Head, lane: Lane) -> bool:
        """Is this lane left alone now, because one of its limits is left to others?"""
        now, names = boottime(), lane.limit_names & self._left.keys()
        return any(now < until and head.priority >= priority for until, priority in map(self._left.__getitem__, names))

    def open_times(self, since: float) -> list[float]:
        """When limits that were left at `since` may be claimed again (CLOCK_BOOTTIME)."""
        self._left = {name: left for name, left in self._left.items() if left[0] > since}
        return [until for until, _ in self._left.values()]

    def _limits_of(self, head: Head) -> Sequence[tuple[str, int]]:
        key = None if head.is_paused else self._lane_ids.key(head.lane)
        return () if key is None else taken_of(key.limits)

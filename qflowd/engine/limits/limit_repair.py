"""Repair of limits: what they say is used is compared with what rows hold, and put right."""

import logging
from typing import ClassVar

from qflowd.engine.limits.limit_settings import derive, make_limits, moved_by_patterns
from qflowd.engine.service import Topics
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
LOOK_S = 60.0


class LimitRepair:
    """The service that repairs limits after somebody has changed rows by hand, or restored a part of them."""

    name: ClassVar[str] = "limit_repair"
    topics: ClassVar[tuple[str, ...]] = ()

    def __init__(self, store: Store, topics: Topics) -> None:
        self._store, self._topics = store, topics

    def tick(self) -> float:
        if self._store.read(_is_wrong):
            for name in self._store.transact(_repair, name="repair_limits"):
                log.warning("limit %s: recounted its slots in use", name)
            self._topics.publish("ready")
        return LOOK_S


def _is_wrong(tx: Tx) -> bool:
    return bool(tx.run("list_miscounted") or tx.run("list_unmade_limits") or moved_by_patterns(tx))


def _repair(tx: Tx) -> list[str]:
    """Returns the names of those that were wrong."""
    unmade = tx.run("list_unmade_limits")
    if unmade:
        make_limits(tx, {row.name for row in unmade})
    derive(tx)  # one may have been made while its pattern was being changed
    suspects = [(row.name,) for row in tx.run("list_miscounted")]
    if suspects:
        # While they are locked nobody claims, and whoever finishes waits here and then subtracts from the new count.
        tx.run("lock_limits", rows=suspects)
        moved = [(row.name, int(row.held) - row.used) for row in tx.run("list_miscounted") if (row.name,) in suspects]
        if moved:
            tx.run("move_slots", rows=moved)
    return [name for (name,) in suspects]

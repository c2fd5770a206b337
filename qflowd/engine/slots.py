"""Slots of limits: taken in the claim, given back in the transaction in which a row loses its owner.

`used` of a limit so is what RESERVED and RUNNING rows hold, at any moment and on every daemon. A waiting row holds nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping

from qflowd.config.records import LimitConfig
from qflowd.model.limits import of_lane
from qflowd.store.tx import Store, Tx


class Slots:
    """The limits of a lane, locked until the transaction ends. `free`: how many more of its rows may be held."""

    def __init__(self, tx: Tx, limits: str) -> None:
        self._tx, self._limits = tx, of_lane(limits)
        rows = {row.name: row for row in tx.run("lock_limits", rows=[(name,) for name, _ in self._limits])}
        # A limit that was deleted by hand gives nothing until the recount has made it again.
        self.free = min(
            (rows[name].capacity - rows[name].used) // slots if name in rows else 0 for name, slots in self._limits
        )

    def take(self, tasks: int) -> None:
        """So many rows of the lane are held from now on."""
        self._tx.run("move_slots", rows=[(name, slots * tasks) for name, slots in self._limits])


def give_back(tx: Tx, limits: Iterable[str]) -> None:
    """The slots of rows that have just lost their owner; `limits` of the lane of each. After tasks, before instances."""
    freed: Counter[str] = Counter()
    for text, tasks in Counter(limits).items():
        for name, slots in of_lane(text):
            freed[name] += slots * tasks
    if len(freed) > 1:  # an UPDATE locks them in any order
        tx.run("lock_limits", rows=[(name,) for name in sorted(freed)])
    if freed:
        tx.run("move_slots", rows=[(name, -slots) for name, slots in sorted(freed.items())])


def save_configured(store: Store, configured: Mapping[str, LimitConfig]) -> None:
    """Write the limits of a configuration; one that was set by a command keeps what the command said."""

    def save(tx: Tx) -> None:
        there = {row.name: (row.capacity, row.source) for row in tx.run("list_limits")}
        changed = [
            (name, limit.slots, "config")
            for name, limit in sorted(configured.items())
            if there.get(name, ("", ""))[1] != "command" and there.get(name) != (limit.slots, "config")
        ]
        if changed:
            tx.run("set_limits", rows=changed, now=tx.now)

    if configured:
        store.transact(save)

"""Slots of limits: taken in the claim, given back in the transaction in which a row loses its owner.

`used` of a limit so is what RESERVED and RUNNING rows hold, at any moment and on every daemon. A waiting row holds nothing.
"""

from collections import Counter
from collections.abc import Iterable

from qflowd.model.limits import of_lane
from qflowd.store.tx import Tx


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

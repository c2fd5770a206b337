"""Stray ids: an id above the range, written by a client, pushes the database's counter along. Here it is put back.

SQLite and MySQL give the next row the largest id plus one, so every submission after a stray one is refused as well,
until the strays are gone. For a moment they stay with their answers, so that whoever wrote them can read those.
"""

import logging
from math import inf

from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.store.clock import boottime
from qflowd.store.tx import Retryable, Store, Tx

log = logging.getLogger("qflowd")
READABLE_S = 3.0
PURGE_S = 0.2  # InnoDB counts deleted rows until it has purged them, a moment after the commit
BUSY_S = 30.0  # until the next try where somebody's transaction keeps the table's definition locked


class StrayIds:
    """Removes answered strays, and puts the counter back. Used by one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due_at = boottime()  # strays may be left from an earlier life
        self._was_there = False  # were there strays at the last look?
        self._is_noted = False  # has one been taken since?

    def note(self, number: int) -> None:
        """A submission with this id was taken."""
        if number > LARGEST_INSTANCE and not self._is_noted:
            self._is_noted = True
            readable_until = boottime() + READABLE_S
            self._due_at = readable_until if self._due_at == inf else max(self._due_at, readable_until)

    def tick(self) -> float:
        """Do what is due. Returns the seconds until there is more; infinity for nothing.

        Raises: StoreUnavailable.
        """
        if boottime() >= self._due_at:
            self._due_at = boottime() + self._store.transact(self._remove, name="remove_strays")
        return max(0.0, self._due_at - boottime())

    def _remove(self, tx: Tx) -> float:
        """Seconds until the next look."""
        self._is_noted = False
        found = tx.one("find_strays", largest=LARGEST_INSTANCE)
        if not found.strays and not self._was_there:
            return inf
        self._was_there = bool(found.strays)
        if found.strays:
            log.warning("removing %d submissions with ids above %d", found.strays, LARGEST_INSTANCE)
            tx.run("delete_strays", largest=LARGEST_INSTANCE)
        try:
            tx.run("put_back_counter")
        except Retryable:
            # Waiting longer would make every INSERT wait behind us.
            log.warning("the counter of submissions cannot be put back yet: a transaction is using the table")
            self._was_there = True
            return BUSY_S
        return PURGE_S if found.strays else inf

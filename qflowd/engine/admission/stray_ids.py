"""Stray ids: an id far above the others, written by a client, pushes the database's counter along. Here it is put back.

SQLite and MySQL give the next row the largest id plus one. A stray submission is refused, and so is every one after it
until the strays are removed; for a moment they stay, so that their clients can read the answers. Commands and
signals are taken whatever their ids; then they are given ids among the others.
"""

import logging
from datetime import timedelta
from typing import Any, Final

from qflowd.model.ids import LARGEST_INSTANCE
from qflowd.store.clock import boottime
from qflowd.store.tx import Retryable, Store, Tx

log = logging.getLogger("qflowd")
OWN: Final = 3 << 40  # up to here a submission may have any id; above, only one that is near those there are
LOW, HIGH = LARGEST_INSTANCE // 2, LARGEST_INSTANCE  # ids of commands and signals: where they go, who has to go
READABLE_S: Final = 3.0
LOOK_S, AGAIN_S = 15.0, 1.0  # between two looks; where there is one that is not to be touched yet
PURGE_S: Final = 0.2  # InnoDB counts deleted rows until it has purged them, a moment after the commit
BUSY_S: Final = 30.0  # until the next try where a transaction keeps the table's definition locked


def largest_id(tx: Tx, wanted: int = LARGEST_INSTANCE) -> int:
    """The largest id that a submission may have now, if one wants as large an id as `wanted`."""
    return OWN if wanted <= OWN else max(OWN, min(LARGEST_INSTANCE, tx.one("find_largest_id").largest))


class StrayIds:
    """Removes answered strays, and puts the counters back. Used by one thread."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._due_at = boottime()  # strays may be left from an earlier life
        self._was_there = False  # were there strays at the last look?

    def note(self) -> None:
        """A stray submission was refused."""
        self._due_at = min(self._due_at, boottime() + READABLE_S)

    def tick(self) -> float:
        """Do what is due. Returns the seconds until there is more.

        Raises: StoreUnavailable.
        """
        if boottime() >= self._due_at:
            strays = self._store.read(_find)
            is_there = self._was_there or strays.submissions or strays.commands or strays.signals
            pause_s = self._store.transact(self._remove, name="remove_strays") if is_there else LOOK_S
            self._due_at = boottime() + pause_s
        return max(0.0, self._due_at - boottime())

    def _remove(self, tx: Tx) -> float:
        """Seconds until the next look."""
        strays = _find(tx)
        removed = moved = 0
        # Those that came behind one that could be read long enough go with it, else there would always be a new one.
        if strays.read_submissions:
            removed = tx.count("delete_strays", largest=largest_id(tx))
        if strays.read_commands:
            moved += tx.count("move_commands", high=HIGH, down=strays.commands - (strays.last_command or 0) - 1)
        if strays.signals:
            moved += tx.count("move_signals", high=HIGH, down=strays.signals - (strays.last_signal or 0) - 1)
        if removed or moved:
            log.warning("ids out of range: removed %d submissions, renumbered %d commands and signals", removed, moved)
        if not (removed or moved or self._was_there):
            return AGAIN_S
        self._was_there = bool(removed or moved)
        try:
            tx.run("put_back_counters")
        except Retryable:
            # Waiting longer would make every INSERT wait behind us.
            log.warning("the counter of an inbox cannot be put back yet: a transaction is using the table")
            self._was_there = True
            return BUSY_S
        return PURGE_S if self._was_there else AGAIN_S


def _find(tx: Tx) -> Any:
    since = tx.now - timedelta(seconds=READABLE_S)
    return tx.one("find_strays", largest=largest_id(tx), low=LOW, high=HIGH, since=since)

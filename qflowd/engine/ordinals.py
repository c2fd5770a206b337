"""Ordinals that a transaction takes for rows beyond a plan's nodes: items of maps, spawned tasks."""

from collections.abc import Iterable

from qflowd.model.errors import QflowdError
from qflowd.model.ids import ORDINALS
from qflowd.store.tx import Retryable, Tx


class TakenOrdinals:
    """Of one transaction, which ends with `reserve`: instances are locked last."""

    def __init__(self, tx: Tx, instances: Iterable[int]) -> None:
        rows = tx.run("load_next_ordinals", rows=[(number,) for number in sorted(set(instances))])
        self._before = {row.id: row.next_ordinal for row in rows}
        self._next = dict(self._before)

    def take(self, instance_id: int, count: int) -> int:
        """The first of so many ordinals. Raises: QflowdError if others took so many that there is no room."""
        first: int = self._next[instance_id]
        if first + count > ORDINALS:
            raise QflowdError(f"instance {instance_id} has no room for {count:,} more rows")
        self._next[instance_id] = first + count
        return first

    def reserve(self, tx: Tx) -> None:
        """Write what was taken. Raises: Retryable if another transaction took the same."""
        rows = [(number, before, self._next[number]) for number, before in sorted(self._before.items())]
        rows = [row for row in rows if row[1] != row[2]]
        if rows and tx.count("reserve_ordinals", rows=rows) < len(rows):
            raise Retryable("another transaction took the same ordinals")

"""Forget: rows that will be made anew are deleted with all that they have left behind, except attempts and logs."""

from collections.abc import Sequence
from typing import Final

from qflowd.store.tx import Tx

OF_ROWS: Final = (
    "delete_tasks",
    "delete_timers_of",
    "delete_deferrals",
    "delete_large_values",
    "delete_checkpoints",
    "delete_progress",
)


def forget_rows(tx: Tx, rows: Sequence[tuple[int]], more: Sequence[str] = ()) -> None:
    """Delete rows of one instance, which is locked. `more`: statements for what else they may have."""
    if rows:
        for statement in (*OF_ROWS, *more):
            tx.run(statement, rows=rows)

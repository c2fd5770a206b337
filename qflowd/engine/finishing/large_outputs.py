"""Outputs above 64 KB: they lie in a table of their own, in parts."""

from typing import Final

from qflowd.store.tx import Tx

LARGEST_INLINE: Final = 64 * 1024  # characters of output on the row itself
LARGEST_PART: Final = 1 << 20  # characters


def save_large(tx: Tx, task_id: int, text: str) -> None:
    """Keep an output that is too large for its row, in place of one that it may have had."""
    parts = [text[start : start + LARGEST_PART] for start in range(0, len(text), LARGEST_PART)]
    tx.run("delete_large_values", rows=[(task_id,)])
    tx.run("insert_large_value", rows=[(task_id, i, part) for i, part in enumerate(parts)])

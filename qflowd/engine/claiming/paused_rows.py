"""Paused rows: which rows belong to paused instances and tasks."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from qflowd.engine.claiming.gate import Head
from qflowd.model.ids import instance_of
from qflowd.store.tx import Tx

if TYPE_CHECKING:
    from qflowd.engine.claiming.claim import Claimed


def hold_paused(tx: Tx, head: Head, taken: "list[Claimed]") -> "list[Claimed]":
    """Of rows that were claimed in this transaction, those of paused instances and tasks become HELD. Returns the others."""
    paused = set()
    if head.has_paused_tasks:
        paused = rows_of_paused_tasks(tx, ((row.id, row.node) for row in taken))
    if head.has_pauses:
        instances = {row.id for row in tx.run("lock_paused", rows=sorted({(instance_of(row.id),) for row in taken}))}
        paused |= {row.id for row in taken if instance_of(row.id) in instances}
    if held := sorted((row.id, row.fence) for row in taken if row.id in paused):
        tx.run("hold_tasks", rows=held)
    return [row for row in taken if row.id not in paused]


def rows_of_paused_tasks(tx: Tx, rows: Iterable[tuple[int, int]]) -> set[int]:
    """Ids of those of these rows (id, node) whose task is paused, and stays so until this transaction has ended."""
    rows = sorted(rows)
    if paused := tx.run("find_paused_rows", rows=rows):
        tx.run("lock_paused_tasks", rows=sorted({(row.definition_id, row.instance_id, row.task) for row in paused}))
        paused = tx.run("find_paused_rows", rows=rows)  # once more: one may have been resumed in between
    return {row.id for row in paused}


def without_paused(tx: Tx, rows: Iterable[Any]) -> list[Any]:
    """Of rows that a look has found, those whose task has not been paused since; nothing is locked.

    A sweep leaves the fence as it is, so the fence does not tell.
    """
    rows = list(rows)
    paused = {row.id for row in tx.run("find_paused_rows", rows=sorted((row.id, row.node) for row in rows))}
    return [row for row in rows if row.id not in paused]

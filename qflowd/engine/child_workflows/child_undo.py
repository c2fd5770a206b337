"""Undoing what tasks with `workflow: NAME` did: their compensations have the instances compensated that they started.

Of several that a task has started, because it was rerun, the newest is undone first. One step is one transaction: the row
is parked and linked to the instance, as in `child_start.py`, and the instance is sent a command. `child_end.py` takes the
end of the instance in: the row fails, or is ready for the next step, and it succeeds when nothing is left.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from qflowd.engine.caches import Plans
from qflowd.engine.claiming.paused_rows import without_paused
from qflowd.model.errors import LeaseLost, QflowdError, StoreUnavailable
from qflowd.model.ids import instance_of
from qflowd.model.states import InstanceState, SagaState
from qflowd.store.inbox import COMMAND
from qflowd.store.tx import Store, Tx

ACTIONS: Final = {SagaState.NONE: "compensate", SagaState.COMPENSATION_FAILED: "retry"}


class UndoneChildren(NamedTuple):
    """What became of compensations: rows for which nothing is left, how many wait for an instance now, and what cannot."""

    rows: list[Any]
    waiting: int
    unreadable: list[tuple[Any, QflowdError]]


def undo_children(store: Store, plans: Plans, rows: Sequence[Any]) -> UndoneChildren:
    """Have the next instance undone for each of these compensations (of `list_unclaimed`), in one transaction.

    Rows that changed hands are left alone. Raises: StoreUnavailable; it may have been applied all the same.
    """
    try:
        return store.transact(lambda tx: _undo(tx, plans, rows), name="undo_children")
    except LeaseLost:
        if len(rows) == 1:
            return UndoneChildren([], 0, [])
    except StoreUnavailable:
        raise
    except QflowdError as error:
        if len(rows) == 1:
            return UndoneChildren([], 0, [(rows[0], error)])
    parts = [undo_children(store, plans, [row]) for row in rows]
    return UndoneChildren(
        [row for part in parts for row in part.rows],
        sum(part.waiting for part in parts),
        [row for part in parts for row in part.unreadable],
    )


def _undo(tx: Tx, plans: Plans, rows: Sequence[Any]) -> UndoneChildren:
    rows = without_paused(tx, rows)
    # The last of each task is its newest.
    newest = {child.task_id: child for child in tx.run("list_children_to_undo", rows=sorted((row.id,) for row in rows))}
    in_turn = _in_turn(tx, plans, newest.values())
    waiting = sorted((row for row in rows if row.id in in_turn), key=lambda row: int(row.id))
    if waiting:
        if tx.count("rearm_tasks", rows=[(row.id, row.fence, row.attempt, 0) for row in waiting]) < len(waiting):
            raise LeaseLost
        links = []
        for row in waiting:
            child, parent = newest[row.id], instance_of(row.id)
            links.append((row.id, child.instance_id, parent, row.fence + 1, child.depth, _send(tx, child, parent)))
        tx.run("save_children", rows=links, now=tx.now)
        parents = sorted({instance_of(row.id) for row in waiting})
        if len(tx.run("lock_startable", rows=[(parent,) for parent in parents])) < len(parents):
            raise LeaseLost
    return UndoneChildren([row for row in rows if row.id not in newest], len(waiting), [])


def _in_turn(tx: Tx, plans: Plans, children: Iterable[Any]) -> set[int]:
    """The compensations of those instances (of `list_children_to_undo`) that `concurrency` lets run now; others wait."""
    in_turn, sent = set(), Counter[str]()
    for child in children:
        concurrency = plans.of_version(tx, child.version_id).workflow.concurrency
        key = child.concurrency_key
        if key is not None and concurrency is not None and InstanceState(child.state).is_final:
            if child.running + sent[key] >= concurrency.most:
                continue
            sent[key] += 1
        in_turn.add(child.task_id)
    return in_turn


def _send(tx: Tx, child: Any, parent: int) -> int | None:
    """The command that has an instance (of `list_children_to_undo`) undone; None: it must end first."""
    if not InstanceState(child.state).is_final:
        return None
    command = COMMAND | {
        "tenant": child.tenant,
        "action": ACTIONS[SagaState(child.saga_state)],
        "instance_id": child.instance_id,
        "reason": f"task {child.target}, which started it, is undone",
        "requested_by": f"instance:{parent}",
    }
    return int(tx.one("insert_command", **command).id)

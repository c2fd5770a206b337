"""Successes of workflows for business dates: tasks that wait for one are met, whenever its instance has ended.

A close says nothing of this. Whoever looks sees all waiters and all closes that were committed before, so one that two
daemons miss, or that was killed, is seen by the next look; the end of an instance costs nothing.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from qflowd.engine.plans.instance_outputs import declared_outputs
from qflowd.engine.plans.instances import Instances
from qflowd.engine.waits.fact import WaitEnd
from qflowd.model import jsontext
from qflowd.model.errors import ExpressionFailed
from qflowd.model.instants import format_instant
from qflowd.model.states import Reason, TaskState
from qflowd.model.workflow import Json
from qflowd.store.tx import Store, Tx

BATCH: Final = 500


def meet(store: Store) -> int:
    """Meet tasks whose workflow has succeeded for their date. Returns how many.

    A rerun of the instance that begins meanwhile changes nothing, as it has succeeded; but a task that only waits fails
    where the outputs that it would return are gone by then, and says so.
    """
    rows = store.read(lambda tx: tx.run("list_successes", batch=BATCH))

    def meet_by_success(tx: Tx) -> int:
        return sum(tx.count("meet_by_success", **row._asdict()) for row in rows)

    return store.transact(meet_by_success) if rows else 0


def end_left(store: Store) -> None:
    """End waits whose tasks wait no more, so that nobody looks for their workflows. A row's fence only rises: it stays so."""
    rows: Sequence[Any] = ()

    def end_left_waits(tx: Tx) -> None:
        tx.run("end_waiters", rows=[tuple(row) for row in rows])

    while rows := store.read(lambda tx: tx.run("list_left_waits", batch=BATCH)):
        store.transact(end_left_waits)
        if len(rows) < BATCH:
            return


def with_output(tx: Tx, instances: Instances, row: Any, known: dict[int, WaitEnd]) -> WaitEnd:
    """How a task ends that only waits: with the instance, when it ended, and its outputs where its workflow declares some.

    `row`: of `list_woken`. `known`: the ends of others by what they waited for; outputs are large, and the same for all.
    Raises: Unreadable or InvalidExpression if only a newer qflowd can read the instance.
    """
    if row.success_id not in known:
        known[row.success_id] = _end(tx, instances, row)
    return known[row.success_id]


def _end(tx: Tx, instances: Instances, row: Any) -> WaitEnd:
    output: dict[str, Json] = {"instance_id": row.success_id}
    if row.succeeded_at is not None:
        output["finished_at"] = format_instant(row.succeeded_at)
        try:
            declared = declared_outputs(tx, instances, row.success_id)
        except (ExpressionFailed, ValueError) as error:
            return _without(row, str(error))
        if declared is not None:
            output["outputs"] = json.loads(declared)
    elif row.kept_id is not None and instances[row.success_id].plan.outputs is not None:
        return _without(row, "they are gone, as it has begun anew; retry this task, and it waits for the next success")
    return WaitEnd(TaskState.SUCCESS, output=jsontext.dump(output))


def _without(row: Any, why: str) -> WaitEnd:
    error = f"outputs of instance {row.success_id}, of {row.subject}: {why}"
    return WaitEnd(TaskState.FAILED, Reason.ERROR, error=error)

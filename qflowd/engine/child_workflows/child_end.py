"""The end of an instance that a task has started is the end of the task: its outputs, or why it did not succeed.

Where a compensation waits for it, which has it undone, that looks for what else there is to undo, or fails.
"""

from typing import Any, Final

from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.outcome import AttemptRow, FinalRow, Released
from qflowd.engine.plans.instance_outputs import declared_outputs
from qflowd.engine.plans.instances import Instances
from qflowd.model import jsontext
from qflowd.model.errors import InvalidExpression, QflowdError, StoreUnavailable, Unreadable
from qflowd.model.ids import ORDINALS
from qflowd.model.states import InstanceState, Intent, Reason, SagaState, TaskKind, TaskState
from qflowd.store.clock import to_microseconds
from qflowd.store.tx import Tx

LONGEST_ERROR: Final = 2000


def batch_of(tx: Tx, instances: Instances, ended: list[Any]) -> Batch:
    """What is to be written for rows of `list_ended_children` whose tasks still wait. `find_unreadable` was called for them."""
    batch = Batch()
    for row in ended:
        is_undoing = row.kind == TaskKind.COMPENSATION
        if is_undoing and _is_step_done(row):
            batch.released.append(Released(row.task_id, row.fence, 0, 0))
            continue
        state, reason, output, error = _not_undone(row) if is_undoing else _end(tx, instances, row)
        started_us = to_microseconds(row.created_at)
        end = (row.task_id, row.fence, int(state), int(reason), row.attempt + 1, None, started_us, output)
        batch.final.append(FinalRow(*end, row.node, row.kind, row.round))
        if state is not TaskState.SUCCESS:
            attempt = (row.task_id, row.fence, row.attempt + 1, int(state), int(reason), row.created_at, tx.now)
            batch.attempts.append(AttemptRow(*attempt, error=jsontext.clean_text(error or "")[:LONGEST_ERROR]))
    return batch


def find_unreadable(tx: Tx, instances: Instances, ended: list[Any]) -> dict[int, QflowdError]:
    """Load the instances of rows of `list_ended_children`. Returns the tasks that this daemon cannot end, and why."""
    children = [row.instance_id * ORDINALS for row in ended if row.state == InstanceState.SUCCESS]
    instances.load(tx, [*children, *(row.task_id for row in ended)])
    unreadable: dict[int, QflowdError] = {}
    for row in ended:
        try:
            _ = instances[row.task_id // ORDINALS]
            if row.state == InstanceState.SUCCESS:
                _ = instances[row.instance_id].plan.outputs  # compiled now: a newer qflowd may know more functions
        except (Unreadable, InvalidExpression) as error:
            unreadable[row.task_id] = error
    return unreadable


def _is_step_done(row: Any) -> bool:
    """Is the instance undone, or was its end only waited for? Then the compensation looks for what else there is to undo."""
    return row.command_id is None or row.saga_state == SagaState.COMPENSATED


def _not_undone(row: Any) -> tuple[TaskState, Reason, str | None, str | None]:
    """How a compensation ends whose instance was not undone."""
    what = f"instance {row.instance_id} of workflow {row.workflow}"
    if Intent(row.parent_intent).is_end:
        return TaskState.CANCELLED, Reason.TERMINATED, None, f"the compensation of {what} was terminated with this one"
    why = row.command_error or "one of its compensations failed"
    return TaskState.FAILED, Reason.ERROR, None, f"{what} is not undone: {why}"


def _end(tx: Tx, instances: Instances, row: Any) -> tuple[TaskState, Reason, str | None, str | None]:
    """State, reason, output and error of the task."""
    what = f"instance {row.instance_id} of workflow {row.workflow}"
    if row.state == InstanceState.SUCCESS:
        try:
            return TaskState.SUCCESS, Reason.NONE, declared_outputs(tx, instances, row.instance_id), None
        except StoreUnavailable:
            raise
        except (QflowdError, ValueError) as error:
            return TaskState.FAILED, Reason.ERROR, None, f"outputs of {what}: {error}"
    if row.state == InstanceState.TERMINATED and Intent(row.parent_intent).is_end:
        return TaskState.CANCELLED, Reason.TERMINATED, None, f"{what} was terminated with this one"
    if row.state is None:
        return TaskState.FAILED, Reason.ERROR, None, f"submission {row.instance_id} was rejected: {row.refusal}"
    if row.state == InstanceState.TERMINATED:
        return TaskState.FAILED, Reason.TERMINATED, None, f"{what} was terminated"
    refusal = "" if row.command_error is None else f"; its retry was rejected: {row.command_error}"
    return TaskState.FAILED, Reason(row.reason), None, f"{what} failed: {row.error}{refusal}"

"""Approve and reject: a person answers a task that waits for an approval. Who, when and why is kept with the answer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    is_being_undone,
    one_instance,
    remedy,
    standing,
    verb,
)
from qflowd.engine.refusal import LONGEST_ERROR, NAMED, Refused, no_such_task
from qflowd.engine.waits.approval_fact import APPROVED, REJECTED
from qflowd.model import jsontext
from qflowd.model.ids import ORDINALS, instance_of, key_range
from qflowd.model.instants import format_instant
from qflowd.model.refusals import Refusal
from qflowd.model.states import Intent, WaitState
from qflowd.store.tx import Tx

DONE: Final = {APPROVED: "approved", REJECTED: "rejected"}
NOT_POSSIBLE: Final = "instance {id} is {state}, and {what} for an approval{others}"


@verb("approve", needs=one_instance, takes_task=True, not_possible=NOT_POSSIBLE)
def approve(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let a task continue that waits for an approval: the one that is named, or the only one of its instance.

    Raises: NotPossible if none waits; Refused if somebody has answered already, or the deadline has passed.
    """
    return _answer(tx, command, target, caches, APPROVED)


@verb("reject", needs=one_instance, takes_task=True, not_possible=NOT_POSSIBLE)
def reject(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let a task fail that waits for an approval; as `approve`."""
    return _answer(tx, command, target, caches, REJECTED)


def _answer(tx: Tx, command: Command, target: Any, caches: Caches, answer: int) -> Reply:
    if Intent(target.intent).is_end or is_being_undone(target):
        raise Refused(f"instance {target.id} is {standing(target)}: nothing of it is approved{remedy(target)}")
    [instance] = tx.run("load_instances", rows=[(target.id,)])
    tasks = caches.plans.of_instance(tx, instance).tasks
    row = _row_meant(command, target, tasks, tx.run("list_approvals_of", **key_range(target.id)), tx.now)
    name = tasks[row.task_id % ORDINALS].key
    note = None if command.reason is None else jsontext.clean_text(command.reason)[:LONGEST_ERROR]
    about: dict[str, Any] = {"answer": answer, "answered_by": command.requested_by, "note": note}
    if not tx.count("answer_approval", task_id=row.task_id, fence=row.fence, now=tx.now, **about):
        again = tx.run("list_approvals_of", first=row.task_id, last=row.task_id)
        raise Refused(_why_over(name, target, again[0] if again else row, tx.now))
    return Reply({"instance_id": target.id, DONE[answer]: [name]}, ("wait",))


def _row_meant(command: Command, target: Any, tasks: Sequence[Any], rows: Sequence[Any], now: datetime) -> Any:
    """The row of `list_approvals_of` that a command means. Raises: Refused; NotPossible."""
    is_open = [row for row in rows if row.is_current and row.state < WaitState.MET]
    names = [tasks[row.task_id % ORDINALS].key for row in is_open]
    others = f"; {', '.join(names[:NAMED])} {'do' if len(names) > 1 else 'does'}" if names else ""
    if not command.names_task:
        if len(is_open) == 1:
            return is_open[0]
        if not is_open:
            raise NotPossible(target, what="none of its tasks waits", others="")
        raise Refused(f"several tasks of instance {target.id} wait for approvals: {', '.join(names)}; name one")
    found = [row for row in rows if _is_named(command, row, tasks)]
    if found:
        if found[0].is_current:
            return found[0]
        raise Refused(_why_over(tasks[found[0].task_id % ORDINALS].key, target, found[0], now) + others)
    keys = [task.key for task in tasks]
    if command.task is not None and command.task not in keys:
        raise no_such_task(f"instance {target.id}", command.task, keys)
    if command.task_id is not None and instance_of(command.task_id) != target.id:
        raise Refused(f"task_id {command.task_id} is not a task of instance {target.id}", Refusal.NOT_FOUND)
    raise NotPossible(target, what=f"task {command.task or command.task_id} of it does not wait", others=others)


def _is_named(command: Command, row: Any, tasks: Sequence[Any]) -> bool:
    key = tasks[row.task_id % ORDINALS].key
    return command.task_id in (None, row.task_id) and command.task in (None, key)


def _why_over(name: str, target: Any, row: Any, now: datetime) -> str:
    """Why a task that waited for an answer can be given none now."""
    what = f"task {name} of instance {target.id}"
    deadline = None if row.deadline_at is None else format_instant(row.deadline_at)
    if row.answer is not None:
        by = row.answered_by or "somebody"
        return f"{what} was {DONE[row.answer]} by {by} at {format_instant(row.answered_at)}"
    if deadline and row.is_current:
        return f"the deadline of {what} was {deadline}: it is {DONE[row.default_answer]}, as nobody answered"
    over = f" (its deadline was {deadline})" if deadline and row.deadline_at <= now else ""
    return (
        f"instance {target.id} is {standing(target)}, and task {name} of it does not wait for an approval any more"
        f"{over}{remedy(target)}"
    )

"""Pause and resume of one task: of an instance, or of every instance of a workflow, those submitted later included.

The rows of its node do not begin: those of a map's items as well. What is ready becomes HELD, by a claim that meets it or
by the sweep; what runs ends, and a retry of it waits. All else in the instance continues, as far as it does not wait for it.

A row of `paused_task` says what is paused. The sweep is told which nodes are to be brought into line with that, and
looks there itself what they must be; so it does no harm if it comes late, or twice.
"""

from typing import Any, Final

from qflowd.engine.claiming.paused_rows import rows_of_paused_tasks
from qflowd.engine.commands.bulk import WORKFLOW_TASK_VERBS, WorkflowVerb
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
from qflowd.engine.plans.plan import Plan
from qflowd.engine.refusal import Refused, no_such_task
from qflowd.model.ids import ORDINALS, task_id
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState, Intent, TaskState
from qflowd.store.tx import Retryable, Tx

OPEN: Final = frozenset(state for state in InstanceState if not state.is_final)
WHOLE: Final = 0  # in the place of an instance: all those of a workflow


@verb(
    "pause",
    of_task=True,
    takes_task=True,
    needs=one_instance,
    takes_workflow=True,
    batch=100,
    not_possible="task {task} of instance {id} is {task_state}; only one that has not ended can be paused",
)
def pause_task(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let no row of a task begin. One that is paused stays as it was paused first.

    Raises: Refused if there is no such task; NotPossible if the task has ended.
    """
    plan, task = named_task(tx, command, target, caches)
    if not command.is_by_workflow:
        _refuse_ended(tx, target, plan, task)
        if not _note_paused(tx, command, plan.definition_id, target.id, task):
            why = f"task {task} of instance {target.id} is already paused"
            return Reply({"instance_id": target.id, "already": why})
    return _swept(tx, command, target, task, "paused")


@verb(
    "resume",
    of_task=True,
    takes_task=True,
    needs=one_instance,
    takes_workflow=True,
    batch=100,
    not_possible="task {task} of instance {id} is {task_state} and not paused; only a paused task is resumed",
)
def resume_task(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let a paused task continue.

    Raises: Refused if there is no such task, or all instances of its workflow have it paused; NotPossible if it is not.
    """
    plan, task = named_task(tx, command, target, caches)
    key: dict[str, Any] = {"definition_id": plan.definition_id, "task": task}
    if not command.is_by_workflow and not _is_paused(tx, plan, target.id, task):
        if _is_paused(tx, plan, WHOLE, task):
            raise Refused(
                f"task {task} is paused in all instances of {plan.workflow.key}: `qflowd resume --workflow "
                f"{plan.workflow.key} --task {task}`, or `qflowd trigger {target.id} --task {task}` for this one alone"
            )
        if is_being_undone(target) or target.intent == Intent.FINALLY:
            raise _refusal(target)
        raise NotPossible(id=target.id, task=task, task_state=_state_of(tx, target, plan, task))
    if not command.is_by_workflow:
        tx.run("resume_task", instance_id=target.id, **key)
    return _swept(tx, command, target, task, "resumed")


def pause_everywhere(tx: Tx, command: Command, workflow: Any) -> Reply:
    """Let no row of a task begin in any instance of a workflow.

    Raises: Refused if the workflow has no such task.
    """
    if not tx.one("count_tasks_named", definition_id=workflow.id, task=command.task).tasks:
        keys = [row.task for row in tx.run("list_task_keys_of", definition_id=workflow.id)]
        raise no_such_task(f"workflow {command.workflow!r}", command.task, keys)
    if not _note_paused(tx, command, workflow.id, WHOLE, str(command.task)):
        return Reply({"already": f"task {command.task!r} is already paused in workflow {command.workflow!r}"})
    return Reply({"effect": _effect(command, "paused", ", those submitted later as well")}, ("intent",))


def resume_everywhere(tx: Tx, command: Command, workflow: Any) -> Reply:
    """Let a task continue that all instances of a workflow have paused; where one was paused separately it stays so.

    Raises: Refused if it is not paused.
    """
    if not tx.count("resume_task_everywhere", definition_id=workflow.id, task=command.task):
        raise Refused(f"task {command.task!r} is not paused in workflow {command.workflow!r}")
    return Reply({"effect": _effect(command, "resumed", ", except in instances where it was paused separately")})


def _effect(command: Command, what: str, more: str) -> str:
    return f"task {command.task!r} of workflow {command.workflow!r} {command.is_now} {what} in all instances{more}"


def let_through(tx: Tx, command: Command, target: Any, plan: Plan, task: str) -> bool:
    """Let a task of an instance run, although it is paused there or in all instances of its workflow.

    Returns whether it was paused.
    """
    key: dict[str, Any] = {"definition_id": plan.definition_id, "task": task}
    own = tx.one("lock_paused_task", instance_id=target.id, **key)
    is_paused_everywhere = _is_paused(tx, plan, WHOLE, task)
    if not (is_paused_everywhere if own is None else own.is_paused):
        return False
    tx.run("resume_task", instance_id=target.id, **key)
    if is_paused_everywhere:
        about: dict[str, Any] = {"is_paused": 0, "paused_by": command.requested_by, "pause_reason": command.reason}
        tx.run("pause_task", instance_id=target.id, now=tx.now, **key, **about)
    _swept(tx, command, target, task, "triggered")
    return True


def named_task(tx: Tx, command: Command, target: Any, caches: Caches) -> tuple[Plan, str]:
    """The plan of an instance (a row of `find_instance`), and the key of the task that a command names.

    Raises: Refused if there is none, or it is part of one; NotPossible if the instance has ended.
    """
    # What was paused before is held back when it is undone, or runs after a termination, until it is resumed.
    runs_on = is_being_undone(target) or target.intent == Intent.FINALLY
    is_ending = runs_on or Intent(target.intent).is_end
    is_ending &= not (runs_on and command.action == "resume")
    if InstanceState(target.state).is_final or (is_ending and not command.is_by_workflow):
        raise _refusal(target)
    [instance] = tx.run("load_instances", rows=[(target.id,)])
    plan = caches.plans.of_instance(tx, instance)
    task = command.task
    if command.task_id is not None:
        ordinal = command.task_id % ORDINALS
        of_id = plan.tasks[ordinal].key if ordinal < len(plan.tasks) else None
        if command.task_id // ORDINALS != target.id or of_id is None or task not in (None, of_id):
            raise Refused(
                f"task_id {command.task_id} is not {task or 'a whole task'} of instance {target.id}", Refusal.NOT_FOUND
            )
        task = of_id
    if plan.version_id is None:
        raise Refused(f"instance {target.id} runs a single job; {command.action} the instance itself")
    if task is None or task not in plan.by_key:
        why = "; items are paused and resumed together, by the task's key" if "[" in str(task) else ""
        raise no_such_task(f"instance {target.id}", task, [each.key for each in plan.tasks], why)
    return plan, task


def _refusal(target: Any) -> Refused:
    what = "no task of it can be paused, resumed or triggered"
    return Refused(f"instance {target.id} is {standing(target)}: {what}{remedy(target)}")


def align_rows(tx: Tx, instance_id: int, node: int, first: int, last: int) -> None:
    """Make the rows of a node with ids from `first` to `last` HELD if it is paused now, else READY."""
    [instance] = tx.run("load_instances", rows=[(instance_id,)])
    own = [(task_id(instance_id, node), node)]
    if tx.run("find_paused_rows", rows=own):
        tx.run("hold_ready_node", node=node, first=first, last=last)
        # Locked only now, after tasks. If it was resumed since, that was swept already: nobody would free these rows again.
        if not rows_of_paused_tasks(tx, own):
            raise Retryable(f"a task of instance {instance_id} was resumed while it was swept")
    elif instance.state == InstanceState.RUNNING:  # of one that is paused, they continue when it does
        tx.run("free_held_node", node=node, first=first, last=last)


def end_pauses(tx: Tx, ended: list[Any]) -> None:
    """The pause of a task ends with its instance; `ended`: rows of `list_ended_pauses`."""
    for row in ended:
        tx.run("resume_task", **row._asdict())


def _note_paused(tx: Tx, command: Command, definition_id: int, instance_id: int, task: str) -> bool:
    """Returns whether it was not paused before."""
    key: dict[str, Any] = {"definition_id": definition_id, "instance_id": instance_id, "task": task}
    paused = tx.one("lock_paused_task", **key)
    is_new = paused is None or not paused.is_paused
    if is_new:
        about: dict[str, Any] = {"is_paused": 1, "paused_by": command.requested_by, "pause_reason": command.reason}
        tx.run("pause_task", now=tx.now, **key, **about)
    return is_new


def _is_paused(tx: Tx, plan: Plan, instance_id: int, task: str) -> bool:
    row = tx.one("lock_paused_task", definition_id=plan.definition_id, instance_id=instance_id, task=task)
    return row is not None and bool(row.is_paused)


def _swept(tx: Tx, command: Command, target: Any, task: str, what: str) -> Reply:
    tx.run("ask_task_sweep", instance_id=target.id, task=task, command_id=command.id)
    return Reply({"instance_id": target.id, what: [task]}, ("intent",))


def _refuse_ended(tx: Tx, target: Any, plan: Plan, task: str) -> None:
    """Raises: NotPossible if no row of a task is still to run."""
    state = _state_of(tx, target, plan, task)
    if state in {each.name for each in TaskState if each.is_final}:
        raise NotPossible(id=target.id, task=task, task_state=state)


def _state_of(tx: Tx, target: Any, plan: Plan, task: str) -> str:
    """The state of a task's own row; PENDING where the instance has not begun."""
    rows = tx.run("load_outputs", rows=[(task_id(target.id, plan.by_key[task].ordinal),)])
    return TaskState(rows[0].state).name if rows else TaskState.PENDING.name


WORKFLOW_TASK_VERBS["pause"] = WorkflowVerb("pause", OPEN, pause_everywhere)
WORKFLOW_TASK_VERBS["resume"] = WorkflowVerb("resume", OPEN, resume_everywhere)

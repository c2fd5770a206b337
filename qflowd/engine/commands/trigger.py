"""Trigger: one task runs now, rather than when its time has come or its pause is over.

Of an instance: a task that waits for an instant (a retry, a delay, `run_at`) becomes READY, and one that is paused is let
through: its pause is over in this instance, whoever paused it. It still needs a worker and its limits. Of a workflow: a
new instance that runs this one task; a person's skip is written for all others, so they count as done without output.
"""

from collections.abc import Mapping
from typing import Any, Final

from qflowd.define.readers import mapping
from qflowd.engine.admission.intake import Intake
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    one_instance,
    one_workflow,
    refuse_terminating,
    remedy,
    standing,
    verb,
)
from qflowd.engine.commands.pause_task import let_through, named_task
from qflowd.engine.concurrency.overlap import refuse_skipped
from qflowd.engine.finishing.timers import RUN, WAIT
from qflowd.engine.refusal import Refused, no_active_version, no_such_task
from qflowd.engine.request import read_request
from qflowd.model import jsontext
from qflowd.model.ids import task_id
from qflowd.model.refusals import Refusal
from qflowd.model.states import FactKind, InstanceState, TaskState
from qflowd.store.inbox import SUBMISSION
from qflowd.store.tx import Tx


def _target(tx: Tx, command: Command) -> Any:
    if not command.names_task:
        raise Refused("trigger needs a task; `submit` runs a whole workflow", Refusal.FAULTY)
    is_of_instance = command.instance_id is not None or command.task_id is not None
    return one_workflow(tx, command) if command.workflow and not is_of_instance else one_instance(tx, command)


@verb(
    "trigger",
    needs=_target,
    takes_task=True,
    takes_workflow=True,
    args={"params": mapping},
    not_possible="task {task} of instance {id} is {task_state}; {instead}",
)
def trigger(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Let one task run now: of an instance, or of a workflow in an instance of its own.

    Raises: Refused if there is no such task, or its instance is paused; NotPossible if it waits for other tasks, is being
        run, or has ended.
    """
    if command.instance_id is None and command.task_id is None:
        return _submit(tx, command, target, caches)
    if command.args:
        raise Refused(
            "args are for the trigger of a workflow's task; `rerun` sets params of a task of an instance",
            Refusal.FAULTY,
        )
    plan, task = named_task(tx, command, target, caches)
    number = task_id(target.id, plan.by_key[task].ordinal)
    row = tx.one("lock_task", id=number)
    if row is None:
        raise Refused(f"instance {target.id} is {standing(target)} and has not begun{remedy(target)}")
    state = TaskState(row.state)
    if state.is_held or state.is_final:
        instead = "wait for its end" if state.is_held else "`rerun` runs it again, and all behind it"
        raise NotPossible(id=target.id, task=task, task_state=state.name, instead=instead)
    if state is TaskState.PENDING and row.need > 0 and not row.is_expanded:
        raise NotPossible(
            id=target.id, task=task, task_state=state.name, instead=f"it waits for {row.open_parents} tasks before it: "
            "`skip` lets it continue without one of them"
        )  # fmt: skip
    if started := tx.run("list_open_children", first=number, last=number):
        instead = f"it waits for instance {started[0].instance_id}, which it has started"
        raise NotPossible(id=target.id, task=task, task_state=state.name, instead=instead)
    waits_for_time = state is TaskState.PENDING and row.need <= 0 and not row.is_expanded
    if waits_for_time and not _end_wait(tx, target.id, task, number, row.fence):
        tx.run("promote_tasks", rows=[(number, row.fence)], now=tx.now)
        tx.run("delete_timers", rows=[(number, RUN, row.fence)])
    was_paused = let_through(tx, command, target, plan, task)
    # Not locked: a claim that waits for the pause may hold it.
    instance = tx.one("find_instance", id=target.id, tenant=command.tenant)
    refuse_terminating(instance)
    if instance.state == InstanceState.PAUSED:
        raise Refused(f"instance {target.id} is PAUSED, and nothing of it begins; resume it first")
    if not (waits_for_time or was_paused):
        already = f"task {task} of instance {target.id} is {state.name}: it neither waits for a time nor is paused"
        return Reply({"instance_id": target.id, "already": already})
    return Reply({"instance_id": target.id, "triggered": [task]}, ("intent", "ready", "wait"))


_REMEDY: Final[Mapping[int, str]] = {
    FactKind.SIGNAL: "send it",
    FactKind.APPROVAL: "`approve` or `reject` it",
    FactKind.WORKFLOW: "run that workflow",
    FactKind.FILE: "deliver it",
    FactKind.SQL: "bring about what it asks for",
    FactKind.DATASET: "run what produces it",
}


def _end_wait(tx: Tx, instance_id: int, task: str, number: int, fence: int) -> bool:
    """End the wait of a task for a time. Returns: does it wait so?

    Raises: NotPossible if it waits for another fact.
    """
    wait = tx.one("find_wait", task_id=number, fence=fence)
    if wait is None:
        return False
    if wait.kind != FactKind.TIME:
        how = _REMEDY.get(wait.kind, "have it come")
        instead = f"{wait.reason}: {how}, or `skip` the task"
        raise NotPossible(id=instance_id, task=task, task_state=TaskState.PENDING.name, instead=instead)
    tx.run("expire_waiters", rows=[(number, fence)])
    tx.run("delete_timers", rows=[(number, WAIT, fence)])
    return True


def _submit(tx: Tx, command: Command, workflow: Any, caches: Caches) -> Reply:
    """Submit the active version of a workflow with all its tasks skipped but one.

    Raises: Refused if there is none, or it has no such task, or the submission would be rejected.
    """
    given = command.args.get("params") or {}
    if workflow.active_version is None:
        raise no_active_version(str(command.workflow))
    plan = caches.plans.of_version(tx, workflow.active_version)
    if command.task not in plan.by_key:
        raise no_such_task(f"workflow {command.workflow!r}", command.task, sorted(plan.by_key))
    why = f"only {command.task} was triggered" + (f" by {command.requested_by}" if command.requested_by else "")
    tasks: dict[str, Any] = {key: {"skip": why} for key in plan.by_key if key != command.task}
    columns = {
        "tenant": command.tenant,
        "workflow": command.workflow,
        "version": tx.one("find_definition", tenant=command.tenant, workflow=command.workflow).version,
        "params": jsontext.dump(given),
        "overrides": jsontext.dump({"tasks": tasks}) if tasks else None,
        "submitted_by": command.requested_by,
        "trigger_type": "trigger",
    }
    submitted = tx.one("insert_submission", **(SUBMISSION | columns))
    request = read_request(tx.one("load_submission", id=submitted.id)._asdict(), tx.now)
    refuse_skipped(tx, Intake(caches.plans, caches.lanes, caches.jobs).check(tx, request))
    return Reply({"instance_id": submitted.id, "workflow": command.workflow, "task": command.task}, ("submission",))

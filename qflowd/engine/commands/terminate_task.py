"""Terminate one task that is being run: a row says so, and the daemon that holds the task stops its worker.

It ends CANCELLED, so what needs it does not run. What was quicker keeps its end. If its daemon is lost meanwhile, whoever
runs it next stops it: the row of `task_stop` stays until the task has ended or a person starts it anew.
"""

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
from qflowd.engine.plans.plan import Plan
from qflowd.engine.refusal import Refused, no_such_task
from qflowd.model.ids import instance_of, key_range, task_id
from qflowd.model.numbers import whole_number
from qflowd.model.refusals import Refusal
from qflowd.model.states import Intent, TaskState
from qflowd.store.tx import Tx

SAID: Final = "wait until it begins, or terminate the instance; `skip` lets the instance continue without it"


@verb(
    "terminate",
    of_task=True,
    takes_task=True,
    needs=one_instance,
    batch=100,
    not_possible="task {task} of instance {id} is {task_state}; only one that is being run is terminated{instead}",
)
def terminate_task(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Have a task end that is being run: a task, an item of a map, or what a task has spawned.

    Raises: Refused if there is no such task, or its instance is ending; NotPossible if nobody runs it.
    """
    if Intent(target.intent).is_end or is_being_undone(target):
        raise Refused(f"instance {target.id} is {standing(target)}: no task of it is terminated alone{remedy(target)}")
    [instance] = tx.run("load_instances", rows=[(target.id,)])
    plan = caches.plans.of_instance(tx, instance)
    number = _row_named(tx, command, target.id, plan)
    row = tx.one("lock_named_task", id=number)
    if row is None:
        if command.task is None:
            raise Refused(f"task_id {number} is not a task of instance {target.id}", Refusal.NOT_FOUND)
        raise NotPossible(id=target.id, task=command.task, task_state=TaskState.PENDING.name, instead=f": {SAID}")
    name, state = plan.name_of(row), TaskState(row.state)
    is_both = command.task_id is not None and command.task is not None
    if is_both and command.task not in (name, plan.tasks[row.node].key):
        raise Refused(f"task_id {number} is {name} of instance {target.id}, not {command.task}", Refusal.NOT_FOUND)
    if not state.is_held:
        instead = "" if state.is_final else f": {SAID}"
        raise NotPossible(id=target.id, task=name, task_state=state.name, instead=instead)
    if not tx.count("insert_task_stop", id=number):
        return Reply({"instance_id": target.id, "already": f"task {name} of instance {target.id} is being terminated"})
    return Reply({"instance_id": target.id, "terminated": [name]}, ("intent",))


def _row_named(tx: Tx, command: Command, instance_id: int, plan: Plan) -> int:
    """The id of the row that a command names. Raises: Refused if there is none such, or several."""
    if command.task_id is not None:
        if instance_of(command.task_id) != instance_id:
            raise Refused(f"task_id {command.task_id} is not a task of instance {instance_id}", Refusal.NOT_FOUND)
        return command.task_id
    name = str(command.task)
    if (task := plan.by_key.get(name)) is not None:
        return task_id(instance_id, task.ordinal)
    key, bracket, label = name.removesuffix("]").partition("[")
    if (task := plan.by_key.get(key)) is None or not bracket:
        raise no_such_task(f"instance {instance_id}", name, [each.key for each in plan.tasks])
    number = whole_number(label, 7)
    place = -1 if number is None else number
    where: dict[str, Any] = {"node": task.ordinal, "label": label, "place": place, "batch": 2}
    found = tx.run("find_parts_named", **key_range(instance_id), **where)
    found = [row for row in found if row.is_of_label] or found
    if len(found) != 1:
        many = f"several items called {label!r}; name one by its task_id" if found else f"no item {label!r}"
        raise Refused(f"task {key} of instance {instance_id} has {many}", Refusal.NOT_FOUND)
    return int(found[0].id)

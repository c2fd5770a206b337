"""Start: an instance that was submitted with `hold` gets its task rows, as if it had been submitted now."""

from typing import Any

from qflowd.engine.admission.begin import admission_again, begin
from qflowd.engine.admission.walls import refuse_suspended
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, one_instance, verb
from qflowd.engine.concurrency.overlap import Begun, take_turns
from qflowd.engine.refusal import Refused
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


@verb(
    "start",
    needs=one_instance,
    states=(InstanceState.READY,),
    batch=1,
    not_possible="instance {id} is {state}; only one that was submitted with `hold` and has not begun can be started",
)
def start(tx: Tx, command: Command, target: Any, caches: Caches) -> Reply:
    """Start an instance in state READY.

    Raises: as `start_held`.
    """
    return start_held(tx, target.id, caches, command.begun)


def start_held(tx: Tx, instance_id: int, caches: Caches, begun: Begun) -> Reply:
    """Start an instance in state READY. Its version is that of its admission; `run_at` holds; its timeout begins now.

    `begun`: those that a dry run had begin before.

    Raises: NotPossible if it is in another state; Refused if it is queued, its workflow's `concurrency`
        skips it, or its tenant is suspended; LanesMissing.
    """
    [instance] = tx.run("load_instances", rows=[(instance_id,)])
    if instance.state != InstanceState.READY:
        raise NotPossible(tx.one("lock_instance", id=instance_id))
    if instance.concurrency_key is not None:
        raise Refused(
            f"instance {instance_id} is READY, queued behind another one of its workflow, and begins by itself; possible now: terminate"
        )
    admission = admission_again(tx, instance_id, caches.plans, caches.jobs)
    refuse_suspended(tx, admission.request.tenant)
    turns = take_turns(tx, [admission], begun)
    decision = turns.decided.get(instance_id, admission)
    if isinstance(decision, Refused):
        raise decision
    turns.end_superseded(tx)
    if decision.is_queued:
        is_done = tx.count("queue_instance", id=instance_id, concurrency_key=decision.concurrency_key, now=tx.now)
    else:
        is_done = begin(tx, decision, caches.lanes)
    if not is_done:
        raise NotPossible(tx.one("lock_instance", id=instance_id))
    if decision.is_queued:
        return Reply({"instance_id": instance_id, "queued": True}, ("turn", "command"))
    return Reply({"instance_id": instance_id, "tasks": len(admission.plan.tasks)}, ("ready", "timer", "child"))

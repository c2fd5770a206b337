"""Start: an instance that was submitted with `hold` gets its task rows, as if it had been submitted now."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from qflowd.engine.control import Caches, CarriedOut, Command, LanesMissing, NotPossible, one_instance, state_name, verb
from qflowd.engine.expand import Admission
from qflowd.engine.intake import admission_of, insert_work
from qflowd.engine.request import read_request
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


@verb(
    "start",
    needs=one_instance,
    states=(InstanceState.READY,),
    not_possible="instance {id} is {state}; only one that was submitted with hold = 1 and has not begun can be started",
)
def start(tx: Tx, _: Command, target: Any, caches: Caches) -> CarriedOut:
    """Start an instance in state READY.

    Raises: as `start_held`.
    """
    return start_held(tx, target.id, caches)


def start_held(tx: Tx, instance_id: int, caches: Caches) -> CarriedOut:
    """Start an instance in state READY. Its version is that of its admission; `run_at` holds; its timeout begins now.

    Raises: NotPossible if it is in another state; LanesMissing.
    """
    [instance] = tx.run("load_instances", rows=[(instance_id,)])
    if instance.state != InstanceState.READY:
        raise NotPossible(id=instance_id, state=state_name(instance.state))
    admission = _admission(tx, instance, caches)
    if missing := {lane for lane in admission.lanes if not caches.lanes.has(lane)}:
        raise LanesMissing(missing)
    timeout_s = admission.plan.workflow.timeout
    deadline_at = None if timeout_s is None else tx.now + timedelta(seconds=timeout_s)
    # Before its tasks: they do not exist yet, so no transaction can hold one and wait for the instance.
    if not tx.count("release_instance", id=instance_id, deadline_at=deadline_at, now=tx.now):
        raise NotPossible(id=instance_id, state=state_name(tx.one("lock_instance", id=instance_id).state))
    insert_work(tx, [admission], {lane: caches.lanes.id(lane) for lane in admission.lanes})
    return CarriedOut({"instance_id": instance_id, "tasks": len(admission.plan.tasks)}, ("ready", "timer"))


def _admission(tx: Tx, instance: Any, caches: Caches) -> Admission:
    """The admission of the submission, once more; parameters of the instance stay as they are."""
    request = replace(read_request(tx.one("load_submission", id=instance.id)._asdict(), tx.now), hold=False)
    return admission_of(tx, request, caches.plans.of_instance(tx, instance), caches.jobs)

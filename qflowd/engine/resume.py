"""Resume: an instance that was submitted with `hold` gets its task rows, as if it had been submitted now."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from qflowd.engine.control import CarriedOut, Command, LanesMissing, Means, NotPossible, one_instance, verb, word
from qflowd.engine.expand import Admission
from qflowd.engine.intake import admission_of, insert_work
from qflowd.engine.request import read_request
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


@verb(
    "resume",
    needs=one_instance,
    not_possible="instance {id} is {state}; only one that was submitted with hold = 1 and has not begun can be resumed",
)
def resume(tx: Tx, _: Command, target: Any, means: Means) -> CarriedOut:
    """Start an instance in state READY. Its version is that of its admission; `run_at` holds; its timeout begins now.

    Raises: NotPossible if it is in another state; LanesMissing.
    """
    if target.state != InstanceState.READY:
        raise NotPossible(id=target.id, state=word(target.state))
    admission = _admission(tx, target.id, means)
    if missing := {lane for lane in admission.lanes if not means.lanes.has(lane)}:
        raise LanesMissing(missing)
    timeout_s = admission.plan.workflow.timeout
    deadline_at = None if timeout_s is None else tx.now + timedelta(seconds=timeout_s)
    # Before its tasks: they do not exist yet, so nobody can hold one and wait for the instance.
    if not tx.count("release_instance", id=target.id, deadline_at=deadline_at, now=tx.now):
        raise NotPossible(id=target.id, state=word(tx.one("lock_instance", id=target.id).state))
    insert_work(tx, [admission], {lane: means.lanes.id(lane) for lane in admission.lanes})
    return CarriedOut({"instance_id": target.id, "tasks": len(admission.plan.tasks)}, ("ready", "timer"))


def _admission(tx: Tx, instance_id: int, means: Means) -> Admission:
    """The admission of the submission, once more; parameters of the instance stay as they are."""
    request = replace(read_request(tx.one("load_submission", id=instance_id)._asdict(), tx.now), hold=False)
    [instance] = tx.run("load_instances", rows=[(instance_id,)])
    return admission_of(tx, request, means.plans.of_instance(tx, instance), means.jobs)

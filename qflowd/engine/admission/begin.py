"""Begin: an instance in READY gets its task rows, as if it had been submitted now."""

from dataclasses import replace
from datetime import timedelta

from qflowd.engine.admission.insert import insert_work
from qflowd.engine.admission.intake import admission_of
from qflowd.engine.caches import LaneIds, Plans, RegisteredJobs
from qflowd.engine.commands.control import LanesMissing
from qflowd.engine.plans.expand import Admission
from qflowd.engine.plans.instances import limits_of
from qflowd.engine.refusal import Refused
from qflowd.engine.request import read_request
from qflowd.store.tx import Tx


def admission_again(tx: Tx, instance_id: int, plans: Plans, jobs: RegisteredJobs) -> Admission:
    """The admission of the submission, once more: of the same version; its parameters and pool stay as they are.

    Raises: Refused if the submission is gone or no longer fits.
    """
    row = tx.one("load_submission", id=instance_id)
    if row is None:
        raise Refused(f"submission {instance_id} was deleted before its instance began; submit it again")
    priority = tx.one("find_priority", id=instance_id).priority  # it may have been given another one
    request = replace(read_request(row._asdict(), tx.now), hold=False, priority=priority)
    [instance] = tx.run("load_instances", rows=[(instance_id,)])
    plan, limits = plans.of_instance(tx, instance), limits_of(instance)
    return admission_of(tx, request, plan, jobs, plans.calendars, instance.default_pool, limits)


def begin(tx: Tx, admission: Admission, lanes: LaneIds) -> bool:
    """Insert its task rows; its timeout begins now, and `run_at` holds. False if it is not READY any more.

    Raises: LanesMissing.
    """
    if missing := {lane for lane in admission.lanes if not lanes.has(lane)}:
        raise LanesMissing(missing)
    timeout_s = admission.plan.workflow.timeout
    deadline_at = None if timeout_s is None else tx.now + timedelta(seconds=timeout_s)
    # Before its tasks: they do not exist yet, so no transaction can hold one and wait for the instance.
    number, key = admission.request.id, admission.concurrency_key
    if not tx.count("release_instance", id=number, deadline_at=deadline_at, concurrency_key=key, now=tx.now):
        return False
    insert_work(tx, [admission], {lane: lanes.id(lane) for lane in admission.lanes})
    return True

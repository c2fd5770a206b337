"""Resume: an instance that was submitted with `hold` gets its task rows, as if it had been submitted now."""

from dataclasses import replace
from datetime import timedelta

from qflowd.engine.admit import admission_of, insert_work
from qflowd.engine.control import Command, Done, LanesMissing, target_of, word
from qflowd.engine.expand import Admission
from qflowd.engine.known import Jobs, LaneIds, Plans
from qflowd.engine.request import Refused, read_request
from qflowd.model.states import InstanceState
from qflowd.store.tx import Tx


class Resume:
    """The verb, with what it needs to know."""

    def __init__(self, plans: Plans, lanes: LaneIds, jobs: Jobs) -> None:
        self._plans = plans
        self._lanes = lanes
        self._jobs = jobs

    def __call__(self, tx: Tx, command: Command) -> Done:
        """Start an instance in state READY. Its version is that of its admission; `run_at` holds; its timeout begins now.

        Raises: Refused if it is in another state; LanesMissing.
        """
        target = target_of(tx, command)
        if target.state != InstanceState.READY:
            raise Refused(
                f"instance {target.id} is {word(target.state)}; only one that was submitted with hold = 1 and has not begun "
                "can be resumed"
            )
        admission = self._admission(tx, target.id)
        if missing := {lane for lane in admission.lanes if not self._lanes.has(lane)}:
            raise LanesMissing(missing)
        timeout_s = admission.plan.workflow.timeout
        deadline_at = None if timeout_s is None else tx.now + timedelta(seconds=timeout_s)
        # Before its tasks: they do not exist yet, so nobody can hold one and wait for the instance.
        if not tx.count("release_instance", id=target.id, deadline_at=deadline_at, now=tx.now):
            raise Refused(f"instance {target.id} is not held any more")
        insert_work(tx, [admission], {lane: self._lanes.id(lane) for lane in admission.lanes})
        return Done({"instance_id": target.id, "tasks": len(admission.plan.tasks)}, ("ready", "timer"))

    def _admission(self, tx: Tx, instance_id: int) -> Admission:
        """The admission of the submission, once more; parameters of the instance stay as they are."""
        request = replace(read_request(tx.one("load_submission", id=instance_id), tx.now), hold=False)
        [instance] = tx.run("load_instances", rows=[(instance_id,)])
        return admission_of(tx, request, self._plans.of_instance(tx, instance), self._jobs)

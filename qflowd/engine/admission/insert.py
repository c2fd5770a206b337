"""What is inserted for admissions: instances, and the tasks and timers of those that begin now."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from qflowd.engine.caches import LaneKey
from qflowd.engine.finishing.timers import DEADLINE, RUN
from qflowd.engine.plans.expand import Admission, instance_row, task_rows
from qflowd.model.ids import task_id
from qflowd.model.states import TaskState
from qflowd.store.tx import Tx

STATE: Final = 3  # its place in a row of insert_tasks
Begin = Callable[[Tx, Sequence[Admission]], bool]


def insert_instances(tx: Tx, admissions: Sequence[Admission]) -> None:
    """Insert their rows. A draft that one of them runs stays as it is from now on."""
    tx.run("insert_instances", rows=[instance_row(admission, tx.now) for admission in admissions], now=tx.now)
    named = {admission.plan.version_id or 0 for admission in admissions if admission.request.version is not None}
    for version_id in sorted(named):
        tx.run("mark_version_run", id=version_id)


def insert_work(
    tx: Tx, admissions: Sequence[Admission], lane_ids: dict[LaneKey, int], begin: Begin | None = None
) -> None:
    """Insert the task rows and timers of instances that begin now; see `Intake.take`."""
    tasks = [row for admission in admissions for row in task_rows(admission, lane_ids, tx.now)]
    if begin is not None:
        if waiting := [row for row in tasks if row[STATE] == TaskState.PENDING]:
            tx.run("insert_tasks", rows=waiting)
        tasks = [] if begin(tx, admissions) else [row for row in tasks if row[STATE] == TaskState.READY]
    if tasks:
        tx.run("insert_tasks", rows=tasks)
    if timers := [timer for admission in admissions for timer in _start_timers(admission, tx.now)]:
        tx.run("insert_timers", rows=timers)


def _start_timers(admission: Admission, now: datetime) -> list[tuple[int, int, int, datetime]]:
    """Timers of roots that wait for `run_at`, and of the instance's deadline."""
    request, plan = admission.request, admission.plan
    timers = []
    if request.run_at is not None and request.run_at > now:
        roots = [node for node, parents in enumerate(plan.parents) if not parents]
        timers += [(task_id(request.id, root), RUN, 0, request.run_at) for root in roots]
    if plan.workflow.timeout is not None and not request.hold:
        timers.append((task_id(request.id, 0), DEADLINE, 0, now + timedelta(seconds=plan.workflow.timeout)))
    return timers

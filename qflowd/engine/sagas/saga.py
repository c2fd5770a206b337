"""Saga: what a failed instance did is undone. Flag, then expand: the flag is set as its last task ends (`close.py`).

Any daemon adds the compensations, in one transaction that clears the flag. From there on they are rows like all others;
the instance closes when the last of them has ended.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar, NamedTuple

from qflowd.engine.caches import LaneIds, LaneKey, Plans, RegisteredJobs
from qflowd.engine.commands.control import LanesMissing
from qflowd.engine.finishing import close
from qflowd.engine.plans.plan import Plan
from qflowd.engine.sagas.undo import Undo, UndoStep, undo
from qflowd.engine.service import Topics, UnreadableLog, report
from qflowd.engine.spawning.spawn_tree import load_tree
from qflowd.model.errors import QflowdError, RowsLocked, StoreUnavailable
from qflowd.model.ids import ORDINALS, key_range, task_id
from qflowd.model.states import Intent, TaskState
from qflowd.model.workflow import BUILT_IN
from qflowd.store.tx import Store, Tx

IDLE_S = 10.0
PART = 10_000  # rows written by one statement


class UndoCandidate(NamedTuple):
    """A row of `list_undone`, by ordinal."""

    ordinal: int
    node: int
    map_index: int | None
    label: str | None
    state: int
    lane: int
    priority: int
    has_started: bool
    has_saga: bool  # it has started an instance that can be undone as a whole
    undone_by: str  # a job; empty where there is none


class Sagas:
    """The service that adds compensations to the instances that are to be undone."""

    name: ClassVar[str] = "compensate"
    topics: ClassVar[tuple[str, ...]] = ("compensate", "intent")

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: RegisteredJobs, topics: Topics) -> None:
        self._store, self._plans, self._lanes, self._jobs, self._topics = store, plans, lanes, jobs, topics
        self._unreadable = UnreadableLog()

    def tick(self) -> float:
        intents = self._store.read(lambda tx: tx.run("list_intents"))
        flagged = [row.id for row in intents if row.intent == Intent.COMPENSATE]
        expanded = [self._expand(number) for number in flagged]
        if not any(expanded):
            return IDLE_S
        self._topics.publish("ready", "child", "turn")
        return 0

    def _expand(self, instance_id: int) -> bool:
        """False: this daemon cannot, at least not now."""
        while True:
            try:
                self._store.transact(lambda tx: self._add(tx, instance_id), name="compensate")
            except LanesMissing as missing:
                self._lanes.ensure(missing.lanes)
            except RowsLocked as error:
                report(f"compensation of instance {instance_id}", error, IDLE_S)
                return False
            except StoreUnavailable:
                raise
            except QflowdError as error:
                self._unreadable.warn_once("the compensation of instance", instance_id, error)
                return False
            else:
                return True

    def _add(self, tx: Tx, instance_id: int) -> None:
        """Add the compensations of an instance, unless another daemon has. Raises: LanesMissing."""
        locked = tx.one("lock_instance", id=instance_id)
        if locked is None or locked.intent != Intent.COMPENSATE:
            return
        [instance] = tx.run("load_instances", rows=[(instance_id,)])
        plan = self._plans.of_instance(tx, instance)
        added = undo_of(tx, plan, instance_id, self._jobs)
        jobs = {step.row.undone_by for step in added.steps} - {""}
        lanes = {job: lane_of(tx, instance, job, self._jobs) for job in jobs}
        if missing := {lane for lane in lanes.values() if not self._lanes.has(lane)}:
            raise LanesMissing(missing)
        ids = {job: self._lanes.id(lane) for job, lane in lanes.items()}
        _insert(tx, task_id(instance_id, locked.next_ordinal), added, ids)
        count = len(added.steps)
        tx.run("begin_compensating", id=instance_id, open_closers=count, added=count, now=tx.now)
        if not added.steps:
            close.end_instances(tx, tx.run("find_closing", rows=[(instance_id,)]))


def compensating_jobs(tx: Tx, plan: Plan, jobs: RegisteredJobs) -> list[str]:
    """Of every node the job that undoes it; empty where there is none."""
    registered = {name: jobs.get(tx, name) for name in {task.job for task in plan.tasks}}
    return [task.compensate or getattr(registered[task.job], "compensation", "") for task in plan.tasks]


def undo_of(tx: Tx, plan: Plan, instance_id: int, jobs: RegisteredJobs) -> Undo:
    """What there is to undo of an instance.

    Where no job undoes what a task did, instances that it has started are undone, if they are of a saga.
    """
    of_nodes, of_job = compensating_jobs(tx, plan, jobs), {}
    tree = load_tree(tx, instance_id)
    rows = []
    for row in tx.run("list_undone", **key_range(instance_id)):
        ordinal, undone_by = row.id % ORDINALS, of_nodes[row.node]
        if ordinal in tree.spawner:
            if row.job not in of_job:
                of_job[row.job] = getattr(jobs.get(tx, row.job), "compensation", "")
            undone_by = of_job[row.job]
        rows.append(UndoCandidate._make((ordinal, *row[1:-3], bool(row.has_started), bool(row.has_saga), undone_by)))
    saga = plan.workflow.saga
    is_serial = saga is not None and saga.order == "serial"

    def is_undone(row: UndoCandidate) -> bool:
        has_begun = row.has_started if row.undone_by else row.has_saga
        has_succeeded = row.state == TaskState.SUCCESS or row.ordinal in tree.spawned
        return has_begun and (plan.tasks[row.node].compensate_on == "start" or has_succeeded)

    return undo(plan, rows, is_undone, serial=is_serial, tree=tree)


def lane_of(tx: Tx, instance: Any, job: str, jobs: RegisteredJobs) -> LaneKey:
    """The lane of a compensating job. `instance`: a row of `load_instances`."""
    registered = jobs.get(tx, job)
    pool = (registered and registered.settings.pool) or instance.default_pool or str(BUILT_IN.pool)
    return LaneKey(instance.tenant, pool, job)


def _insert(tx: Tx, first: int, added: Undo, lanes: Mapping[str, int]) -> None:
    """Insert the compensations, from the id `first` on. `lanes`: of the jobs that undo."""
    steps = list(enumerate(added.steps, first))
    start_of_instance = first - first % ORDINALS
    tables = {
        "insert_compensating_tasks": [
            _row(number, step, lanes.get(step.row.undone_by, 0), tx.now) for number, step in steps
        ],
        "insert_compensations": [
            (number, start_of_instance + step.row.ordinal) for number, step in steps if not step.is_link
        ],
        "insert_edges": [(first + before, first + after) for before, after in added.edges],
    }
    for statement, rows in tables.items():
        for start in range(0, len(rows), PART):
            tx.run(statement, rows=rows[start : start + PART])


def _row(number: int, step: UndoStep, lane: int, now: datetime) -> tuple[Any, ...]:
    """The row of `insert_compensating_tasks`; `lane`: of its job, 0 if it runs none.

    A link needs one arrival more than there can be: it ends without running.
    """
    undone, waits, is_link = step
    state = TaskState.PENDING if waits else TaskState.READY
    about = (
        number,
        undone.node,
        undone.map_index,
        undone.label,
        int(state),
        undone.lane if is_link or not lane else lane,
        undone.priority,
    )
    return (*about, waits, waits + is_link, None if waits else now)

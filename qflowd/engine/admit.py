"""Admission: submissions become instances with task rows, or are answered with the reason why not.

Any daemon takes them; a row that another one holds is skipped. Everything inserted here has a primary key that follows
from the submission's id, so a batch that was applied before its reply was lost, or a daemon that died half-way through
a large instance, does no harm: the next one inserts the same rows.
"""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from qflowd.engine.expand import Admission, admit_request, instance_row, task_rows
from qflowd.engine.known import Jobs, LaneIds, LaneKey, Plans
from qflowd.engine.plan import Plan
from qflowd.engine.request import LONGEST_ERROR, Refused, Request, read_request
from qflowd.engine.service import Topics, log_some
from qflowd.engine.stray_ids import StrayIds, largest_id
from qflowd.engine.timers import DEADLINE, RUN
from qflowd.model import jsontext
from qflowd.model.errors import StoreUnavailable
from qflowd.model.ids import task_id
from qflowd.model.states import AnswerState
from qflowd.store.tx import Store, Tx

log = logging.getLogger("qflowd")
BATCH = 200
ALL = (-(1 << 63), (1 << 63) - 1)  # ids: clients may have written any
MOST_TASKS = 50_000  # of a batch: beyond it the rest of the submissions waits for the next
IDEMPOTENCY = 0  # purpose in run_key
IDLE_S = 60.0  # the watch wakes us long before


class Admit:
    """The service that empties the inbox of submissions."""

    name: ClassVar[str] = "admit"
    topics: ClassVar[tuple[str, ...]] = ("submission",)

    def __init__(self, store: Store, plans: Plans, lanes: LaneIds, jobs: Jobs, topics: Topics) -> None:
        self._store = store
        self._plans = plans
        self._lanes = lanes
        self._jobs = jobs
        self._topics = topics
        self._stray_ids = StrayIds(store)
        self._missing_lanes: set[LaneKey] = set()
        self._has_more = False  # the last batch left rows that it could have taken
        self._rejected: list[tuple[Any, ...]] = []  # of the last batch
        self._has_timers = False  # something that was taken waits for an instant
        self._found: dict[tuple[str, str | None], Any] = {}  # definitions read in this batch

    def tick(self) -> float:
        try:
            taken = self._admit(ALL)
            log_some("submission %d of %r (%s) is rejected: %s", self._rejected)
        except StoreUnavailable:
            raise
        except Exception as problem:  # noqa: BLE001 - one row must never stand in the way of others
            log.warning("a batch of submissions cannot be taken (%s); taking them one by one", problem)
            taken = self._one_by_one()
        if taken:
            self._topics.publish("ready", *(["timer"] if self._has_timers else []))
            self._has_timers = False
        return 0 if taken == BATCH or self._has_more else min(IDLE_S, self._stray_ids.tick())

    def _admit(self, ids: tuple[int, int]) -> int:
        self._missing_lanes.clear()  # of a batch before, whose lanes could not be made
        while True:
            taken = self._store.transact(lambda tx: self.admit_batch(tx, ids), name="admit_batch")
            if not self._missing_lanes:
                return taken
            # Lanes are made outside the batch, so that two daemons never wait for each other's; then the batch comes again.
            self._lanes.ensure(self._missing_lanes)
            self._missing_lanes.clear()

    def _one_by_one(self) -> int:
        """Admit what can be admitted; a row that cannot even be read (text that is no UTF-8, an infinite date) is refused."""
        numbers = [row.id for row in self._store.read(lambda tx: tx.run("list_open_submissions", batch=BATCH))]
        for number in numbers:
            try:
                self._admit((number, number))
            except StoreUnavailable:
                raise
            except Exception as problem:
                log.warning("submission %d cannot be taken", number, exc_info=problem)
                self._refuse(number, f"this row cannot be taken: {problem}")
        return len(numbers)

    def _refuse(self, number: int, error: str) -> None:
        answer = _answer(number, Refused(error))
        self._store.transact(
            lambda tx: tx.run("answer_submissions", rows=[answer], now=tx.now), name="refuse_submission"
        )

    def admit_batch(self, tx: Tx, ids: tuple[int, int] = ALL) -> int:
        """Take open submissions with ids from the first to the last, and answer them.

        Returns: how many were taken; 0 too where lanes must be made first.
        """
        first, last = ids
        self._has_more, self._rejected = False, []
        rows = tx.run("take_submissions", batch=BATCH, first=first, last=last)
        if not rows:
            return 0
        self._found.clear()
        largest = largest_id(tx, wanted=rows[-1].id)
        if rows[-1].id > largest:
            self._stray_ids.note()
        decisions: list[tuple[int, Admission | int | Refused]] = []
        tasks = 0
        for row in rows:
            decision = self._decide(tx, row, largest)
            decisions.append((row.id, decision))
            tasks += len(decision.plan.tasks) if isinstance(decision, Admission) else 0
            if tasks >= MOST_TASKS:
                break
        self._has_more = len(decisions) < len(rows)
        admissions = [found for _, found in decisions if isinstance(found, Admission)]
        lanes = {lane for admission in admissions for lane in admission.lanes}
        if missing := {lane for lane in lanes if not self._lanes.has(lane)}:
            self._missing_lanes = missing
            return 0
        self._has_timers |= any(a.request.run_at is not None or a.plan.workflow.timeout is not None for a in admissions)
        insert_instances(tx, admissions, {lane: self._lanes.id(lane) for lane in lanes})
        tx.run("answer_submissions", rows=[_answer(number, decision) for number, decision in decisions], now=tx.now)
        self._rejected = [
            (row.id, row.workflow or row.job, row.trigger_type, decision)
            for row, (_, decision) in zip(rows, decisions, strict=False)
            if isinstance(decision, Refused)
        ]
        return len(decisions)

    def _decide(self, tx: Tx, row: Any, largest: int) -> Admission | int | Refused:
        """What becomes of one submission: an admission, the instance it repeats, or a refusal."""
        try:
            request = read_request(row, tx.now, largest)
            if (repeated := self._repeated(tx, request)) is not None:
                return repeated
            plan = self._plan(tx, request)
            admission = admission_of(tx, request, plan, self._jobs)
            return admission if (faster := self._claim_key(tx, request)) is None else faster
        except Refused as refusal:
            return refusal

    def _claim_key(self, tx: Tx, request: Request) -> int | None:
        """Take the idempotency key; last of all, so that a submission that is refused never holds one.

        Returns: the instance that was faster; None if the key is this submission's, or it asks for none.
        """
        if request.idempotency_key is not None:
            key = _run_key(request)
            tx.run("insert_run_key", **key, instance_id=request.id, content_hash=request.content_hash)
        return self._repeated(tx, request)

    def _repeated(self, tx: Tx, request: Request) -> int | None:
        """The instance that has the idempotency key of this submission already; None if no other has."""
        holder = None if request.idempotency_key is None else tx.one("find_run_key", **_run_key(request))
        if holder is None or holder.instance_id == request.id:
            return None
        if holder.content_hash != request.content_hash:
            raise Refused(
                f"idempotency_key {request.idempotency_key!r} belongs to submission {holder.instance_id}, "
                "which asks for something else"
            )
        return int(holder.instance_id)

    def _plan(self, tx: Tx, request: Request) -> Plan:
        if request.job is not None:
            if self._jobs.get(tx, request.job) is None:
                raise Refused(_why_no_job(tx, request.job))
            return self._plans.of_job(request.job)
        target = (request.tenant, request.workflow)
        if target not in self._found:
            self._found[target] = tx.one("find_workflow", tenant=request.tenant, workflow=request.workflow)
        found = self._found[target]
        if found is None or found.active_version is None:
            raise Refused(_why_no_workflow(tx, str(request.workflow)))
        if not found.enabled:
            why = f"{found.error} ({found.file})" if found.error else "`enabled: false` in its file"
            raise Refused(f"workflow {request.workflow!r} is disabled: {why}")
        version_id = found.active_version
        if request.version is not None:
            version = tx.one("find_version", definition_id=found.id, version=request.version)
            if version is None:
                raise Refused(f"workflow {request.workflow!r} has no version {request.version}")
            version_id = version.id
        return self._plans.of_version(tx, version_id)


def admission_of(tx: Tx, request: Request, plan: Plan, known: Jobs) -> Admission:
    """The admission of a request, with the jobs of its plan and the instant of its schedule, if one fired it.

    Raises: Refused.
    """
    jobs = {job: known.get(tx, job) for job in {alike.job for alike in plan.alike}}
    fire = tx.one("fire_of_submission", id=request.id) if request.trigger_type == "cron" else None
    return admit_request(request, plan, jobs, (fire.name, fire.fire_at) if fire else None)


def insert_instances(tx: Tx, admissions: Sequence[Admission], lane_ids: dict[LaneKey, int]) -> None:
    """Insert instances, task rows and timers; task rows of held instances come when they are resumed."""
    tx.run("insert_instances", rows=[instance_row(admission, tx.now) for admission in admissions], now=tx.now)
    insert_work(tx, [admission for admission in admissions if not admission.request.hold], lane_ids)


def insert_work(tx: Tx, admissions: Sequence[Admission], lane_ids: dict[LaneKey, int]) -> None:
    """Insert the task rows and timers of instances that begin now."""
    tasks: list[tuple[Any, ...]] = []
    timers: list[tuple[Any, ...]] = []
    for admission in admissions:
        tasks += task_rows(admission, lane_ids, tx.now)
        timers += start_timers(admission, tx.now)
    tx.run("insert_tasks", rows=tasks)
    if timers:
        tx.run("insert_timers", rows=timers)


def start_timers(admission: Admission, now: datetime) -> list[tuple[int, int, int, datetime]]:
    """Timers of roots that wait for `run_at`, and of the instance's deadline."""
    request, plan = admission.request, admission.plan
    timers = []
    if request.run_at is not None and request.run_at > now:
        roots = [node for node, parents in enumerate(plan.parents) if not parents]
        timers += [(task_id(request.id, root), RUN, 0, request.run_at) for root in roots]
    if plan.workflow.timeout is not None and not request.hold:
        timers.append((task_id(request.id, 0), DEADLINE, 0, now + timedelta(seconds=plan.workflow.timeout)))
    return timers


def _why_no_job(tx: Tx, job: str) -> str:
    faulty = [row.file for row in tx.run("list_faulty_plugins")]
    hint = (
        f"these plugin files have errors, see `qflowd plugins`: {', '.join(faulty)}"
        if faulty
        else "is its plugin file in place?"
    )
    return f"no daemon has ever registered a job {job!r}; {hint}"


def _why_no_workflow(tx: Tx, workflow: str) -> str:
    fault = tx.one("find_workflow_fault", workflow=workflow)
    if fault is None:
        return f"there is no workflow {workflow!r}; `qflowd workflows` lists those there are"
    return f"workflow {workflow!r} has a file that has never been without fault: {fault.error}"


def _run_key(request: Request) -> dict[str, Any]:
    return {"tenant": request.tenant, "purpose": IDEMPOTENCY, "run_key": request.idempotency_key}


def _answer(number: int, decision: Admission | int | Refused) -> tuple[Any, ...]:
    if isinstance(decision, Refused):
        return number, AnswerState.REJECTED.name, None, jsontext.clean_text(str(decision))[:LONGEST_ERROR]
    instance_id = decision if isinstance(decision, int) else decision.request.id
    return number, AnswerState.ACCEPTED.name, instance_id, None

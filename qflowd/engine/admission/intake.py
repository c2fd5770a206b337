"""Intake: open submissions are read, decided, inserted as instances and answered, in the caller's transaction.

Everything inserted here has a primary key that follows from the submission's id, so a batch that was applied before its
reply was lost, or a daemon that was lost half-way through a large instance, does no harm: the next one inserts the same rows.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from typing import Any, NamedTuple

from qflowd.engine.admission.claims import claim_key, give_back, refuse_dated, repeated, take_dates
from qflowd.engine.admission.insert import Begin, insert_instances, insert_work
from qflowd.engine.admission.shortages import check_limits
from qflowd.engine.admission.stray_ids import largest_id
from qflowd.engine.admission.walls import Wall, Walls, note_accepted
from qflowd.engine.caches import LaneIds, LaneKey, Plans, RegisteredJobs
from qflowd.engine.calendars.calendar_books import CalendarBooks
from qflowd.engine.child_workflows.child_cycles import refuse_cycle
from qflowd.engine.commands.pause_workflow import begin_paused
from qflowd.engine.concurrency.overlap import take_turns
from qflowd.engine.definitions.archive import why_archived
from qflowd.engine.definitions.canary import version_of
from qflowd.engine.definitions.versions import find_version
from qflowd.engine.membership.registration import has_newer_daemon
from qflowd.engine.plans.expand import Admission, admit_request
from qflowd.engine.plans.plan import Plan
from qflowd.engine.refusal import LONGEST_ERROR, Refused, no_active_version, no_such_workflow, why_no_such_job
from qflowd.engine.request import Request, read_request
from qflowd.engine.service import UnreadableLog
from qflowd.model import jsontext
from qflowd.model.errors import InvalidExpression, InvalidWorkflow, QflowdError
from qflowd.model.limits import Limits
from qflowd.model.named_files import PLUGIN_FILES, WORKFLOW_FILE
from qflowd.model.refusals import Refusal
from qflowd.model.states import AnswerState
from qflowd.store.tx import Tx

BATCH = 200
ALL = (-(1 << 63), (1 << 63) - 1)  # ids: clients may have written any
MOST_TASKS = 50_000  # of a batch: beyond it the rest of the submissions waits for the next
Decisions = list[tuple[Any, Admission | int | Refused]]  # by row of `take_submissions`
Definitions = dict[tuple[str, str | None], Any]  # rows of `find_workflow` that were read in this batch


class Admitted(NamedTuple):
    """What became of one batch of submissions."""

    taken: int = 0
    has_more: bool = False  # rows are left that could be taken now
    has_strays: bool = False  # rows were refused for their ids
    has_timers: bool = False  # something that was taken waits for an instant
    has_queued: bool = False  # something that was taken waits for its turn
    has_replaced: bool = False  # something that runs is to be terminated, by a command
    admissions: Sequence[Admission] = ()
    rejected: Sequence[tuple[Any, ...]] = ()  # id, what was asked for, trigger type, why not


class Known(NamedTuple):
    """What a batch has read and need not read again. `walls`: of tenants that have some."""

    definitions: Definitions
    walls: Mapping[str, Wall]

    def decide(
        self,
        tx: Tx,
        decisions: Decisions,
        anew: Mapping[int, Admission | Refused],
        left: Collection[int] = (),
    ) -> Decisions:
        """Decisions with those that have changed, by the submission's id, without those that are `left` for later.

        Left are also those that repeat one which is not let in now: there is no instance that they could be answered with.
        """
        decided, out = [], set(left)
        for row, before in decisions:
            decision = anew.get(row.id, before)
            if isinstance(before, Admission) and (row.id in left or isinstance(decision, Refused)):
                out.add(row.id)
                give_back(tx, before)
                if (wall := self.walls.get(before.request.tenant)) is not None:
                    wall.give_back()
            if row.id not in left and not (isinstance(before, int) and before in out):
                decided.append((row, decision))
        return decided


class MissingLanes(QflowdError):
    """Tasks of a batch belong to lanes that have not been made yet, or not here."""

    def __init__(self, lanes: Collection[LaneKey]) -> None:
        super().__init__(f"{len(lanes)} lanes must be made first")
        self.lanes = lanes


class TooManyTasks(QflowdError):
    """A submission has more tasks than this transaction has time for."""


class Intake:
    """Takes submissions. Safe to use from several threads: what it remembers is only ever added to."""

    def __init__(self, plans: Plans, lanes: LaneIds, jobs: RegisteredJobs) -> None:
        self.plans, self.lanes, self.jobs = plans, lanes, jobs
        self.walls = Walls()
        self._unreadable = UnreadableLog()

    def take(
        self,
        tx: Tx,
        ids: tuple[int, int] = ALL,
        *,
        most: int | None = None,
        largest_plan: float = inf,
        begin: Begin | None = None,
    ) -> Admitted:
        """Take open submissions with ids from the first to the last, and answer them. Those that others hold are skipped.

        `most`: tasks, MOST_TASKS if none is given; the submission that reaches it is the last that is taken.
        `begin`: asked to insert what may begin now. It must insert all of it, or none and answer False.

        Raises: TooManyTasks for one with more tasks than `largest_plan`; MissingLanes. Roll back then.
        """
        rows = tx.run("take_submissions", batch=BATCH, first=ids[0], last=ids[1])
        if not rows:
            return Admitted()
        largest = largest_id(tx, wanted=rows[-1].id)
        known = Known({}, self.walls.locked(tx, rows))
        decisions: Decisions = []
        tasks, has_room = 0, True
        for row in rows:
            if (decision := self._decide(tx, row, largest, known)) is None:
                continue
            decisions.append((row, decision))
            size = len(decision.plan.tasks) if isinstance(decision, Admission) else 0
            if size > largest_plan:
                raise TooManyTasks(f"submission {row.id} has {size} tasks")
            tasks += size
            if not (has_room := tasks < (most or MOST_TASKS)):
                break
        if not decisions:
            return Admitted()
        admissions = _admissions(decisions)
        if missing := frozenset(lane for each in admissions for lane in each.lanes if not self.lanes.has(lane)):
            raise MissingLanes(missing)
        number, dates = len(decisions), take_dates(tx, admissions)
        decisions = known.decide(tx, decisions, dates.decided, dates.postponed)
        turns = take_turns(tx, _admissions(decisions))
        decisions = known.decide(tx, decisions, turns.decided)
        admissions = _admissions(decisions)
        note_accepted(tx, known.walls)
        insert_instances(tx, admissions)
        turns.end_superseded(tx)
        self._begin(tx, [admission for admission in admissions if not admission.waits], known.definitions, begin)
        tx.run("answer_submissions", rows=[answer(row.id, decision) for row, decision in decisions], now=tx.now)
        return Admitted(
            taken=len(decisions),
            has_more=len(rows) == BATCH or not has_room or len(decisions) < number,
            has_strays=rows[-1].id > largest,
            has_timers=any(a.request.run_at is not None or a.plan.workflow.timeout is not None for a in admissions),
            has_queued=turns.has_queued,
            has_replaced=turns.has_replaced,
            admissions=admissions,
            rejected=_rejected(decisions),
        )

    def _begin(self, tx: Tx, admissions: Sequence[Admission], definitions: Definitions, begin: Begin | None) -> None:
        """Insert the tasks of instances that are not held; those of paused workflows begin PAUSED."""
        lane_ids = {lane: self.lanes.id(lane) for admission in admissions for lane in admission.lanes}
        paused = {}
        for admission in admissions:
            definition = definitions.get((admission.request.tenant, admission.request.workflow))
            if definition is not None and definition.paused_at is not None:
                paused[admission.request.id] = definition
        if any(definition is not None and definition.paused_tasks for definition in definitions.values()):
            begin = None  # a claim finds out which rows may begin
        insert_work(tx, [admission for admission in admissions if admission.request.id not in paused], lane_ids, begin)
        if paused:
            standing = [admission for admission in admissions if admission.request.id in paused]
            insert_work(tx, standing, lane_ids)
            begin_paused(tx, standing, paused)

    def _decide(self, tx: Tx, row: Any, largest: int, known: Known) -> Admission | int | Refused | None:
        """What becomes of one submission: an admission, the instance it repeats, or a refusal.

        None: a newer qflowd has stored its workflow, and is there to take it.
        """
        try:
            request = read_request(row._asdict(), tx.now, largest)
            if (first := repeated(tx, request)) is not None:
                return first
            wall = known.walls.get(request.tenant)
            admission = self._admission(tx, request, known.definitions, wall)
            if wall is not None:
                wall.take()
            if (faster := claim_key(tx, request)) is None:
                return admission
            if wall is not None:
                wall.give_back()
            return faster
        except Refused as refusal:
            return refusal
        except (InvalidWorkflow, InvalidExpression) as error:
            if not has_newer_daemon(tx):  # an open row that nobody takes would keep all daemons awake
                return Refused(str(error), Refusal.FAULTY)
            self._unreadable.warn_once("submission", row.id, error)
            return None

    def check(self, tx: Tx, request: Request) -> Admission:
        """The admission that a request would get now; whether others that run have it wait, or refused, is not asked.

        Raises: Refused, with the answer that it would get; InvalidWorkflow, InvalidExpression for what a newer qflowd has stored.
        """
        admission = self._admission(tx, request, {}, self.walls.look(tx, request.tenant))
        refuse_dated(tx, admission)
        return admission

    def _admission(self, tx: Tx, request: Request, definitions: Definitions, wall: Wall | None) -> Admission:
        plan = self._plan(tx, request, definitions)
        refuse_cycle(tx, self.plans, request, plan)
        definition = definitions.get((request.tenant, request.workflow))
        limits = None if wall is None else wall.limits
        admission = admission_of(
            tx, request, plan, self.jobs, self.plans.calendars, definition and definition.default_pool, limits
        )
        if wall is None:
            return admission
        wall.check(admission, partial(self.jobs.get, tx))
        return replace(admission, is_metered=True)

    def _plan(self, tx: Tx, request: Request, definitions: Definitions) -> Plan:
        if request.job is not None:
            if self.jobs.get(tx, request.job) is None:
                raise Refused(_why_no_job(tx, request.job), Refusal.UNKNOWN_NAME)
            return self.plans.of_job(request.job)
        target = (request.tenant, request.workflow)
        if target not in definitions:
            definitions[target] = tx.one("find_workflow", tenant=request.tenant, workflow=request.workflow)
        definition = definitions[target]
        if definition is None or definition.active_version is None:
            raise _not_active(tx, request, definition)
        if why := why_archived(definition, str(request.workflow)):
            raise Refused(why)
        if not definition.enabled:
            why = f"{definition.error} ({definition.file})" if definition.error else "`enabled` is false"
            raise Refused(f"workflow {request.workflow!r} is disabled: {why}")
        version_id = version_of(definition, request.id)
        if request.version is not None:
            version_id = find_version(tx, definition, str(request.workflow), request.version).row.id
        return self.plans.of_version(tx, version_id)


def _admissions(decisions: Decisions) -> list[Admission]:
    return [decision for _, decision in decisions if isinstance(decision, Admission)]


def _rejected(decisions: Decisions) -> list[tuple[Any, ...]]:
    """See `Admitted.rejected`."""
    return [
        (row.id, row.workflow or row.job, row.trigger_type, decision)
        for row, decision in decisions
        if isinstance(decision, Refused)
    ]


def admission_of(
    tx: Tx,
    request: Request,
    plan: Plan,
    known: RegisteredJobs,
    calendars: CalendarBooks,
    default_pool: str | None,
    limits: Limits | None = None,
) -> Admission:
    """The admission of a request, with the jobs of its plan and the instant of its schedule, if one fired it.

    `default_pool`: of its domain. `limits`: of all tasks of its tenant.

    Raises: Refused.
    """
    jobs = {job: known.get(tx, job) for job in {group.job for group in plan.task_groups if group.job}}
    fire = tx.one("fire_of_submission", id=request.id) if request.trigger_type == "cron" else None
    calendars.refresh(tx)
    about = (fire.name, fire.fire_at) if fire else None
    admission = admit_request(request, plan, jobs, default_pool, about, limits, calendars.of(request.tenant))
    check_limits(tx, admission)
    return replace(admission, is_by_session=True) if fire and fire.session_time else admission


def _why_no_job(tx: Tx, job: str) -> str:
    faulty = [row.file for row in tx.run("list_faulty_plugins")]
    hint = f"`qflowd plugins` says more{PLUGIN_FILES}{', '.join(faulty)}" if faulty else "is its plugin file in place?"
    return why_no_such_job(tx, job, hint)


def _not_active(tx: Tx, request: Request, definition: Any) -> Refused:
    workflow = str(request.workflow)
    if (fault := tx.one("find_workflow_fault", workflow=workflow)) is not None:
        return Refused(f"workflow {workflow!r}{WORKFLOW_FILE}{fault.error}")
    return no_such_workflow(tx, request.tenant, workflow) if definition is None else no_active_version(workflow)


def answer(number: int, decision: Admission | int | Refused) -> tuple[Any, ...]:
    """The row of `answer_submissions` for a submission."""
    if isinstance(decision, Refused):
        error = jsontext.clean_text(str(decision))[:LONGEST_ERROR]
        return number, AnswerState.REJECTED.name, None, error, int(decision.why)
    instance_id = decision if isinstance(decision, int) else decision.request.id
    return number, AnswerState.ACCEPTED.name, instance_id, None, None

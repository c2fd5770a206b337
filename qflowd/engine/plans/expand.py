"""From a request and a plan to the rows of an instance. Pure: what is inserted is decided here, not how."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from qflowd.calendars.calendar_book import BUNDLED, Calendars
from qflowd.define.expressions import Template
from qflowd.define.language import CALENDARS, OWN_CALENDAR
from qflowd.define.rows import Override
from qflowd.define.schema import schema_of_some
from qflowd.engine.caches import LaneKey
from qflowd.engine.plans import lane_keys
from qflowd.engine.plans.fallbacks import Fallback
from qflowd.engine.plans.plan import Plan, TaskGroup, effective
from qflowd.engine.refusal import Refused, UnfitParams
from qflowd.engine.request import NO_OVERRIDE, Request
from qflowd.model import jsontext, rules
from qflowd.model.errors import ExpressionFailed
from qflowd.model.ids import task_id
from qflowd.model.instants import format_instant
from qflowd.model.limits import Limits
from qflowd.model.refusals import Refusal
from qflowd.model.states import InstanceState, TaskKind, TaskState
from qflowd.model.workflow import WAIT_POOL, Job, Json, Settings, Workflow

MOST_URGENT: Final = 2000  # priority of a row, either way: at most that of a submission and of a task together


@dataclass(frozen=True, slots=True)
class Cohort:
    """Tasks of an instance whose rows differ by nothing but their ordinals."""

    ordinals: Sequence[int]
    lane: LaneKey
    priority: int  # stored negated: the smallest is claimed first
    start: rules.Counters
    kind: TaskKind
    own_pool: str = ""  # of tasks that wait for a fact first: that of their lane then


@dataclass(frozen=True, slots=True)
class Admission:
    """A request that will run: its plan, its full parameters, and all tasks of the plan in cohorts.

    `concurrency_key`: by which its workflow's instances take turns; `is_queued`: it waits for its turn.
    """

    request: Request
    plan: Plan
    params: dict[str, Json]
    cohorts: Sequence[Cohort]
    default_pool: str | None = None  # of tasks that name none; None: the built-in one
    schedule: str | None = None
    fire_at: datetime | None = None
    is_by_session: bool = False  # the schedule fires once a session
    date_from: int | None = None  # the instance that has left it its business date
    concurrency_key: str | None = None
    is_queued: bool = False
    limits: Limits | None = None  # that all its tasks take a slot of: its tenant's
    is_metered: bool = False  # its tenant has walls, so it is counted
    calendars: Calendars = BUNDLED  # its tenant's

    @property
    def waits(self) -> bool:
        """It has no task rows before it is resumed, or its turn comes."""
        return self.request.hold or self.is_queued

    @property
    def lanes(self) -> set[LaneKey]:
        return {cohort.lane for cohort in self.cohorts}

    def ready(self, now: datetime) -> Sequence[Cohort]:
        """The tasks that may begin at once: the roots, unless there is a later `run_at`."""
        if self.request.run_at is not None and self.request.run_at > now:
            return ()
        return [cohort for cohort in self.cohorts if not cohort.start.open_parents]


def admit_request(
    request: Request,
    plan: Plan,
    jobs: Mapping[str, Job | None],
    default_pool: str | None = None,
    fire: tuple[str, datetime] | None = None,
    limits: Limits | None = None,
    calendars: Calendars = BUNDLED,
) -> Admission:
    """Check what is asked against the plan and fill in defaults.

    `default_pool`: of the workflow's domain. `fire`: the schedule that has submitted it, and its instant. `limits`: of all
    tasks of its tenant. `calendars`: its tenant's.

    Raises: Refused if params do not fit, or an override.
    """
    _check_overrides(request.overrides, plan, jobs)
    schedule, fire_at = fire or (None, None)
    about = instance_scope(request, plan.workflow, fire_at, calendars)
    params = _params(request, plan, jobs, about)
    scope = about | {"params": params}
    cohorts = _cohorts(request, plan, jobs, Settings(pool=default_pool, limits=limits), scope)
    return Admission(
        request, plan, params, cohorts, default_pool, schedule, fire_at, limits=limits, calendars=calendars
    )


def _check_overrides(overrides: Mapping[str, Override], plan: Plan, jobs: Mapping[str, Job | None]) -> None:
    """Raises: Refused for tasks that the plan does not have, and for params that do not fit a job that is known."""
    if unknown := sorted(overrides.keys() - plan.by_key.keys()):
        parts = [key for key in unknown if key.partition("[")[0] in plan.by_key]
        if parts:
            raise Refused(
                f"overrides: {parts[0]!r} is a part of task {parts[0].partition('[')[0]}; overrides are of whole tasks: those of "
                "a map hold for all its items, and what a task spawns has the settings and params of the call",
                Refusal.FAULTY,
            )
        raise Refused(
            f"overrides: no task {', '.join(map(repr, unknown))}; there are {', '.join(sorted(plan.by_key)[:20])}",
            Refusal.FAULTY,
        )
    for key, override in overrides.items():
        task = plan.by_key[key].task
        if task.workflow and override.settings != Settings(priority=override.settings.priority):
            raise Refused(
                f"overrides: task {key} starts a workflow; only its params and priority can be overridden",
                Refusal.FAULTY,
            )
        if task.only_waits and (override.params or override.settings != Settings(priority=override.settings.priority)):
            raise Refused(f"overrides: task {key} only waits; only its priority can be overridden", Refusal.FAULTY)
        if override.params and (job := jobs.get(task.job)):
            schema = schema_of_some(job.params_schema)
            if faults := schema.faults(schema.coerce(override.params)):
                raise UnfitParams(f"overrides.tasks.{key}.params", faults)


def _cohorts(
    request: Request, plan: Plan, jobs: Mapping[str, Job | None], outer: Settings, scope: Mapping[str, Json]
) -> list[Cohort]:
    overrides = {plan.by_key[key].ordinal: override for key, override in request.overrides.items()}
    cohorts = []
    for group in plan.task_groups:
        for ordinals, override in _split(group.ordinals, overrides):
            job = jobs.get(group.job)
            settings = effective(group, override.settings, job, outer)
            lane = LaneKey(
                request.tenant, str(settings.pool), group.job or group.workflow, _limits(group, settings, scope)
            )
            if group.job and job is None:  # it may have limits, a pool and a priority of its own
                lane = lane_keys.of_unknown_job(lane)
            priority = stored_priority(request.priority + (settings.priority or 0))
            own_pool = lane.pool if group.waits else ""
            if group.waits:
                lane = lane._replace(pool=WAIT_POOL)
            cohorts.append(Cohort(ordinals, lane, priority, group.start, group.kind, own_pool))
    return cohorts


def stored_priority(wanted: int) -> int:
    """The priority of a row: negated, so that the most urgent row comes first in its lane."""
    return -max(-MOST_URGENT, min(MOST_URGENT, wanted))


def _limits(group: TaskGroup, settings: Settings, scope: Mapping[str, Json]) -> str:
    """The limits of tasks as part of their lane. Raises: Refused."""
    if not group.job:  # nobody claims these: what they start takes slots itself, and a wait takes none
        return ""
    limits = lane_keys.of_task(settings.limits, group.fallback, is_map=group.kind is TaskKind.HEAD)
    try:
        return lane_keys.rendered(limits, scope, has_fallback=group.fallback is Fallback.TASK)
    except ExpressionFailed as error:
        raise Refused(str(error), Refusal.EXPRESSION) from None


def _split(ordinals: Sequence[int], overrides: Mapping[int, Override]) -> Iterator[tuple[Sequence[int], Override]]:
    """Those that a submission overrides one by one, the others together."""
    if overrides:
        yield from (([i], overrides[i]) for i in ordinals if i in overrides)
        ordinals = [i for i in ordinals if i not in overrides]
    if ordinals:
        yield ordinals, NO_OVERRIDE


def instance_scope(row: Any, workflow: Workflow, fire_at: datetime | None, calendars: Calendars) -> dict[str, Any]:
    """What expressions may ask of an instance. `row`: of `load_instances`, or the Request that will be one."""
    return {
        "instance": {
            "id": row.id,
            "name": row.name or workflow.key,
            "workflow": workflow.key,
            "created_at": format_instant(row.created_at),
            "tenant": row.tenant,
        },
        "business_date": None if row.business_date is None else str(row.business_date),
        "fire_at": None if fire_at is None else format_instant(fire_at),
        OWN_CALENDAR: workflow.calendar,
        CALENDARS: calendars,
    }


def _params(request: Request, plan: Plan, jobs: Mapping[str, Job | None], about: Mapping[str, Any]) -> dict[str, Json]:
    params = request.params
    if missing := plan.defaults.keys() - params.keys():
        scope = {**about, "params": params}
        params = {name: _default(name, plan.defaults[name], scope) for name in missing} | params
    schema = plan.schema(jobs.get(request.target))
    coerced = schema.coerce(params)
    if faults := schema.faults(coerced):
        raise UnfitParams("params", faults)
    return dict(coerced)


def _default(name: str, template: Template, scope: dict[str, Json]) -> Json:
    try:
        return template.render(scope)
    except ExpressionFailed as error:
        raise Refused(f"params: the default of {name} cannot be evaluated: {error}", Refusal.EXPRESSION) from None


def instance_row(admission: Admission, now: datetime) -> tuple[Any, ...]:
    """The row of `insert_instances`, in its order of columns."""
    request, plan = admission.request, admission.plan
    timeout_s = plan.workflow.timeout
    return (
        request.id,
        request.tenant,
        plan.version_id,
        request.job,
        request.name,
        int(InstanceState.READY if admission.waits else InstanceState.RUNNING),
        plan.closers,
        len(plan.tasks),
        request.priority,
        None if request.business_date is None else str(request.business_date),
        request.trigger_type,
        admission.schedule,
        admission.fire_at,
        jsontext.dump(admission.params),
        request.overrides_text,
        None if timeout_s is None or admission.waits else now + timedelta(seconds=timeout_s),
        request.created_at,
        None if admission.waits else now,
        admission.concurrency_key,
        admission.default_pool,
        1 if admission.is_metered else None,
    )


def task_rows(admission: Admission, lane_ids: Mapping[LaneKey, int], now: datetime) -> Iterable[tuple[Any, ...]]:
    """The rows of `insert_tasks`, one a cohort."""
    ready = admission.ready(now)
    for cohort in admission.cohorts:
        open_parents, need = cohort.start
        is_ready = bool(ready) and not open_parents
        state = TaskState.READY if is_ready else TaskState.PENDING
        yield (
            task_id(admission.request.id, 0),
            jsontext.dump(cohort.ordinals),
            int(cohort.kind),
            int(state),
            lane_ids[cohort.lane],
            cohort.priority,
            open_parents,
            need,
            now if is_ready else None,
        )

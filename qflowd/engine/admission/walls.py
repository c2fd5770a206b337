"""Walls: what quotas of tenants let in. A tenant without a row of `tenant` has none, and nothing is asked for it.

What is counted is counted under the lock of the tenant's row, so two daemons never let in more together than one may.
Nothing is counted that could drift: open instances are counted where they are, and the number of submissions of a day moves in
the transaction that accepts them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from qflowd.engine.caches import LaneKey
from qflowd.engine.plans.expand import Admission
from qflowd.engine.plans.plan import Plan
from qflowd.engine.refusal import OverQuota
from qflowd.model import jsontext
from qflowd.model.limits import UNSETTLED, Limits
from qflowd.model.quotas import COUNTED, KILOBYTE, PATTERNS, Value, allows, limit_of, load_value
from qflowd.model.refusals import Refusal
from qflowd.model.workflow import BUILT_IN, NO_POOL, WAIT_POOL, Job
from qflowd.store.tx import Tx

ACTIVE: Final = "ACTIVE"
FindJob = Callable[[str], Job | None]


@dataclass(slots=True)
class Wall:
    """What one tenant may do now. `room`: by counted quota, (value, how many are there already)."""

    tenant: str
    state: str = ACTIVE
    quotas: Mapping[str, Value] = field(default_factory=dict)
    room: dict[str, tuple[int, int]] = field(default_factory=dict)
    accepted_before: int = 0  # today, by transactions before this one
    accepted: int = 0

    @property
    def limits(self) -> Limits | None:
        """What each of its tasks takes a slot of."""
        return ((limit_of(self.tenant), 1),) if "running_tasks" in self.quotas else None

    def check(self, admission: Admission, find_job: FindJob) -> None:
        """What follows from the submission and its plan alone. Raises: OverQuota."""
        if self.state != ACTIVE:
            raise _suspended(self.tenant, self.state)
        if not self.quotas:
            return
        self._check_params(admission)
        jobs = set(_jobs_of(admission.plan, find_job))
        if "allowed_jobs" in self.quotas:
            for name in sorted(jobs):
                self.check_job(name)
        self._check_pools(admission, find_job)
        for cohort in admission.cohorts:
            self.check_priority(-cohort.priority)

    def check_job(self, name: str) -> None:
        """Raises: OverQuota where this job is none that the tenant may run."""
        if not allows(self._patterns("allowed_jobs"), name):
            raise self._over("allowed_jobs", f"job {name!r} is none of them", "use one of these")

    def check_pool(self, name: str) -> None:
        """Raises: OverQuota where this pool is none in which the tenant's tasks may run."""
        if name not in (NO_POOL, WAIT_POOL) and not allows(self._patterns("allowed_pools"), name):
            raise self._over("allowed_pools", f"pool {name!r} is none of them", "name one of these as `pool`")

    def check_priority(self, priority: int) -> None:
        """`priority`: of a row, greater is sooner. Raises: OverQuota."""
        most = self.quotas.get("priority_max")
        if isinstance(most, int) and priority > most:
            raise self._over("priority_max", f"a task would have {priority}", "submit it with a lower priority")

    def check_task(self, lane: LaneKey, priority: int) -> None:
        """A task that is added to an instance that runs. Raises: OverQuota."""
        self.check_job(lane.job)
        self.check_pool(lane.pool)
        self.check_priority(priority)

    def take(self) -> None:
        """One more submission is accepted. Raises: OverQuota if there is no room for it."""
        for name, (value, used) in self.room.items():
            if used + self.accepted >= value:
                raise self._over(name, f"{used + self.accepted:,} {_COUNTED_AS[name]}", _REMEDIES[name])
        self.accepted += 1

    def give_back(self) -> None:
        """One that was taken is not accepted after all."""
        self.accepted -= 1

    def note_logged(self, log_mb: float) -> None:
        """So many MB of log lines are in the usage of today. Raises: OverQuota where that is all it may have."""
        most = self.quotas.get("log_mb_per_day")
        if isinstance(most, int) and log_mb >= most:
            self.room["log_mb_per_day"] = most, int(log_mb)

    def _check_params(self, admission: Admission) -> None:
        most = self.quotas.get("params_kb")
        if isinstance(most, int) and (size := len(jsontext.dump(admission.params).encode())) > most * KILOBYTE:
            raise self._over(
                "params_kb", f"these params have {size / KILOBYTE:,.1f} KB", "pass a path or a key instead"
            )

    def _check_pools(self, admission: Admission, find_job: FindJob) -> None:
        if "allowed_pools" not in self.quotas and "priority_max" not in self.quotas:
            return
        for cohort in admission.cohorts:
            if cohort.lane.limits.startswith(UNSETTLED):  # the job may ask for a pool or priority of its own
                raise self._over(
                    "allowed_pools" if "allowed_pools" in self.quotas else "priority_max",
                    f"what job {cohort.lane.job!r} asks for is not known, as no daemon has registered it",
                    "submit it again once one has",
                )
            self.check_pool(cohort.own_pool if cohort.lane.pool == WAIT_POOL else cohort.lane.pool)
        for name in {task.compensate for task in admission.plan.tasks if task.compensate}:
            job = find_job(name)
            self.check_pool((job and job.settings.pool) or admission.default_pool or str(BUILT_IN.pool))

    def _patterns(self, name: str) -> tuple[str, ...]:
        value = self.quotas.get(name, ("*",))
        return value if isinstance(value, tuple) else ("*",)

    def _over(self, name: str, use: str, remedy: str) -> OverQuota:
        value = self.quotas[name]
        shown = f"{value:,}" if isinstance(value, int) else ", ".join(value)
        return OverQuota(
            f"quota {name} of tenant {self.tenant} is {shown}; {use}. {remedy[0].upper()}{remedy[1:]}, or have it "
            f"changed: `qflowd tenants quota {self.tenant} {name}=…`",
            Refusal.NOT_ALLOWED if name in PATTERNS else Refusal.QUOTA,
        )


_COUNTED_AS: Final = {
    "open_instances": "are open",
    "submissions_per_day": "were accepted today (UTC)",
    "log_mb_per_day": "MB were written by what has ended today (UTC)",
}
_REMEDIES: Final = {
    "open_instances": "wait until some have ended, or terminate some",
    "submissions_per_day": "submit it again tomorrow",
    "log_mb_per_day": "submit it again tomorrow",
}


Known = tuple[int, str, Mapping[str, Value]]  # revision, state, quotas


class Walls:
    """Knows the quotas of tenants. Safe to use from several threads: what it remembers is replaced whole."""

    def __init__(self) -> None:
        self._known: Mapping[str, Known] = {}  # by tenant

    def locked(self, tx: Tx, rows: Iterable[Any]) -> dict[str, Wall]:
        """The walls of the tenants of these submissions (rows of `take_submissions`), by tenant; what is counted is locked.

        No statement is run where none of the tenants has a row.
        """
        revisions = {row.tenant: row.tenant_revision for row in rows if row.tenant_revision is not None}
        if not revisions:
            return {}
        known = self._learn(tx, revisions)
        walls = {tenant: _wall(known, tenant) for tenant in revisions}
        if counted := sorted(tenant for tenant, wall in walls.items() if not COUNTED.isdisjoint(wall.quotas)):
            locked = {row.name: row for row in tx.run("lock_tenants", rows=[(name,) for name in counted])}
            known = self._learn(tx, {name: row.revision for name, row in locked.items()})
            walls |= {name: _wall(known, name) for name in locked}
            _count(tx, walls, locked)
        _note_logged(tx, walls.values())
        return walls

    def look(self, tx: Tx, tenant: str) -> Wall | None:
        """The wall of a tenant as it is now, without a lock, so that it may be another one in a moment. None: it has none."""
        row = tx.one("load_tenants", rows=[(tenant,)])
        if row is None:
            return None
        wall = _wall(self._learn(tx, {tenant: row.revision}), tenant)
        _note_logged(tx, [wall])
        return wall

    def known(self, tx: Tx, tenant: str, revision: int | None) -> Wall | None:
        """The wall of a tenant whose row has this revision; nothing is counted. None: it has no row."""
        if revision is None:
            return None
        return _wall(self._learn(tx, {tenant: revision}), tenant)

    def _learn(self, tx: Tx, revisions: Mapping[str, int]) -> Mapping[str, Known]:
        """Read the quotas of tenants that have another revision than what is known of them; what is known then.

        Two threads admit: what one of them has learned, the other may have replaced by what it knows itself.
        """
        known = self._known
        stale = sorted(name for name, revision in revisions.items() if name not in known or known[name][0] != revision)
        if not stale:
            return known
        names = [(name,) for name in stale]
        # Revisions first: quotas that are newer than theirs are read again, older ones would be kept for ever.
        states = {row.name: (row.revision, row.state) for row in tx.run("load_tenants", rows=names)}
        quotas: dict[str, dict[str, Value]] = {name: {} for name in stale}
        for row in tx.run("load_quotas", rows=names):
            quotas[row.tenant][row.name] = load_value(row.value)
        # One that was deleted since has no walls any more.
        fresh = {name: (*states.get(name, (revisions[name], ACTIVE)), quotas[name]) for name in stale}
        self._known = known = {**known, **fresh}
        return known


def refuse_suspended(tx: Tx, tenant: str) -> None:
    """May a tenant let begin what it holds, or open again what has ended? Raises: OverQuota."""
    row = tx.one("load_tenants", rows=[(tenant,)])
    if row is not None and row.state != ACTIVE:
        raise _suspended(tenant, row.state)


def _suspended(tenant: str, state: str) -> OverQuota:
    return OverQuota(
        f"tenant {tenant} is {state}: it starts nothing until an administrator lets it: "
        f"`qflowd tenants set {tenant} --active`"
    )


def _wall(known: Mapping[str, Known], tenant: str) -> Wall:
    _, state, quotas = known[tenant]
    return Wall(tenant, state, quotas)


def _count(tx: Tx, walls: Mapping[str, Wall], locked: Mapping[str, Any]) -> None:
    """Count what is there of the counted quotas of locked tenants."""
    limited = [(name,) for name in sorted(locked) if "open_instances" in walls[name].quotas]
    is_open = {row.name: int(row.instances) for row in tx.run("count_open_of_tenants", rows=limited)} if limited else {}
    today = str(tx.now.date())
    for name, row in locked.items():
        wall, quotas = walls[name], walls[name].quotas
        wall.accepted_before = int(row.submissions) if str(row.counted_day) == today else 0
        there = {"open_instances": is_open.get(name, 0), "submissions_per_day": wall.accepted_before}
        wall.room |= {
            quota: (value, there[quota]) for quota in sorted(COUNTED) if isinstance(value := quotas.get(quota), int)
        }


def _note_logged(tx: Tx, walls: Iterable[Wall]) -> None:
    for wall in walls:
        if "log_mb_per_day" in wall.quotas:
            wall.note_logged(tx.one("sum_logged", tenant=wall.tenant, day=str(tx.now.date())).log_mb)


def note_accepted(tx: Tx, walls: Mapping[str, Wall]) -> None:
    """Write how many submissions were accepted today, of the tenants for which that is counted."""
    today = str(tx.now.date())
    rows = [
        (name, today, wall.accepted_before + wall.accepted)
        for name, wall in sorted(walls.items())
        if wall.accepted and not COUNTED.isdisjoint(wall.quotas)
    ]
    if rows:
        tx.run("note_accepted", rows=rows)


def _jobs_of(plan: Plan, find_job: FindJob) -> Iterator[str]:
    """All jobs that tasks of a plan run, and those that undo them."""
    for task in plan.tasks:
        if task.job:
            yield task.job
            job = find_job(task.job)
            if undone_by := task.compensate or getattr(job, "compensation", ""):
                yield undone_by

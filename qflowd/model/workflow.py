"""The workflow as frozen values: what a file or a builder says, nothing about how it is run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from qflowd.model.limits import Limits, merged

Json = Any  # JSON value: None, bool, int, float, str, list, dict with text keys

Backoff = Literal["fixed", "exponential"]
Retry = Literal["automatic", "manual"]
TriggerRule = Literal["all_success", "all_done", "any_success", "none_failed", "always"]
OnFailure = Literal["fail", "continue"]

ONLY_SCHEDULE: Final = "cron"  # the name of a schedule without one


class _Record(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """As a version is stored: without defaults, and never with fields that this release does not know."""


class Settings(_Record, frozen=True):
    """How a task is run. None: not set here, the next outer level decides.

    Levels, innermost first: overrides of a submission, task, `defaults:` of the workflow, `@job`, built-in.
    Seconds are floats above 0; memory is in bytes; greater priority is sooner (-1000 to 1000).
    """

    pool: str | None = None
    timeout: float | None = None
    retries: int | None = None  # attempts after the first, 0 to 1000
    retry_delay: float | None = None
    backoff: Backoff | None = None
    retry_max_delay: float | None = None
    jitter: float | None = None  # share of the delay, 0 to 1
    priority: int | None = None
    memory: int | None = None
    limits: Limits | None = None  # of all levels together
    retry: Retry | None = None  # manual: when its last attempt has failed, it waits for a person

    def over(self, outer: "Settings") -> "Settings":
        """These settings, with gaps filled from `outer`."""
        return _merged(self, outer)


@lru_cache(maxsize=4096)  # asked for every row, of a handful of different settings
def _merged(inner: Settings, outer: Settings) -> Settings:
    missing = {name: getattr(outer, name) for name in inner.__struct_fields__ if getattr(inner, name) is None}
    if inner.limits and outer.limits:
        missing["limits"] = merged(inner.limits, outer.limits)
    return msgspec.structs.replace(inner, **missing)


NO_POOL = ""  # of tasks that take no worker slot: they start instances of other workflows
WAIT_POOL = "(wait)"  # of tasks that are about to wait for a fact; no key of a pool has brackets
BUILT_IN = Settings(
    pool="default",
    retries=0,
    retry_delay=10.0,
    backoff="fixed",
    retry_max_delay=600.0,
    jitter=0.1,
    priority=0,
)


MAX_SPAWN, MOST_SPAWNED = 1000, 100_000  # tasks that one attempt may spawn: as it is, and at most


class Edge(_Record, frozen=True):
    """`parent` must end before the task that holds this edge; `condition` (text of an expression) must then hold.

    `each`: both are maps of one list, and each item waits only for the same item of `parent`. `on`: it holds only where
    `parent` did not run because the breaker of a limit that it needs was open.
    """

    parent: str
    condition: str | None = None
    each: bool = False
    on: Literal["breaker_open"] | None = None


class Tolerance(_Record, frozen=True):
    """How many items of a map may fail: a share of `fail_pct` percent, and `min_ok` must not. None: no such rule."""

    fail_pct: float | None = None
    min_ok: int | None = None


class WaitFor(_Record, frozen=True):
    """What a task waits for before it may be claimed.

    One of `signal`, `workflow`, `dataset`, `delay`, `until`, `approval`, `file` and `sql` is given. All but `sql` and its
    `connection` may hold `{{ … }}`. `business_date`: for which the workflow is to have succeeded, "" for that of the instance.
    `timeout`: of a signal, a workflow, a dataset, a file or a query, and `deadline`, of an approval: a duration or an instant.
    `on_timeout`: what then becomes of the task; `default`: the answer that nobody gave. `stable`: how long each file must have
    stood still; `ok`: the suffix of a file that must stand beside each; `checksum`: the same of one that says its digest, such as
    `.sha256`; `at_least`: how many files, 1 to 1,000. `params`: the values that a query names, and `every`: the time between two looks.
    """

    signal: str = ""
    workflow: str = ""
    business_date: str = ""
    dataset: str = ""
    delay: str = ""
    until: str = ""
    approval: str = ""
    file: str = ""
    stable: str = "5s"
    ok: str = ""
    checksum: str = ""
    at_least: int = 1
    sql: str = ""
    connection: str = ""
    params: Mapping[str, Json] | None = None
    every: str = "30s"
    timeout: str = ""
    on_timeout: Literal["fail", "skip", "continue"] = "fail"
    deadline: str = ""
    default: Literal["approve", "reject"] = "reject"


class Task(_Record, frozen=True):
    """A node of the workflow. `params` None: workflow params of the same names as the job's parameters.

    `trigger_rule`: which ends of the tasks before it let it run (`model/rules.py`). `when`: the text of an expression that
    must hold as well, when they have. `on_failure`: does its failure fail the instance, or do the tasks behind it continue?
    `map`: a list, or the text of an expression that gives one; the job runs once for each item, or for each `chunk` items.
    `task`: the task definition that it is made of; in a stored version that has been done, in a document `job` may be empty.
    """

    key: str
    job: str
    title: str = ""
    after: tuple[Edge, ...] = ()
    params: Mapping[str, Json] | None = None
    settings: Settings = Settings()
    trigger_rule: TriggerRule = "all_success"
    when: str | None = None
    map: Json = None
    chunk: int | None = None
    max_parallel: int | None = None  # items that are open at a time
    max_spawn: int | None = None  # tasks that one attempt may spawn; None: MAX_SPAWN
    label: str | None = None  # what people call an item, with expressions
    tolerate: Tolerance | None = None
    on_failure: OnFailure = "fail"
    compensate: str = ""  # the job that undoes it; empty: the one that its own job names, if any
    compensate_on: Literal["start", "success"] = "start"  # what it must have come to, to be undone
    run_on: Literal["terminate"] | None = None  # it runs once when the instance is terminated, too
    task: str = ""
    workflow: str = ""  # in place of a job: the workflow that it starts an instance of
    wait_for: WaitFor | None = None  # before it may be claimed; in place of a job: all that it does
    produces: str = ""  # the dataset of which its success is a new version; behind `@` with expressions

    @property
    def only_waits(self) -> bool:
        """It does nothing but wait."""
        return self.wait_for is not None and not (self.job or self.task or self.workflow)


class Schedule(_Record, frozen=True):
    """When a workflow fires by itself: by a `cron` expression, or `at` a time of each session, such as `close+30m`.

    `calendar`: the calendar whose sessions it is for; with `cron`, what belongs to none does not fire. `days`: only these
    sessions, such as `last session of month`. `window`: of a cron expression only what lies in these times of day.
    `catchup`: what to do with instants missed while no daemon ran: `none`, `last`, or `all` of the
    latest `catchup_limit`. `params`: of the instances that it submits; others have their defaults. `start_on`: the fact,
    kind and name, that submits one in place of a time, such as the success of a workflow.
    """

    cron: str = ""
    timezone: str = "UTC"
    catchup: Literal["none", "last", "all"] = "none"
    catchup_limit: int = 0
    enabled: bool = True
    calendar: str = ""
    at: str = ""
    days: str = ""
    window: str = ""
    params: Mapping[str, Json] | None = None
    start_on: Mapping[str, str] | None = None


Overlap = Literal["parallel", "sequential", "singleton(skip)", "singleton(replace)", "singleton(queue)"]


class Concurrency(_Record, frozen=True):
    """How many instances of a workflow run at once, and what becomes of one more.

    `policy`: `parallel` and `sequential` have it wait for its turn; `singleton(skip)` refuses it; `singleton(replace)`
    terminates the one that runs; `singleton(queue)` has one wait and refuses others. `max`: at once, of `parallel` alone.
    `keyed`: text of an expression; instances take turns with those for which it has the same value.
    """

    policy: Overlap = "sequential"
    max: int | None = None
    keyed: str | None = None

    @property
    def most(self) -> int:
        """How many instances run at once."""
        return self.max or 1


class Saga(_Record, frozen=True):
    """How a failed instance is undone. `order`: each task before those it depended on, side by side or one at a time."""

    name: str = ""
    retries: int | None = None  # of every compensation; None: its own job decides
    order: Literal["reverse", "serial"] = "reverse"


class Workflow(_Record, frozen=True):
    """A named template. Tasks stand in the order in which they were written."""

    key: str
    tasks: tuple[Task, ...]
    title: str = ""
    description: str = ""
    domain: str = ""
    type: str = ""
    tags: tuple[str, ...] = ()
    enabled: bool = True
    params: Mapping[str, Json] | None = None  # name -> JSON Schema with an optional `default`; None: anything goes
    defaults: Settings = Settings()
    schedule: Schedule | None = None  # the only one, without a name
    schedules: Mapping[str, Schedule] = {}  # by their names; one of the two is given
    calendar: str = ""  # that its expressions ask for sessions; empty: they name one themselves
    allow_duplicates: bool = False  # any number of instances for a business date
    expect_by: str = ""  # by when the run for a business date is to have succeeded, such as `close+2h`
    deadline: str = ""  # at which the run for a business date is stopped, written in the same way
    timeout: float | None = None  # of a whole instance, seconds
    concurrency: Concurrency | None = None  # None: any number of instances at once
    saga: Saga | None = None  # None: what its tasks did stays when it fails
    outputs: Mapping[str, Json] | None = None  # what a task that starts it returns: name -> value with expressions

    @property
    def named_schedules(self) -> Mapping[str, Schedule]:
        """All of its schedules by their names; that of `schedule` is called `cron`."""
        return self.schedules if self.schedule is None else {ONLY_SCHEDULE: self.schedule}


@dataclass(frozen=True, slots=True)
class Job:
    """A registered job, as far as the daemon needs to know it; the function itself lives in workers."""

    name: str
    module: str  # that the worker imports to find it
    file: str
    hash: str  # SHA-256 of the file, hex
    title: str = ""
    doc: str = ""
    params_schema: Mapping[str, Json] = field(default_factory=dict)  # JSON Schema of an object
    settings: Settings = Settings()  # noqa: RUF009 - frozen
    compensation: str = ""  # the job that undoes what this one did; empty: none

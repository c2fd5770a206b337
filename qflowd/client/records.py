"""What the client hands out: frozen records of instances, tasks, attempts and log lines, equal on all databases."""

import functools
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from operator import attrgetter
from typing import Any, Final, TypeVar, cast

from qflowd.model import jsontext
from qflowd.model.names import item_name, shown_name
from qflowd.model.workflow import Json

T = TypeVar("T")

DATES: Final = ("business_date", "day", "first_date", "last_date")  # columns of views
LARGEST_VALUE: Final = 64 << 20  # bytes; what is in the database has passed the engine's own limits


@dataclass(frozen=True, slots=True)
class InstanceInfo:
    """One row of the view `instances`. Instants are UTC; `progress` goes from 0.0 to 1.0."""

    id: int
    tenant: str
    workflow: str | None  # None: a job submitted by itself
    version: int | None
    name: str
    state: str
    reason: str | None
    saga_state: str
    trigger_type: str
    business_date: date | None
    priority: int
    params: Json
    progress: float
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    updated_at: datetime
    duration_s: float | None
    error: str | None
    wait_reason: str | None
    parent_instance_id: int | None  # where a task of another instance has started it
    parent_task_id: int | None
    backfill_id: int | None  # that it is of
    late_at: datetime | None  # by when a good run for its business date was expected; None where it is not late


@dataclass(frozen=True, slots=True)
class TaskInfo:
    """One row of the view `tasks`. `output` is None where it is too large to be inline; ask `Instance.output(task)`."""

    id: int
    instance_id: int
    workflow: str | None
    task: str
    map_index: int | None
    kind: str
    job: str
    pool: str
    state: str
    reason: str | None
    attempt: int
    params: Json  # the task's own text, where the rendered ones are not kept
    output: Json
    error: str | None
    daemon: str | None
    created_at: datetime
    ready_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    wait_reason: str | None
    tenant: str
    progress: float | None  # 0.0 to 1.0, where the job told done and total by `context().progress()`
    progress_done: float | None
    progress_total: float | None
    progress_text: str | None
    label: str | None  # of an item of a map
    child_instance_id: int | None  # the instance that a task with `workflow: NAME` has started

    @property
    def name(self) -> str:
        """The task's key, with the label or the index of an item: `bars[AAPL]`, `bars[17]`."""
        return item_name(self)


@dataclass(frozen=True, slots=True)
class BreakpointInfo:
    """One row of the view `breakpoints`: where one task of an instance stands.

    A map counts its items: `total` is `done` (SUCCESS or SKIPPED) + `failed` + `running` + `waiting`.
    """

    id: int
    instance_id: int
    workflow: str | None
    task: str
    kind: str
    job: str
    state: str
    total: int
    done: int
    failed: int  # or not run because of others that failed, or cancelled
    running: int
    waiting: int
    would_start: int  # of those that wait: how many need only a free slot once nothing is paused
    progress: float
    wait_reason: str | None  # of the first that waits
    checkpoints: int  # how many that have not ended have saved one
    checkpoint: Json  # of the first of them
    tenant: str

    @property
    def name(self) -> str:
        """The key of the task; `undo bars` for what undoes it."""
        return f"undo {self.task}" if self.kind == "compensation" else self.task


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where an instance stands: what is done, what runs, what waits and why, and what would start if it were resumed.

    The counts are those of all its tasks. `tasks` lists at most 100, in topological order; of more, those that need
    looking at: that run, would start, failed, or wait.
    """

    instance_id: int
    state: str
    wait_reason: str | None
    progress: float
    total: int
    done: int
    failed: int
    running: int
    waiting: int
    would_start: int
    checkpoints: int
    tasks: list[BreakpointInfo]


@dataclass(frozen=True, slots=True)
class AttemptInfo:
    """One row of the view `attempts`: every attempt that did not succeed or ran longer than a second, and the last."""

    task_id: int
    instance_id: int
    task: str
    attempt: int
    fence: int
    state: str
    reason: str | None
    started_at: datetime | None
    finished_at: datetime | None
    duration_s: float | None
    cpu_s: float | None
    peak_memory_mb: float | None
    exit_signal: int | None
    code_hash: str | None
    daemon: str | None
    error: str | None
    traceback: str | None
    tenant: str
    map_index: int | None
    label: str | None

    @property
    def name(self) -> str:
        """As of `TaskInfo`."""
        return item_name(self)


@dataclass(frozen=True, slots=True)
class FailureInfo:
    """One row of the view `failures`: a task that failed, and that nobody has handled."""

    id: int
    instance_id: int
    workflow: str | None
    task: str
    map_index: int | None
    label: str | None
    kind: str
    business_date: date | None
    error_class: str  # the type of the exception where there was one, else one word such as timeout
    error: str | None
    attempts: int
    failed_at: datetime
    state: str
    instance_state: str
    trigger_type: str
    job: str
    fence: int
    tenant: str

    @property
    def name(self) -> str:
        """As of `TaskInfo`; of a compensation that failed: `undo bars[AAPL]`."""
        return shown_name(self)


@dataclass(frozen=True, slots=True)
class HandledFailureInfo(FailureInfo):
    """One row of the view `handled_failures`: what failed then, what its task is now, and what a person has said of it."""

    handled_at: datetime
    handled_by: str | None
    note: str


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line that a task wrote. `stream`: stdout, stderr or log; `level` and `logger` are set for the last."""

    id: int
    task_id: int
    instance_id: int
    task: str
    attempt: int
    at: datetime
    stream: str
    level: str | None
    logger: str | None
    message: str
    attributes: Json
    tenant: str
    map_index: int | None
    label: str | None

    @property
    def name(self) -> str:
        """As of `TaskInfo`."""
        return item_name(self)


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command: `state` is NEW (no daemon has answered yet) or DONE."""

    id: int
    action: str
    state: str
    result: Json


def records_of(kind: type[T], rows: Iterable[Any]) -> Iterator[T]:
    """Rows of a view as records. Columns that a newer server adds are left out."""
    values_of = attrgetter(*kind.__dataclass_fields__)  # type: ignore[attr-defined]
    return (kind(*values_of(row)) for row in rows)


def record_of(kind: type[T], row: Any) -> T:
    """As `records_of`, of one row."""
    return next(records_of(kind, [row]))


def from_json(text: str | None) -> Json:
    """The value that a JSON column holds; None where it is null; the string itself where it is not JSON."""
    if text is None:
        return None
    try:
        return jsontext.parse(text, largest=LARGEST_VALUE, deepest=1000)
    except ValueError:
        return text


def plain_row(row: Any) -> Any:
    """A row of a view with plain Python values. The databases differ: Decimals, dates as text, flags as numbers."""
    names = _converted(cast("Hashable", type(row)))
    return row._replace(**{name: CONVERTERS[name](getattr(row, name)) for name in names}) if names else row


@functools.cache
def _converted(kind: Any) -> frozenset[str]:
    """Worked out once for a statement: a list may read ten thousand rows of it."""
    return frozenset(CONVERTERS.keys() & kind._fields)


CONVERTERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    **dict.fromkeys(
        (
            "params",
            "output",
            "checkpoint",
            "attributes",
            "params_schema",
            "settings",
            "tags",
            "jobs",
            "result",
            "metadata",
            "payload",
        ),
        from_json,
    ),
    **dict.fromkeys(
        (
            "progress",
            "duration_s",
            "cpu_s",
            "peak_memory_mb",
            "memory_mb",
            "lease_s",
            "share",
            "canary_share",
            "remaining_s",
        ),
        lambda number: None if number is None else float(number),
    ),
    **dict.fromkeys(DATES, lambda day: date.fromisoformat(day) if isinstance(day, str) else day),
    **dict.fromkeys(("enabled", "is_latest", "is_stale", "only_missing"), bool),
}

"""Outcome: what becomes of a row after an attempt. Pure; `finish.py` writes it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from qflowd.model.durations import MB
from qflowd.model.instants import FOREVER
from qflowd.model.retry import retry_delay
from qflowd.model.states import Reason, TaskState
from qflowd.model.workflow import Settings
from qflowd.store.clock import to_microseconds

POISON_AFTER_CRASHES = 3
POISON_AFTER_LOSSES = 10  # of daemons, while they ran a task: it may be what kills the host
UNRUN = (Reason.MANUAL, Reason.BREAKER_OPEN)  # reasons of ends without an attempt
LONG_S = 1.0  # attempts that ran longer leave a row of their own


WRITTEN = 8  # columns of FinalRow that `finish_tasks` takes


class FinalRow(NamedTuple):
    """A row of `finish_tasks`, and what else its end is about. `started_us`: microseconds since 1970."""

    id: int
    fence: int
    state: int
    reason: int
    attempt: int
    code_id: int | None
    started_us: int | None
    output: str | None
    node: int
    kind: int = 0
    round: int = 0


class AttemptRow(NamedTuple):
    """A row of `insert_attempts`."""

    task_id: int
    fence: int
    attempt: int
    state: int
    reason: int
    started_at: datetime | None
    finished_at: datetime
    cpu_s: float | None = None
    peak_memory_mb: float | None = None
    exit_signal: int | None = None
    code_id: int | None = None
    error: str | None = None
    traceback: str | None = None


class Rearmed(NamedTuple):
    """A row that waits for a timer: a retry or a deferral. FOREVER: it has failed, and waits for a person."""

    id: int
    fence: int
    attempt: int
    reason: int
    due_at: datetime
    note: str | None = None  # why the task put itself off
    is_deferral: bool = False  # it had begun, and leaves no attempt


class Released(NamedTuple):
    """A row that goes back to its lane at once."""

    id: int
    fence: int
    solo: int
    crashed: int


@dataclass(frozen=True, slots=True)
class Ending:
    """How one attempt ended, as reported by the worker, by its exit, or by the daemon."""

    row: Any  # as it was before this attempt: a Claimed, or of `list_lost`
    code_id: int | None
    settings: Settings
    reason: Reason  # NONE: success
    ended_at: datetime
    started_at: datetime | None = None
    output: str | None = None
    error: str | None = None
    traceback: str | None = None
    cpu_s: float | None = None
    peak_memory: int | None = None
    exit_signal: int | None = None
    again_at: datetime | None = None  # asked for by the job: a deferral, or an error to be tried again then
    is_hopeless: bool = False  # another attempt would end alike
    is_noted: bool = False  # a success leaves a row of its own, however short it was

    @property
    def attempt(self) -> int:
        """The number of this attempt; of the last one, where this one was not made."""
        return int(self.row.attempt) + (self.reason not in UNRUN)


class Outcome(NamedTuple):
    """What to write: exactly one of `final`, `rearmed`, `released`, and perhaps a row about the attempt."""

    final: FinalRow | None = None
    rearmed: Rearmed | None = None
    released: Released | None = None
    attempt: AttemptRow | None = None


def outcome_of(ending: Ending, chance: Callable[[], float]) -> Outcome:
    """The rules of success, skip, deferral, retry, crash and poison."""
    if ending.again_at is not None and ending.reason is Reason.NONE:
        row = ending.row
        return Outcome(rearmed=Rearmed(row.id, row.fence, row.attempt, 0, ending.again_at, ending.error, True))
    if ending.reason is Reason.NONE:
        ran_s = (ending.ended_at - ending.started_at).total_seconds() if ending.started_at else 0.0
        final = _final(ending, TaskState.SUCCESS)
        is_noted = ending.is_noted or ran_s > LONG_S
        return Outcome(final=final, attempt=_attempt(ending, TaskState.SUCCESS) if is_noted else None)
    if ending.reason is Reason.SKIPPED or ending.reason in UNRUN:
        return Outcome(final=_final(ending, TaskState.SKIPPED), attempt=_attempt(ending, TaskState.SKIPPED))
    if ending.reason is Reason.TERMINATED:
        return Outcome(final=_final(ending, TaskState.CANCELLED), attempt=_attempt(ending, TaskState.CANCELLED))
    attempt = _attempt(ending, TaskState.FAILED)
    if ending.reason is Reason.LOST:
        # Work lost with its worker returns at once and costs no attempt, but a third crash is not an accident.
        if ending.row.crashes + 1 < POISON_AFTER_CRASHES:
            return Outcome(released=Released(ending.row.id, ending.row.fence, 1, 1), attempt=attempt)
        return _failed(replace(ending, reason=Reason.POISON))
    if ending.attempt <= (ending.settings.retries or 0) and not ending.is_hopeless:
        delay = timedelta(seconds=retry_delay(ending.settings, ending.attempt + 1, chance()))
        due_at = ending.again_at or ending.ended_at + delay
        rearmed = Rearmed(ending.row.id, ending.row.fence, ending.attempt, int(ending.reason), due_at)
        return Outcome(rearmed=rearmed, attempt=attempt)
    return _failed(ending)


def outcome_of_loss(ending: Ending, losses: int) -> Outcome:
    """The daemon was lost, `losses` times before as well. That is not a crash: restarts must not fail a long task."""
    if losses + 1 < POISON_AFTER_LOSSES:
        released = Released(ending.row.id, ending.row.fence, 1, 0)
        return Outcome(released=released, attempt=_attempt(ending, TaskState.FAILED))
    error = f"{ending.error}; it was lost {POISON_AFTER_LOSSES} times, and may be what kills its host"
    return _failed(replace(ending, reason=Reason.POISON, error=error))


def _failed(ending: Ending) -> Outcome:
    attempt = _attempt(ending, TaskState.FAILED)
    if ending.settings.retry == "manual":
        rearmed = Rearmed(ending.row.id, ending.row.fence, ending.attempt, int(ending.reason), FOREVER)
        return Outcome(rearmed=rearmed, attempt=attempt)
    return Outcome(final=_final(ending, TaskState.FAILED), attempt=attempt)


def _final(ending: Ending, state: TaskState) -> FinalRow:
    return FinalRow(
        ending.row.id,
        ending.row.fence,
        int(state),
        int(ending.reason),
        ending.attempt,
        ending.code_id,
        None if ending.started_at is None else to_microseconds(ending.started_at),
        ending.output,
        ending.row.node,
        ending.row.kind,
        ending.row.round,
    )


def _attempt(ending: Ending, state: TaskState) -> AttemptRow:
    return AttemptRow(
        ending.row.id,
        ending.row.fence,
        ending.attempt,
        int(state),
        int(ending.reason),
        ending.started_at,
        ending.ended_at,
        ending.cpu_s,
        None if ending.peak_memory is None else round(ending.peak_memory / MB, 1),
        ending.exit_signal,
        ending.code_id,
        ending.error,
        ending.traceback,
    )

"""A batch: what one group commit writes. Rows only; `finish.py` writes them."""

from collections.abc import Container
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from qflowd.engine.finishing.outcome import AttemptRow, FinalRow, Outcome, Rearmed, Released
from qflowd.engine.limits.breakers import AttemptEnd, BreakerChange
from qflowd.engine.limits.slots import Freed, Moved
from qflowd.engine.spawning.spawn import SpawnGrant, SpawnRequest
from qflowd.model.instants import FOREVER
from qflowd.model.states import Reason, TaskState
from qflowd.store.clock import from_microseconds


@dataclass(slots=True)
class Effects:
    """What has come of a batch, known once it is written."""

    unrun: list[Any] = field(default_factory=list)  # rows that have ended because of its own
    compensating: list[int] = field(default_factory=list)  # instances that are to be undone
    breakers: list[BreakerChange] = field(default_factory=list)
    locked_limits: frozenset[str] = frozenset()  # until the end of its transaction
    has_advanced: bool = False  # tasks behind its own may be ready now
    may_be_unclaimed: bool = (
        False  # among these may be some that no daemon claims: they start workflows, or wait for facts
    )

    def add(self, part: "Effects") -> None:
        """Add what has come of a part of the batch."""
        self.unrun += part.unrun
        self.compensating += part.compensating
        self.breakers += part.breakers
        self.locked_limits = part.locked_limits
        self.has_advanced |= part.has_advanced
        self.may_be_unclaimed |= part.may_be_unclaimed


@dataclass(slots=True)
class Batch:
    """What one group commit writes."""

    final: list[FinalRow] = field(default_factory=list)
    rearmed: list[Rearmed] = field(default_factory=list)
    released: list[Released] = field(default_factory=list)
    attempts: list[AttemptRow] = field(default_factory=list)
    running: list[tuple[int, int, Any]] = field(default_factory=list)
    progress: list[tuple[Any, ...]] = field(default_factory=list)
    checkpoints: list[tuple[int, int, str]] = field(default_factory=list)
    slots: list[Freed] = field(default_factory=list)
    moved: list[Moved] = field(default_factory=list)
    pauses: list[tuple[int, str, datetime, str | None]] = field(default_factory=list)  # task, limit, until, why
    attempt_ends: list[AttemptEnd] = field(default_factory=list)  # of which breakers are told
    spawn_requests: list[SpawnRequest] = field(default_factory=list)  # of tasks that succeeded, not checked yet
    spawn_grants: list[SpawnGrant] = field(default_factory=list)  # those that were checked
    effects: Effects = field(default_factory=Effects, init=False)

    def __bool__(self) -> bool:
        return any(self.rows())

    def topics(self) -> list[str]:
        """Those of the services that have something to do once it is written."""
        causes = {
            "timer": self.rearmed,
            "compensate": self.effects.compensating,
            "child": self.effects.may_be_unclaimed,
        }
        return [topic for topic, cause in causes.items() if cause]

    def add(self, outcome: Outcome) -> None:
        """Take in what is to be written about one row."""
        if outcome.final is not None:
            self.final.append(outcome.final)
        if outcome.rearmed is not None:
            self.rearmed.append(outcome.rearmed)
        if outcome.released is not None:
            self.released.append(outcome.released)
        if outcome.attempt is not None:
            self.attempts.append(outcome.attempt)

    def with_more(self, later: "Batch") -> "Batch":
        """This batch and a later one together."""
        return Batch(*(mine + theirs for mine, theirs in zip(self.rows(), later.rows(), strict=True)))

    def without(self, task_ids: set[int]) -> "Batch":
        """The same without the rows of these tasks."""
        return Batch(*([row for row in rows if row[0] not in task_ids] for rows in self.rows()))

    def without_lost(self, task_ids: set[int]) -> "Batch":
        """The same without these tasks, whose rows are no longer ours; slots that would move on to them are given back."""
        kept = self.without(task_ids)
        kept.slots += [Freed(row.id, row.limits) for row in kept.moved if row.to in task_ids]
        kept.moved = [row for row in kept.moved if row.to not in task_ids]
        return kept

    def with_one_end_each(self) -> "Batch":
        """The same with one end for each task, the first of those that it was given."""
        final = {row.id: row for row in reversed(self.final)}
        rearmed = {row.id: row for row in reversed(self.rearmed) if row.id not in final}
        released = {row.id: row for row in reversed(self.released) if row.id not in final and row.id not in rearmed}
        once = replace(self, final=list(final.values()), rearmed=list(rearmed.values()))
        slots = list(dict.fromkeys(self.slots))
        grants = list({grant.task_id: grant for grant in reversed(self.spawn_grants)}.values())
        return replace(once, released=list(released.values()), slots=slots, spawn_grants=grants)

    def failing(self, message: str, now: datetime, manual: Container[int]) -> "Batch":
        """The same without progress, outputs, checkpoints and spawned tasks; what has ended fails with this message.

        `manual`: the tasks that wait for a person then.
        """
        failure = Batch(
            rearmed=self.rearmed, released=self.released, running=self.running, slots=self.slots, moved=self.moved
        )
        failure.attempts = [row._replace(error=message, traceback=None) for row in self.attempts]
        state, reason = int(TaskState.FAILED), int(Reason.ERROR)
        ended = {row.id for row in self.final}
        failure.attempts = [row for row in failure.attempts if row.task_id not in ended]
        for row in self.final:
            if row.id in manual:
                failure.rearmed = [*failure.rearmed, Rearmed(row.id, row.fence, row.attempt, reason, FOREVER)]
            else:
                failure.final.append(row._replace(state=state, reason=reason, output=None))
            began = None if row.started_us is None else from_microseconds(row.started_us)
            code = row.code_id
            failure.attempts.append(
                AttemptRow(row.id, row.fence, row.attempt, state, reason, began, now, code_id=code, error=message)
            )
        return failure

    def halves(self) -> tuple["Batch", "Batch"]:
        """Two batches with half of the tasks each."""
        ids = sorted(self.task_ids())
        first = set(ids[: len(ids) // 2])
        return self.without(set(ids) - first), self.without(first)

    def task_ids(self) -> set[int]:
        return {row[0] for rows in self.rows() for row in rows}

    def rows(self) -> tuple[list[Any], ...]:
        """All its lists; the first column of each is a task's id."""
        about = self.attempts, self.running, self.progress, self.checkpoints
        of_limits = self.slots, self.moved, self.pauses, self.attempt_ends
        return (self.final, self.rearmed, self.released, *about, *of_limits, self.spawn_requests, self.spawn_grants)

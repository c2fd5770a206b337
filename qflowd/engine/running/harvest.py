"""What has come back of the rows that this daemon holds: from the backends' events to the next group commit."""

import logging
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from qflowd.engine.claiming.claim import Claimed
from qflowd.engine.claiming.lanes import Lane, Terms
from qflowd.engine.finishing.batch import Batch
from qflowd.engine.finishing.broken import describe_broken
from qflowd.engine.finishing.outcome import Ending, FinalRow, Rearmed, Released, outcome_of, outcome_of_loss
from qflowd.engine.limits.breakers import AttemptEnd
from qflowd.engine.running.held_rows import WORTH_A_COMMIT, Held, HeldRows
from qflowd.engine.spawning.spawn import SpawnRequest
from qflowd.model.durations import LONGEST_S
from qflowd.model.instants import parse_instant
from qflowd.model.states import SUCCESS, Reason, TaskState
from qflowd.model.workflow import Settings
from qflowd.store.clock import TimeSource, boottime, to_microseconds
from qflowd.workers.events import Broken, Checkpointed, Event, Finished, Progressed, Returned, Running
from qflowd.workers.wire import Done, Ended

log = logging.getLogger("qflowd")
_BROKEN = {"crash": Reason.LOST, "timeout": Reason.TIMEOUT, "memory": Reason.MEMORY, "terminated": Reason.TERMINATED}
# Other outcomes: ERROR.
_ENDED = {"success": Reason.NONE, "defer": Reason.NONE, "skip": Reason.SKIPPED, "stopped": Reason.TERMINATED}
_new_final = partial(tuple.__new__, FinalRow)  # FinalRow(*values) in a third of the time, by skipping its Python code

LOST = "lost with its worker process, which was killed for another reason than this task"
LARGEST_COMMIT = 4000  # results
LINGER_S = 0.003  # how long the first result of a batch waits for others of short tasks
QUICKEST_S = 5e-6  # of a task, in a worker
WORTH_A_WAIT = 1 / 3  # of what a commit waits for the database: so long it may wait for what saves the next one


class Harvest:
    """Owned by the executor's thread."""

    def __init__(self, clock: TimeSource, chance: Callable[[], float]) -> None:
        self._clock = clock
        self._chance = chance
        self.held = HeldRows()
        self.batch = Batch()
        self._unbegun: set[int] = set()  # ids of rows in it that had not begun
        self.stopped: Collection[int] = ()  # ids of tasks that were terminated alone, at the last look
        self._first_at = 0.0  # CLOCK_BOOTTIME of the oldest result in the batch
        self._not_before = 0.0
        self._waited_s = 0.0  # by the last commit, for the database
        self.is_behind = False  # the last commit failed
        self.may_have_printed = False  # a task whose end is not written yet; a plain success has not

    # -- what happened

    def take(self, event: Event) -> None:
        """Take in an event of a backend."""
        if isinstance(event, Finished):
            self._finished(event.results)
        elif isinstance(event, Running):
            if self.held.has(event.task_id, event.fence) and self.held.lines.may_run((event.task_id, event.fence)):
                self.batch.running.append((event.task_id, event.fence, self._at(event.started_us)))
        elif isinstance(event, Returned):
            if self.held.has(event.task_id, event.fence):
                self._returned(event)
        elif isinstance(event, Broken):
            self._broken(event)
        elif isinstance(event, Progressed):
            self.batch.progress = [row for row in self.batch.progress if row[0] != event.task_id]
            self.batch.progress.append((event.task_id, event.fence, event.done, event.total, event.text))
        elif isinstance(event, Checkpointed):
            self.batch.checkpoints = [row for row in self.batch.checkpoints if row[0] != event.task_id]
            self.batch.checkpoints.append((event.task_id, event.fence, event.value))
        if not self._first_at and self.batch:
            self._first_at = boottime()

    def fail(self, row: Claimed, lane: Lane, error: str) -> None:
        """A row whose parameters could not be rendered: user code never ran, no retry will help."""
        terms = Terms(lane, Settings(retries=0))
        self._end((row, terms), Reason.ERROR, self._clock.now(), error=error, started_at=None)

    def skip(self, row: Claimed, lane: Lane, why: str, reason: Reason = Reason.MANUAL) -> None:
        """A row that is not to be run: a person wants that, or the breaker of a limit is open."""
        self._end((row, Terms(lane, Settings())), reason, self._clock.now(), error=why, started_at=None)

    def end_head(self, row: Claimed, lane: Lane, items: int, bad: int) -> None:
        """The head of a map that was claimed and has nothing to wait for: all its items have ended, or there is none."""
        now = self._clock.now()
        if bad:
            self.fail(row, lane, f"{bad:,} of {items:,} items did not succeed")
        else:
            output = None if items else "[]"
            self._end((row, Terms(lane, Settings())), Reason.NONE, now, output=output, started_at=now)

    def end_unrun(self, rows: Iterable[Claimed], state: TaskState, reason: Reason) -> None:
        """Rows that end before they began: they or their instance were terminated, or they are skipped."""
        rows = list(rows)
        self._unbegun.update(row.id for row in rows)
        self.batch.final += [
            FinalRow(
                row.id, row.fence, int(state), int(reason), row.attempt, None, None, None, row.node, row.kind, row.round
            )
            for row in rows
        ]

    def cancel(self, rows: Iterable[Claimed]) -> None:
        """Rows that end before they began, as they or their instances were terminated."""
        self.end_unrun(rows, TaskState.CANCELLED, Reason.TERMINATED)

    def put_off(self, row: Claimed, seconds: float) -> None:
        """A row that cannot be sent by this daemon: it waits as if it had not been claimed."""
        due_at = self._clock.now() + timedelta(seconds=seconds)
        self._unbegun.add(row.id)
        self.batch.rearmed.append(Rearmed(row.id, row.fence, row.attempt, 0, due_at))

    def forget_all(self) -> None:
        """Nothing that is held or waits to be written is ours any more."""
        self.held.forget_all()
        self.reap()
        self.written(0.0)  # nothing is behind any more: what could not be written is not ours to write

    # -- when to commit

    def patience_s(self, now: float, longest_s: float) -> float:
        """Seconds that the loop may wait for more results."""
        if self._not_before > now:
            return self._not_before - now
        if not self.batch:
            return longest_s
        short = self.held.count_short()
        return max(0.0, self._first_at + LINGER_S - now) if short and not self.held.has_empty_slot(short) else 0.0

    def is_ripe(self, now: float) -> bool:
        """Is it time to write? Small batches wait a moment while more results are on their way."""
        if not self.batch or now < self._not_before:
            return False
        short = self.held.count_short()
        # With half of what was out come back, one half is written while the workers run the other, unless that half comes
        # so soon that another commit would cost more.
        is_soon = short * QUICKEST_S < WORTH_A_WAIT * self._waited_s
        enough = LARGEST_COMMIT if is_soon else min(LARGEST_COMMIT, max(WORTH_A_COMMIT, short))
        if not short or len(self.batch.final) >= enough or now >= self._first_at + LINGER_S:
            return True
        return self.held.has_empty_slot(short)

    def reap(self) -> Batch:
        """The batch to write; a new one is begun."""
        batch, self.batch, self._first_at = self.batch, Batch(), 0.0
        self.held.end(batch, self._unbegun)
        self._unbegun.clear()
        return batch

    def put_back(self, batch: Batch, not_before: float) -> None:
        """It could not be written; try again at `not_before` (CLOCK_BOOTTIME), with what has come meanwhile."""
        self.batch = batch.with_more(self.batch)
        self._not_before, self._first_at = not_before, not_before
        self.is_behind = bool(self.batch)  # a claim alone that failed leaves nothing to write: the next one may come

    def written(self, waited_s: float) -> None:
        """The last batch is in the database, for which so long was waited."""
        self.is_behind, self._not_before, self._waited_s = False, 0.0, waited_s

    def release(self, rows: Iterable[Claimed]) -> None:
        """Give back rows that were claimed and never sent."""
        for row in rows:
            self.held.pop(row.id, None)
            self.batch.released.append(Released(row.id, row.fence, row.solo, 0))

    def _finished(self, results: Sequence[Done | Ended]) -> None:
        # The hot path: one pass, few objects.
        pop, final, zero_us = self.held.pop, self.batch.final, to_microseconds(self._clock.at(0.0))
        lane: Lane | None = None
        tasks = spent_us = 0
        for result in results:
            held = pop(result.task_id, None)
            if held is None or held[0].fence != result.fence:
                self._keep(held)
                continue
            (number, node, fence, _, attempt, _, _, kind, _, round_), terms = held
            if terms.lane is not lane:
                if lane is not None:
                    lane.learn(spent_us / 1e6, tasks)
                lane, tasks, spent_us = terms.lane, 0, 0
            tasks += 1
            started_us = result.started_us
            spent_us += result.ended_us - started_us
            if type(result) is Done:
                started_us += zero_us
                values = (number, fence, SUCCESS, 0, attempt + 1, lane.code_id, started_us, result.output, node, kind, round_)  # fmt: skip
                final.append(_new_final(values))
            else:
                self._ended(held, result)  # type: ignore[arg-type]
        if lane is not None:
            lane.learn(spent_us / 1e6, tasks)

    def _keep(self, held: Held | None) -> None:
        """What came back is of an earlier claim of ours; the row is held anew."""
        if held is not None:
            self.held[held[0].id] = held

    def _ended(self, held: Held, result: Ended) -> None:
        again_at = self._again_at(result)
        if result.limit and again_at is not None:
            self.batch.pauses.append((result.task_id, result.limit, again_at, result.error))
        if result.spawned is not None:
            self.batch.spawn_requests.append(SpawnRequest(result.task_id, result.fence, result.spawned))
        self._end(
            held,
            _ENDED.get(result.outcome, Reason.ERROR),
            self._at(result.ended_us),
            started_at=self._at(result.started_us),
            output=result.output,
            error=result.error,
            traceback=result.traceback,
            cpu_s=result.cpu_s,
            peak_memory=result.peak_memory,
            again_at=again_at,
            is_hopeless=result.is_hopeless,
            is_noted=result.spawned is not None,
        )

    def _again_at(self, result: Ended) -> datetime | None:
        """When the job wants to run again; None where it left that to its settings."""
        if result.defer_until is not None:
            return parse_instant(result.defer_until)
        if result.defer_s is None:
            return None
        return self._clock.now() + timedelta(seconds=min(result.defer_s, LONGEST_S))

    def _returned(self, event: Returned) -> None:
        held = self.held.pop(event.task_id)
        if not event.solo:
            if event.task_id in self.stopped:  # claimed anew it would begin
                self.cancel([held[0]])
                return
            self.batch.released.append(Released(event.task_id, event.fence, held[0].solo, 0))
            return
        log.warning(
            "task %d was lost with its worker process, through no fault of its own; it runs again", event.task_id
        )
        started_at = self._at(event.started_us) if event.started_us else None
        self._end(held, Reason.LOST, self._clock.now(), is_crash=False, started_at=started_at, error=LOST)

    def _broken(self, event: Broken) -> None:
        if not self.held.has(event.task_id, event.fence):
            return
        held = self.held[event.task_id]
        error = describe_broken(event, held[1].settings)
        if event.reason != "terminated":
            log.warning("task %d, job %s: %s", event.task_id, held[1].lane.key.job, error)
        self._end(
            held,
            _BROKEN[event.reason],
            self._clock.now(),
            started_at=self._at(event.started_us) if event.started_us else None,
            error=error,
            traceback=event.traceback,
            cpu_s=event.cpu_s,
            peak_memory=event.peak_memory,
            exit_signal=event.exit_signal,
        )

    def _end(self, held: Held, reason: Reason, ended_at: datetime, *, is_crash: bool = True, **details: Any) -> None:
        row, (lane, settings) = held
        self.held.pop(row.id, None)  # unless its result did
        if lane.has_breaker and reason and details.get("started_at") is not None:
            self.batch.attempt_ends.append(AttemptEnd(row.id, row.fence, lane.key.limits, reason, details.get("error")))
        self.may_have_printed = True
        ending = Ending(row, lane.code_id, settings, reason, ended_at, **details)
        self.batch.add(outcome_of(ending, self._chance) if is_crash else outcome_of_loss(ending, 0))

    def _at(self, boottime_us: int) -> datetime:
        return self._clock.at(boottime_us / 1e6)

"""The controller of one instance: ask, wait, read, command."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from qflowd.client.decisions import Decisions
from qflowd.client.polling import ANSWER_S, poll
from qflowd.client.records import (
    Answer,
    AttemptInfo,
    Breakpoint,
    BreakpointInfo,
    InstanceInfo,
    LogLine,
    TaskInfo,
    from_json,
    record_of,
    records_of,
)
from qflowd.client.remarks import Asked, warnings_of
from qflowd.client.requests import whole
from qflowd.client.transport import LARGE_ROWS, ROWS, rows_at_once
from qflowd.model.errors import NotFound, Rejected
from qflowd.model.ids import instance_of, key_range
from qflowd.model.near_names import did_you_mean
from qflowd.model.states import ENDED
from qflowd.model.workflow import Json

if TYPE_CHECKING:
    from qflowd.client.client import Client

PLACES: Final = 100  # tasks that a breakpoint lists


def no_such_task(instance: "Instance", task: str) -> NotFound:
    """The error about a task, or an item of one, that an instance does not have."""
    rows = instance.tasks()
    items = {row.name for row in rows if row.task == task.partition("[")[0]}
    listed = f"`qflowd show {instance.id}` lists its tasks"
    hint = did_you_mean(task, items or {row.task for row in rows}, listed)
    return NotFound(f"instance {instance.id} has no task {task!r}{hint}")


class Instance(Decisions):
    """One run of a workflow or of a single job."""

    def __init__(self, client: "Client", submission_id: int, asked: Asked = (None, None)) -> None:
        super().__init__(client)
        self.submission_id = submission_id
        self._asked = asked  # as it has just been submitted
        self._admitted_as: int | None = None

    @property
    def id(self) -> int:
        """The submission's number; where its idempotency key was used before, the first one's once that is known."""
        return self.submission_id if self._admitted_as is None else self._admitted_as

    @cached_property
    def warnings(self) -> Sequence[str]:
        """Of what this client has submitted: that its date, which is taken, is not a session of the workflow's calendar."""
        return warnings_of(self._client.read_all, self._client.calendars, [self._asked])[0]

    def __repr__(self) -> str:
        return f"<qflowd.Instance {self.id}>"

    def state(self) -> str:
        """The state now: NEW (no daemon has taken it yet), REJECTED, or one of the instance's.

        READY, RUNNING and PAUSED are open; SUCCESS, FAILED and TERMINATED are final.

        Raises: NotFound if the rows are gone; StoreUnavailable.
        """
        return self.state_and_error()[0]

    def state_and_error(self, wait_s: float = 0.0) -> tuple[str, str | None]:
        """The state, as `state()` tells it, and what went wrong if something did.

        Args:
            wait_s: over HTTP, how long the answer may be held back until there is another state; 0: not at all.
        """
        if self._admitted_as is None:
            answer = self._client.read_one("show_submission", id=self.submission_id, wait_s=wait_s)
            if answer is not None and answer.answered_at is None:
                return "NEW", None
            if answer is not None and answer.state == "REJECTED":
                return "REJECTED", answer.error
            self._admitted_as = (answer and answer.instance_id) or self.submission_id
        row = self._client.read_one("show_state", id=self.id, wait_s=wait_s)
        if row is None:
            raise NotFound(f"instance {self.id} is gone from the database")
        return row.state, row.error

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the instance has ended; returns SUCCESS, FAILED or TERMINATED.

        Args:
            timeout: seconds; None waits for ever.

        Raises: Rejected with what was wrong, if the engine refused it; TimeoutError; NotFound; StoreUnavailable.
        """

        def ask(wait_s: float) -> str | None:
            state, error = self.state_and_error(wait_s)
            if state == "REJECTED":
                raise Rejected(error or "the submission was rejected")
            return state if state in ENDED else None

        try:
            return poll(ask, timeout)
        except TimeoutError:
            reason = f": {reason}" if (reason := self.wait_reason()) else ""
            raise TimeoutError(f"instance {self.id} has not ended within {timeout:g} s{reason}") from None

    def wait_reason(self) -> str | None:
        """Why it does not continue; None while it does, or has ended, unless its compensation has failed."""
        if self.state() == "NEW":
            return "waits for a daemon" + (
                "" if self._client.daemons() else "; none is running, `qflowd run` starts one"
            )
        row = self._client.read_one("show_instance", id=self.id)
        return None if row is None else row.wait_reason

    def info(self) -> InstanceInfo:
        """Everything about the instance.

        Raises: NotFound if no daemon has taken it yet; Rejected if the engine refused it.
        """
        state, error = self.state_and_error()
        if state == "REJECTED":
            raise Rejected(error or "the submission was rejected")
        row = self._client.read_one("show_instance", id=self.id)
        if row is None:
            raise NotFound(f"instance {self.id} has not been taken by a daemon yet")
        return record_of(InstanceInfo, row)

    def breakpoint(self) -> Breakpoint:
        """Where it stands: counts, what runs, what waits and why, checkpoints, and what `resume` (or `start`) would start.

        Cheap for a large instance too: rows are counted in the database.

        Raises: NotFound if no daemon has taken it yet; Rejected if the engine refused it.
        """
        info = self.info()
        row = self._client.read_one("sum_breakpoints", instance_id=self.id)
        counts = {name: int(count or 0) for name, count in row._asdict().items()}
        rows = self._client.read_all("list_breakpoints", instance_id=self.id, batch=PLACES)
        share = (counts["done"] + counts["failed"]) / (counts["total"] or 1)
        return Breakpoint(
            instance_id=info.id,
            state=info.state,
            wait_reason=info.wait_reason,
            progress=1.0 if info.state in ENDED else round(share, 4),
            tasks=sorted(records_of(BreakpointInfo, rows), key=lambda task: task.id),
            **counts,
        )

    def tasks(self, *, limit: int | None = None) -> list[TaskInfo]:
        """Its tasks in topological order; none before it is admitted, or while it is held.

        Args:
            limit: how many at most, 1 to 2,000: of more, those that failed, then those that run or wait.
        """
        number = self._resolve()
        if limit is None:
            first, last = key_range(number).values()
            parts = self._client.read_parts("show_tasks", first - 1, instance_id=number, last=last)
            return list(records_of(TaskInfo, parts))
        limit = whole(limit, "limit", most=ROWS)
        rows = self._client.read_all("show_first_tasks", instance_id=number, batch=limit, **key_range(number))
        return list(records_of(TaskInfo, rows))

    def count_tasks(self) -> dict[str, int]:
        """State -> how many of its tasks are in it."""
        rows = self._client.read_all("count_states", instance_id=self._resolve())
        return {row.state: int(row.tasks) for row in rows}

    def compensations(self) -> list[TaskInfo]:
        """What undoes its tasks, in the order in which that is begun; none before it has to be undone."""
        number = self._resolve()
        first, last = key_range(number).values()
        parts = self._client.read_parts("show_compensations", first - 1, instance_id=number, last=last)
        return list(records_of(TaskInfo, parts))

    def attempts(self) -> list[AttemptInfo]:
        """What was tried, by task: attempts that did not succeed or ran longer than a second, and the last ones."""
        return list(records_of(AttemptInfo, self._attempts(self._resolve())))

    def failed_attempts(self, limit: int) -> list[AttemptInfo]:
        """The first attempts that did not succeed, by task; `limit`: how many at most, 1 to 500."""
        limit = whole(limit, "limit", most=LARGE_ROWS["show_first_errors"])
        rows = self._client.read_all("show_first_errors", instance_id=self._resolve(), batch=limit)
        return list(records_of(AttemptInfo, rows))

    def output(self, task: str | None = None) -> Json:
        """What a task returned; of a map, the list of what its items returned.

        Without `task`: of the only task there is, else a dict of all tasks that succeeded.

        Raises: NotFound if there is no such task, or it has not succeeded.
        """
        number = self._resolve()
        if task is not None:
            return self._output(number, task)
        tasks = [info for info in self.tasks() if info.map_index is None]
        if len(tasks) == 1:
            return self._output(number, tasks[0].task)
        return {info.task: self._output(number, info.task) for info in tasks if info.state == "SUCCESS"}

    def logs(self, task: str | None = None, after: int = 0) -> Iterator[LogLine]:
        """All lines that its tasks (or this one, or this item such as `bars[AAPL]`) have written so far, as stored.

        Args:
            after: only lines with a greater id. While tasks run, a smaller one may still become visible.
        """
        after = whole(after, "after", 0)
        name = "list_logs" if task is None else "list_task_logs"
        key = None if task is None else task.partition("[")[0]
        where = {"instance_id": self._resolve(), "batch": rows_at_once(name)} | ({} if key is None else {"task": key})
        while rows := self._client.read_all(name, after=after, **where):
            lines = records_of(LogLine, rows)
            yield from (line for line in lines if task in (key, line.name, f"{line.task}[{line.map_index}]"))
            after = rows[-1].id

    def terminate(
        self,
        reason: str | None = None,
        *,
        task: str | None = None,
        wait: bool = True,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Stop it: what runs is killed, what has not started is cancelled. With `task`, only this one, which is being run.

        Args:
            wait: until the instance has ended; else, and with a task, only until a daemon has taken the command.
            timeout: seconds for either; None waits for ever.

        Raises: Rejected if it has ended already, or nobody runs the task; TimeoutError (the command stands);
            StoreUnavailable.
        """
        answer = self._client.command("terminate", self._resolve(), task=task, reason=reason, timeout=timeout)
        if wait and task is None:
            self.wait(timeout)
        return answer

    def retry(self, reason: str | None = None, *, task: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Run its failed tasks again (or this one), and what was not run because of them.

        Raises: Rejected if there is nothing to retry; TimeoutError; StoreUnavailable.
        """
        return self._client.command("retry", self._resolve(), task=task, reason=reason, timeout=timeout)

    def trigger(self, task: str, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let a task run now that waits for a time (a retry, a delay) or is paused; its pause is over in this instance.

        Raises: Rejected if it waits for other tasks, is being run, or has ended; TimeoutError; StoreUnavailable.
        """
        return self._client.command("trigger", self._resolve(), task=task, reason=reason, timeout=timeout)

    def compensate(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Undo what its tasks did, now that it has ended; `wait()` then waits until that is done.

        Raises: Rejected if it has not ended, or there is nothing to undo; TimeoutError; StoreUnavailable.
        """
        return self._client.command("compensate", self._resolve(), reason=reason, timeout=timeout)

    def rerun(
        self,
        task: str,
        reason: str | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        timeout: float | None = ANSWER_S,
    ) -> Answer:
        """Run one task again, and all that depends on it, whatever they came to; an ended instance is open again.

        Args:
            params: those of the task to change, by name; the others stay.

        Raises: Rejected if it has not ended, or something behind it is being run; TimeoutError; InvalidRequest;
            StoreUnavailable.
        """
        args = {"set": params} if params else None
        return self._client.command("rerun", self._resolve(), task=task, args=args, reason=reason, timeout=timeout)

    def skip(self, task: str, reason: str, *, timeout: float | None = ANSWER_S) -> Answer:
        """Let it continue without a task that waits or did not succeed: what comes after it runs.

        Raises: Rejected if the task is being run, or has ended well; TimeoutError; StoreUnavailable.
        """
        return self._client.command("skip", self._resolve(), task=task, reason=reason, timeout=timeout)

    def pause(self, reason: str | None = None, *, task: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Let nothing more of it begin: what runs ends, what is ready is HELD, and its timeout stands still.

        Args:
            task: let only this task not begin; all else continues, and the timeout runs.

        Raises: Rejected if it is not RUNNING, or the task has ended; TimeoutError; StoreUnavailable.
        """
        return self._client.command("pause", self._resolve(), task=task, reason=reason, timeout=timeout)

    def start(self, reason: str | None = None, *, timeout: float | None = ANSWER_S) -> Answer:
        """Start it, where it was submitted with `hold`.

        Raises: Rejected if it is not held; TimeoutError; StoreUnavailable.
        """
        return self._client.command("start", self._resolve(), reason=reason, timeout=timeout)

    def resume(self, reason: str | None = None, *, task: str | None = None, timeout: float | None = ANSWER_S) -> Answer:
        """Let it (or this one task) continue where it was paused; start it, where it was submitted with `hold`.

        Raises: Rejected if it is neither; TimeoutError; StoreUnavailable.
        """
        return self._client.command("resume", self._resolve(), task=task, reason=reason, timeout=timeout)

    def _attempts(self, number: int) -> Iterator[Any]:
        """Rows of `attempts`, in parts. A task may have more attempts than a part has rows."""
        batch, after, fence = rows_at_once("show_attempts"), key_range(number)["first"] - 1, 0
        where = {"instance_id": number, "batch": batch}
        while rows := self._client.read_all("show_attempts", after=after, after_fence=fence, **where):
            yield from rows
            if len(rows) < batch:
                return
            after, fence = rows[-1].task_id, rows[-1].fence

    def _output(self, number: int, task: str) -> Json:
        first = key_range(number)["first"]
        rows = list(self._client.read_parts("show_outputs", first - 1, instance_id=number, task=task))
        if not rows:
            raise no_such_task(self, task)
        if rows[0].state != "SUCCESS":
            raise NotFound(f"task {task} of instance {number} is {rows[0].state}, so it has no output")
        if len(rows) > 1:
            return [self._value(row) for row in rows if row.map_index is not None]
        return self._value(rows[0])

    def _value(self, row: Any) -> Json:
        if row.output is not None or row.state != "SUCCESS":
            return row.output
        parts = self._client.read_all("show_large_output", id=row.id, instance_id=instance_of(row.id))
        return from_json("".join(part.value for part in parts) or None)

    def _resolve(self) -> int:
        """The id, after looking once whether a key made this a duplicate of another."""
        if self._admitted_as is None:
            self.state_and_error()
        return self.id

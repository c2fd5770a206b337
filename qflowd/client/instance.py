"""The controller of one instance: ask, wait, read, command."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from qflowd.client.polling import poll_until
from qflowd.client.records import Answer, AttemptInfo, InstanceInfo, LogLine, TaskInfo, from_json, record
from qflowd.model.errors import NotFound, Rejected
from qflowd.model.workflow import Json

if TYPE_CHECKING:
    from qflowd.client.client import Client

ENDED: Final = frozenset({"SUCCESS", "FAILED", "TERMINATED"})
LINES: Final = 1000  # log lines read at once


class Instance:
    """One run of a workflow or of a single job.

    `id` is the submission's number; where an idempotency key was used before, it becomes the first one's as soon as
    the engine has answered (any call that asks the database notices).
    """

    def __init__(self, client: "Client", submission_id: int) -> None:
        self._client = client
        self.submission_id = submission_id
        self.id = submission_id
        self._is_admitted = False

    def __repr__(self) -> str:
        return f"<qflowd.Instance {self.id}>"

    def state(self) -> str:
        """The state now: NEW (no daemon has taken it yet), REJECTED, or one of the instance's.

        READY, RUNNING and PAUSED are open; SUCCESS, FAILED and TERMINATED are final.

        Raises: NotFound if the rows are gone; StoreUnavailable.
        """
        return self.state_and_error()[0]

    def state_and_error(self) -> tuple[str, str | None]:
        """The state, as `state()` tells it, and what went wrong if something did."""

        def read(tx: Any) -> tuple[str, str | None]:
            if not self._is_admitted:
                answer = tx.one("show_submission", id=self.submission_id)
                if answer is not None and answer.answered_at is None:
                    return "NEW", None
                if answer is not None and answer.state == "REJECTED":
                    return "REJECTED", answer.error
                if answer is not None and answer.instance_id is not None:
                    self.id = answer.instance_id
                self._is_admitted = True
            row = tx.one("show_state", id=self.id)
            if row is None:
                raise NotFound(f"instance {self.id} is gone from the database")
            return row.state, row.error

        return self._client.store.read(read)

    def wait(self, timeout: float | None = None) -> str:
        """Wait until the instance has ended; returns SUCCESS, FAILED or TERMINATED.

        Args:
            timeout: seconds; None waits for ever.

        Raises: Rejected with what was wrong, if the engine refused it; TimeoutError; NotFound; StoreUnavailable.
        """

        def ask() -> tuple[str, str | None] | None:
            found = self.state_and_error()
            return found if found[0] in ENDED or found[0] == "REJECTED" else None

        found = poll_until(ask, timeout)
        if found is None:
            raise TimeoutError(f"instance {self.id} has not ended within {timeout:g} s")
        if found[0] == "REJECTED":
            raise Rejected(found[1] or "the submission was rejected")
        return found[0]

    def info(self) -> InstanceInfo:
        """Everything about the instance.

        Raises: NotFound if no daemon has taken it yet; Rejected if the engine refused it.
        """
        state, error = self.state_and_error()
        if state == "REJECTED":
            raise Rejected(error or "the submission was rejected")
        row = self._client.store.read(lambda tx: tx.one("show_instance", id=self.id))
        if row is None:
            raise NotFound(f"instance {self.id} has not been taken by a daemon yet")
        return record(InstanceInfo, row)

    def tasks(self) -> list[TaskInfo]:
        """Its tasks in topological order; none before it is admitted, or while it is held."""
        number = self._resolve()
        return [record(TaskInfo, row) for row in self._rows("show_tasks", number)]

    def attempts(self) -> list[AttemptInfo]:
        """What was tried, by task: attempts that did not succeed or ran longer than a second, and the last ones."""
        number = self._resolve()
        return [record(AttemptInfo, row) for row in self._rows("show_attempts", number)]

    def output(self, task: str | None = None) -> Json:
        """What a task returned. Without `task`: of the only task there is, else a dict of all tasks that succeeded.

        Raises: NotFound if there is no such task, or it has not succeeded.
        """
        number = self._resolve()
        if task is not None:
            return self._output(number, task)
        tasks = self.tasks()
        if len(tasks) == 1:
            return self._output(number, tasks[0].task)
        return {found.task: self._output(number, found.task) for found in tasks if found.state == "SUCCESS"}

    def logs(self, task: str | None = None) -> Iterator[LogLine]:
        """All lines that its tasks (or this one) have written so far, in the order in which they were stored."""
        number = self._resolve()
        after = 0
        while lines := self.logs_after(after, task, number):
            yield from lines
            after = lines[-1].id

    def logs_after(self, after: int, task: str | None = None, instance_id: int | None = None) -> list[LogLine]:
        """Up to 1,000 lines with an id greater than `after`. A smaller id may still become visible later."""
        number = instance_id or self._resolve()
        where: dict[str, Any] = {"instance_id": number, "after": after, "batch": LINES}

        def read(tx: Any) -> list[Any]:
            return list(tx.run("list_logs", **where) if task is None else tx.run("list_task_logs", task=task, **where))

        return [record(LogLine, row) for row in self._client.store.read(read)]

    def terminate(self, reason: str | None = None, *, wait: bool = True, timeout: float | None = 30.0) -> Answer:
        """Stop it: what runs is killed, what has not started is cancelled.

        Args:
            wait: until the instance has ended; else only until a daemon has taken the command.
            timeout: seconds for either; None waits for ever.

        Raises: Rejected if it has ended already; TimeoutError (the command stands); StoreUnavailable.
        """
        answer = self._client.command("terminate", self._resolve(), reason=reason, timeout=timeout)
        if wait:
            self.wait(timeout)
        return answer

    def retry(self, reason: str | None = None, *, timeout: float | None = 30.0) -> Answer:
        """Run its failed tasks again, and what was not run because of them.

        Raises: Rejected if there is nothing to retry; TimeoutError; StoreUnavailable.
        """
        return self._client.command("retry", self._resolve(), reason=reason, timeout=timeout)

    def resume(self, reason: str | None = None, *, timeout: float | None = 30.0) -> Answer:
        """Start it, where it was submitted with `hold`.

        Raises: Rejected if it is not held; TimeoutError; StoreUnavailable.
        """
        return self._client.command("resume", self._resolve(), reason=reason, timeout=timeout)

    def count_tasks(self) -> dict[str, int]:
        """How many of its tasks are in each state; cheap also for large instances."""
        number = self._resolve()
        return self._client.count_tasks(number)

    def has_daemon(self) -> bool:
        """Whether any daemon is alive that could take it."""
        return bool(self._client.daemons())

    def _rows(self, statement: str, number: int) -> list[Any]:
        return self._client.store.read(lambda tx: list(tx.run(statement, instance_id=number)))

    def _output(self, number: int, task: str) -> Json:
        def read(tx: Any) -> list[Any]:
            found = []
            for row in tx.run("show_outputs", instance_id=number, task=task):
                text = row.output
                if text is None and row.state == "SUCCESS":
                    text = "".join(part.value for part in tx.run("load_large_value", task_id=row.id)) or None
                found.append((row.map_index, row.state, from_json(text)))
            return found

        rows = self._client.store.read(read)
        if not rows:
            raise NotFound(f"instance {number} has no task {task!r}")
        index, state, value = rows[0]
        if len(rows) > 1 or index is not None:
            return [value for index, _, value in rows if index is not None]
        if state != "SUCCESS":
            raise NotFound(f"task {task} of instance {number} is {state}, so it has no output")
        return value

    def _resolve(self) -> int:
        """The id, after looking once whether a key made this a duplicate of another."""
        if not self._is_admitted:
            self.state_and_error()
        return self.id

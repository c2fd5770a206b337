"""The Context of a task, made only when the job asks for it: most jobs never do, and making it takes microseconds."""

from contextlib import AbstractContextManager
from datetime import date
from typing import Any

from qflowd.jobs.context import Channel, Context, Facts, running
from qflowd.workers.wire import Assignment, Chunk, InstanceFacts

_NO_FACTS = InstanceFacts("")


class TaskContext(Context):
    """Stands for one task after the other, until one of them uses it; then it stays that one's for ever."""

    __slots__ = ("_begun", "_channel_of_slot", "is_used")

    def __init__(self, channel: Channel) -> None:  # the base is initialised on first use
        self._channel_of_slot = channel
        self.is_used = False

    def begin(self, chunk: Chunk, task: Assignment, params: dict[str, Any]) -> None:
        """From now on it is the context of `task`."""
        self._begun = chunk, task, params

    def __getattr__(self, name: str) -> Any:
        """Python asks here for what the base has not set yet."""
        if self.is_used or name == "_begun":
            raise AttributeError(name)
        super().__init__(facts_of(*self._begun), self._channel_of_slot)
        self.is_used = True  # not before: the handler of a signal may ask in between
        return getattr(self, name)

    def mark_cancelled(self) -> None:
        _ = self.fence  # or the first use would set it back
        super().mark_cancelled()


class ContextOfSlot:
    """What `context()` answers in one slot. `alone`: threads that a job starts see it too."""

    def __init__(self, channel: Channel, *, alone: bool) -> None:
        self._channel = channel
        self._alone = alone
        self._scope: AbstractContextManager[Context] | None = None
        self.current = TaskContext(channel)
        self.current.is_used = True  # the first `begin` enters a fresh one, in the thread that runs the tasks

    def begin(self, chunk: Chunk, task: Assignment, params: dict[str, Any]) -> None:
        """`task` is what runs in this slot now."""
        if self.current.is_used:
            if self._scope is not None:
                self._scope.__exit__(None, None, None)
            self.current = TaskContext(self._channel)
            self._scope = running(self.current, whole_process=self._alone)
            self._scope.__enter__()
        self.current.begin(chunk, task, params)

    def mark_cancelled(self) -> None:
        """The task is to end. One whose module is still being imported has no context yet."""
        if self._scope is not None:
            self.current.mark_cancelled()


def facts_of(chunk: Chunk, task: Assignment, params: dict[str, Any]) -> Facts:
    """What `context()` tells of `task`."""
    instance = chunk.instances.get(task.instance_id, _NO_FACTS)
    return Facts(
        task_id=task.task_id,
        instance_id=task.instance_id,
        fence=task.fence,
        attempt=task.attempt,
        workflow=instance.workflow,
        task=task.task_key,
        job=chunk.job,
        params=params,
        business_date=date.fromisoformat(instance.business_date) if instance.business_date else None,
        tenant=instance.tenant,
        upstream=task.upstream.encode() if task.upstream else b"{}",
        saved=task.saved.encode() if task.saved else b"null",
        database=chunk.database,
        round=task.round,
    )

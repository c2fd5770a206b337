"""The Context of a task, made only when the job asks for it: most jobs never do, and making it takes microseconds."""

import contextvars
from datetime import date
from typing import Any

import msgspec

from qflowd.jobs.context import Channel, Context, Facts, make_current
from qflowd.workers.wire import Assignment, Chunk, InstanceFacts

_NO_FACTS = InstanceFacts("")
_DECIMAL = "decimal_context"  # the one variable that is worth it
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TaskContext(Context):
    """Stands for one task after the other, until somebody keeps it; then it stays that one's for good.

    `partial`: lines that have not ended yet, by stream and thread.
    """

    __slots__ = ("_channel_of_slot", "_chunk", "_is_ready", "has_written", "is_kept", "partial", "task_in_hand")

    def __init__(self, channel: Channel) -> None:  # the base is initialised on first use
        self._channel_of_slot = channel
        self._is_ready = self.is_kept = self.has_written = False
        self.partial: dict[tuple[str, int], str] = {}

    def begin(self, chunk: Chunk, task: Assignment) -> None:
        """From now on it is the context of `task`."""
        self._chunk, self.task_in_hand = chunk, task

    def __getattr__(self, name: str) -> Any:
        """Python asks here for what the base has not set yet."""
        if self._is_ready or name in {"_chunk", "task_in_hand"}:
            raise AttributeError(name)
        self.is_kept = True
        super().__init__(facts_of(self._chunk, self.task_in_hand), self._channel_of_slot)
        self._is_ready = True  # not before: the handler of a signal may ask in between
        return getattr(self, name)

    def mark_cancelled(self) -> None:
        _ = self.fence  # or the first use would set it back
        super().mark_cancelled()


class ContextOfSlot:
    """What `context()` answers in one slot, and the context variables of its tasks. `alone`: threads of C code see it too."""

    def __init__(self, channel: Channel, *, alone: bool) -> None:
        self._channel = channel
        self._alone = alone
        self._variables: dict[str, contextvars.Context] = {}  # by module, as its import left them
        self._plain = contextvars.copy_context()
        self.current = TaskContext(channel)

    def begin(self, chunk: Chunk, task: Assignment) -> None:
        """`task` is what runs in this slot now."""
        if self.current.is_kept:
            self.current = TaskContext(self._channel)
        self.current.begin(chunk, task)

    def variables_of(self, module: str) -> contextvars.Context:
        """Fresh context variables, to run the task in: those that `module` set when it was imported."""
        variables = self._variables.get(module, self._plain).copy()
        variables.run(make_current, self.current, whole_process=self._alone)
        if module in self._variables:
            variables.run(_own_decimal)
        return variables

    def keep(self, module: str, variables: contextvars.Context) -> None:
        """`module` was imported with these."""
        if any(variable.name == _DECIMAL for variable in variables):
            self._variables.setdefault(module, variables)


def _own_decimal() -> None:
    """The context of `decimal` is an object that can be changed: each task has a copy."""
    import decimal

    decimal.setcontext(decimal.getcontext().copy())


def facts_of(chunk: Chunk, task: Assignment) -> Facts:
    """What `context()` tells of `task`."""
    instance = chunk.instances.get(task.instance_id, _NO_FACTS)
    upstream = "{}" if task.upstream is None else chunk.upstreams[task.upstream]
    return Facts(
        task_id=task.task_id,
        instance_id=task.instance_id,
        fence=task.fence,
        attempt=task.attempt,
        workflow=instance.workflow,
        task=task.task_key,
        job=chunk.job,
        params=_decode(chunk.params_of(task)),
        business_date=date.fromisoformat(instance.business_date) if instance.business_date else None,
        tenant=instance.tenant,
        upstream=upstream.encode() if isinstance(upstream, str) else upstream,
        saved=task.saved.encode() if task.saved else b"null",
        database=chunk.database,
        round=task.round,
    )

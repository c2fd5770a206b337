"""The Context of a task, and the context variables that it runs in."""

import contextvars
from datetime import date
from functools import cached_property
from typing import Any

import msgspec

from qflowd.jobs.context import Channel, Context, Facts, make_current
from qflowd.workers.wire import Assignment, Chunk, InstanceFacts

_NO_FACTS = InstanceFacts("")
_DECIMAL = "decimal_context"  # the one variable that is worth it
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class TaskContext(Context):
    """Made for every task, so it must cost next to nothing. `partial`: lines that have not ended yet, by stream and thread."""

    has_written = False

    def __init__(self, channel: Channel, chunk: Chunk, task: Assignment) -> None:
        self._channel, self._chunk, self.assignment = channel, chunk, task
        self.partial: dict[tuple[str, int], str] = {}

    @cached_property
    def _facts(self) -> Facts:  # type: ignore[override]
        """Only when the job asks: most never do, and making it takes microseconds."""
        chunk, task = self._chunk, self.assignment
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
            calendar=instance.calendar,
            calendars=chunk.calendars,
            tenant=instance.tenant,
            upstream=upstream.encode() if isinstance(upstream, str) else upstream,
            saved=task.saved.encode() if task.saved else b"null",
            database=chunk.database,
            round=task.round,
        )


class Variables:
    """The context variables of the tasks of one slot. `alone`: threads of C code see the attempt too."""

    def __init__(self, *, alone: bool) -> None:
        self._alone = alone
        self._by_module: dict[str, contextvars.Context] = {}  # as its import left them
        self._plain = contextvars.copy_context()

    def fresh(self, module: str, attempt: Context) -> contextvars.Context:
        """To run `attempt` in: what `module` set when it was imported."""
        variables = self._by_module.get(module, self._plain).copy()
        variables.run(make_current, attempt, whole_process=self._alone)
        if module in self._by_module:
            variables.run(_own_decimal)
        return variables

    def keep(self, module: str, variables: contextvars.Context) -> None:
        """`module` was imported with these."""
        if any(variable.name == _DECIMAL for variable in variables):
            self._by_module.setdefault(module, variables)


def _own_decimal() -> None:
    """The context of `decimal` is an object that can be changed: each task has a copy."""
    import decimal

    decimal.setcontext(decimal.getcontext().copy())

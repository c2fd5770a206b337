"""Jobs in two phases: what `@job` submits lands later, and `@job.poll` looks for it. Between looks no slot is held.

The ticket is kept as the checkpoint of the task, so it outlives worker, daemon and host; a look that finds nothing is a
deferral, which is not an attempt.
"""

import inspect
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, NoReturn

import msgspec

from qflowd.jobs.context import context
from qflowd.jobs.decorators import JobSpec, Poll
from qflowd.jobs.exceptions import Defer, NotYet
from qflowd.jobs.signature import Signature, signature
from qflowd.model.durations import format_duration
from qflowd.model.errors import QflowdError

Function = Callable[..., Any]


class NotLanded(QflowdError):
    """What a job has submitted was not there in time. The attempt has failed; the next one submits anew."""


class _Order(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The checkpoint of a task that has submitted. `submitted_at`: seconds since 1970. `looks`: that found nothing."""

    ticket: Any
    submitted_at: float
    looks: int


@dataclass(frozen=True, slots=True)
class _Phases:
    """The two functions of a job, and how to call the second."""

    submit: Function
    poll: Poll
    looked: Signature  # of the second

    def look(self, ticket: Any, arguments: Mapping[str, Any]) -> Any:
        """What the second function returns, a coroutine if it is one, for the ticket and those params that it takes."""
        first, *others = self.looked.parameters.values()
        if first.convert is not None:
            ticket = first.convert(ticket)
        wanted = (
            arguments if self.looked.is_open else {p.name: arguments[p.name] for p in others if p.name in arguments}
        )
        return self.poll.function(ticket, **wanted)


def in_phases(function: Function, spec: JobSpec | None) -> Function:
    """What a worker calls for the job of `spec`: `function`, or both of its phases in turn."""
    if spec is None or spec.poll is None:
        return function
    phases = _Phases(function, spec.poll, signature(spec.poll.function))
    is_async = inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(spec.poll.function)
    return _async_run(phases) if is_async else _run(phases)


def _run(phases: _Phases) -> Function:
    @wraps(phases.submit)
    def run(**arguments: Any) -> Any:
        order = _kept()
        if order is None:
            _wait_for(phases.submit(**arguments), phases.poll)
        try:
            return phases.look(order.ticket, arguments)
        except NotYet as why:
            _look_again(order, phases.poll, why)

    return run


def _async_run(phases: _Phases) -> Function:
    @wraps(phases.submit)
    async def run(**arguments: Any) -> Any:
        order = _kept()
        if order is None:
            _wait_for(await _value(phases.submit(**arguments)), phases.poll)
        try:
            return await _value(phases.look(order.ticket, arguments))
        except NotYet as why:
            _look_again(order, phases.poll, why)

    return run


async def _value(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result


def _kept() -> _Order | None:
    try:
        return msgspec.convert(context().saved, _Order)
    except msgspec.ValidationError:  # nothing, or what the first phase has kept for itself
        return None


def _wait_for(ticket: Any, poll: Poll) -> NoReturn:
    context().save({"ticket": ticket, "submitted_at": time.time(), "looks": 0})
    raise Defer(poll.first_s, reason="submitted")


def _look_again(order: _Order, poll: Poll, why: NotYet) -> NoReturn:
    looks = order.looks + 1
    # Where a test sets the clock, time passes by looks alone.
    waited_s = max(time.time() - order.submitted_at, poll.first_s + order.looks * poll.every_s)
    if waited_s >= poll.within_s:
        context().save(None)
        reason = f": {why.reason}" if why.reason else ""
        within = format_duration(poll.within_s)
        raise NotLanded(f"not there {within} after it was submitted (looked {looks} times){reason}") from None
    context().save(msgspec.structs.replace(order, looks=looks))
    raise Defer(min(poll.every_s, poll.within_s - waited_s), reason=why.reason or "not there yet")

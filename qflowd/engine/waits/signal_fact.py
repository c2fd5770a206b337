"""Signals: a task waits for one by its name, and for its own business date where the signal has one."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qflowd.engine.waits.fact import Fact, WaitEnd, WaitTerms, deadline, timed_out
from qflowd.model.errors import ExpressionFailed
from qflowd.model.names import fault_in_signal
from qflowd.model.states import FactKind, TaskState, WaitState
from qflowd.model.workflow import Json, WaitFor


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if what was rendered is not a name."""
    name = document["signal"]
    name = str(name) if isinstance(name, int) and not isinstance(name, bool) else name
    if fault := fault_in_signal(name):
        raise ExpressionFailed(f"wait_for.signal: {fault}")
    return WaitTerms(name, f"signal {name}", deadline(document, "timeout", now))


def end(wait: WaitFor, row: Any) -> WaitEnd:
    """The payload is the output; a signal that is there when its time is over has come."""
    if row.wait_state == WaitState.MET or row.late_signal_id is not None:
        return WaitEnd(TaskState.SUCCESS, output=row.payload if row.signal_id is not None else row.late_payload)
    return timed_out(wait, row)


SIGNAL = Fact(FactKind.SIGNAL, begin, end)

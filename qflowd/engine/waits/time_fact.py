"""Times: a task waits for a while (`delay`), or for an instant (`until`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qflowd.engine.waits.fact import Fact, WaitEnd, WaitTerms, deadline
from qflowd.model.instants import format_instant
from qflowd.model.states import FactKind, TaskState
from qflowd.model.workflow import Json, WaitFor


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if what was rendered is neither a duration nor an instant."""
    due_at = deadline(document, "delay" if "delay" in document else "until", now) or now
    return WaitTerms("", format_instant(due_at), due_at)


def end(_: WaitFor, __: Any) -> WaitEnd:
    """Its time has come."""
    return WaitEnd(TaskState.SUCCESS)


TIME = Fact(FactKind.TIME, begin, end)

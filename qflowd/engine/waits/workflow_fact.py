"""Workflows: a task waits until an instance of another one has succeeded for a business date; `successes.py` looks for it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from qflowd.engine.waits.fact import Fact, WaitEnd, WaitTerms, deadline, timed_out
from qflowd.model.errors import ExpressionFailed
from qflowd.model.instants import parse_date
from qflowd.model.names import fault_in_key
from qflowd.model.states import FactKind, TaskState
from qflowd.model.workflow import Json, WaitFor

NO_DATE = "wait_for.workflow: this instance has no business date; submit it with one, or name a `business_date` under `wait_for`"


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if what was rendered is neither a name nor a date, or a date is lacking."""
    name, day = document["workflow"], document.get("business_date")
    if fault := fault_in_key(name, "workflow key"):
        raise ExpressionFailed(f"wait_for.workflow: {fault}")
    if day is None:
        raise ExpressionFailed(NO_DATE)
    try:
        day = parse_date(str(day)).isoformat()
    except ValueError as error:
        raise ExpressionFailed(f"wait_for.business_date: {error}") from None
    due_at = deadline(document, "timeout", now)
    return WaitTerms(str(name), f"workflow {name} for {day}", due_at, business_date=day)


def end(wait: WaitFor, row: Any) -> WaitEnd:
    """The instance that has succeeded is the output, see `successes.py`; one that is there when time is over has come."""
    return timed_out(wait, row, "succeeded") if row.success_id is None else WaitEnd(TaskState.SUCCESS)


WORKFLOW = Fact(FactKind.WORKFLOW, begin, end)

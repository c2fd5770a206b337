"""The rows of what a workflow's active version expects: they are there as long as it says `expect_by`, or `deadline`."""

from collections.abc import Sequence
from enum import IntEnum
from typing import Any

from qflowd.calendars import timetable
from qflowd.calendars.expected_dates import Expectation
from qflowd.model.workflow import Workflow
from qflowd.store.tx import Tx


class ExpectationKind(IntEnum):
    """What becomes of a date when its time is over."""

    LATE = 0  # it is noted, unless a run has succeeded
    STOPPED = 1  # its runs are stopped


def save_expectations(tx: Tx, definition_id: int, workflow: Workflow) -> None:
    """Make what is stored that of a version. What has changed counts from now on: the past is not looked at."""
    rows = {row.kind: (row.due_by, row.calendar) for row in tx.run("find_expectations", definition_id=definition_id)}
    for kind, due_by in ((ExpectationKind.LATE, workflow.expect_by), (ExpectationKind.STOPPED, workflow.deadline)):
        key: dict[str, Any] = {"definition_id": definition_id, "kind": int(kind)}
        if not due_by and kind in rows:
            tx.run("delete_expectation", **key)
        elif due_by and rows.get(kind) != (due_by, workflow.calendar):
            tx.run("save_expectation", **key, due_by=due_by, calendar=workflow.calendar)


def expectation_of(row: Any, schedules: Sequence[Any]) -> Expectation | None:
    """What a row of an expectation says, with all schedules of its workflow; None while these, or it, are off."""
    is_on = [each for each in schedules if each.is_on]
    if not row.is_on or (schedules and not is_on):
        return None
    return Expectation(row.due_by, row.calendar, tuple(map(timetable.times_in, is_on)))

"""Approvals: a task waits for a person to approve or reject; the commands for that are in `approve.py`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from qflowd.engine.waits.fact import LONGEST_SUBJECT, Fact, WaitEnd, WaitTerms, deadline
from qflowd.model import jsontext
from qflowd.model.instants import format_instant
from qflowd.model.states import FactKind, Reason, TaskState, WaitState
from qflowd.model.workflow import Json, WaitFor

REJECTED, APPROVED = 0, 1
NOBODY: Final = "nobody answered by the deadline"


def begin(document: Mapping[str, Json], now: datetime) -> WaitTerms:
    """Raises: ExpressionFailed if the deadline is neither a duration nor an instant."""
    asked = document["approval"]
    subject = asked if isinstance(asked, str) else jsontext.dump(asked)
    default = APPROVED if document.get("default") == "approve" else REJECTED
    return WaitTerms("", jsontext.clean_text(subject)[:LONGEST_SUBJECT], deadline(document, "deadline", now), default)


def end(wait: WaitFor, row: Any) -> WaitEnd:
    """Who answered, when and why is the output of an approval, and the error of a rejection."""
    is_answered = row.wait_state == WaitState.MET
    if is_answered and row.answer == REJECTED:
        note = f": {row.note}" if row.note else ""
        return WaitEnd(TaskState.FAILED, Reason.ERROR, error=f"rejected by {row.answered_by or 'somebody'}{note}")
    if not is_answered and wait.default == "reject":
        by = format_instant(row.deadline_at)
        return WaitEnd(TaskState.FAILED, Reason.TIMEOUT, error=f"nobody had approved {row.subject!r} by {by}")
    at = row.answered_at if is_answered else row.deadline_at
    answer = {"approved": True, "by": row.answered_by, "at": format_instant(at), "note": row.note}
    return WaitEnd(TaskState.SUCCESS, output=jsontext.dump(answer if is_answered else answer | {"note": NOBODY}))


APPROVAL = Fact(FactKind.APPROVAL, begin, end)

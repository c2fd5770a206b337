"""Facts: the one table of what a task may wait for. Each kind of fact is a file of its own, and pure."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from qflowd.define.waits import moment
from qflowd.engine.waits.wanted_files import WantedFiles
from qflowd.engine.waits.wanted_query import WantedQuery
from qflowd.model.errors import ExpressionFailed
from qflowd.model.instants import format_instant
from qflowd.model.states import FactKind, Reason, TaskState
from qflowd.model.workflow import Json, WaitFor

LONGEST_SUBJECT = 1000  # characters


class WaitTerms(NamedTuple):
    """What a task waits for, with its expressions rendered.

    `name`: by which the fact is looked up, "" where nothing else brings it about. `subject`: the same for people.
    `deadline_at`: when the wait is over, whatever has come; None: never. `default_answer`: of an approval.
    `business_date`: for which the fact is to be. `wanted`: what daemons look for outside of the database.
    """

    name: str
    subject: str
    deadline_at: datetime | None
    default_answer: int | None = None
    business_date: str | None = None
    wanted: WantedFiles | WantedQuery | None = None


class WaitEnd(NamedTuple):
    """How a wait has ended. SUCCESS: a task with a job may run now; one that only waits has the output."""

    state: TaskState
    reason: Reason = Reason.NONE
    output: str | None = None
    error: str | None = None


class Fact(NamedTuple):
    """A kind of fact.

    `begin`: of the document under `wait_for` with its expressions rendered, and the present; where it names no
    `business_date`, it has that of the instance, if there is one. `end`: of a row of `list_woken`, which is MET or OVER.
    """

    kind: FactKind
    begin: Callable[[Mapping[str, Json], datetime], WaitTerms]
    end: Callable[[WaitFor, Any], WaitEnd]


def deadline(document: Mapping[str, Json], key: str, now: datetime) -> datetime | None:
    """The instant under a key; None where there is nothing.

    Raises: ExpressionFailed if it is neither a duration nor an instant.
    """
    if key not in document:
        return None
    try:
        return moment(document[key], now)
    except ValueError as error:
        raise ExpressionFailed(f"wait_for.{key}: {error}") from None


def timed_out(wait: WaitFor, row: Any, what: str = "come") -> WaitEnd:
    """What `on_timeout` has a wait end with; `what`: the fact had not done it. What was seen of it last is said."""
    if wait.on_timeout == "continue":
        return WaitEnd(TaskState.SUCCESS)
    state = TaskState.SKIPPED if wait.on_timeout == "skip" else TaskState.FAILED
    seen = f"; {row.remark}" if row.remark else ""
    error = f"{row.subject} had not {what} by {format_instant(row.deadline_at)}{seen}"
    return WaitEnd(state, Reason.TIMEOUT, error=error)

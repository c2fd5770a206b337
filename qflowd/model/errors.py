"""Every error qflowd raises on purpose. Messages name the thing and the remedy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any


class QflowdError(Exception):
    """Base of all errors of qflowd."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file or document.

    `file` is empty for a database row. `line` counts from 1; 0 where the source has no lines (a builder, a row).
    `key` is the path inside the document, such as `tasks.bars.after`.
    """

    file: str
    line: int
    key: str
    message: str

    def __str__(self) -> str:
        if not self.file:
            is_named = not self.key or self.message.startswith(f"{self.key} ")
            return self.message if is_named else f"{self.key}: {self.message}"
        where = f"{self.file}:{self.line}" if self.line else self.file
        return f"{where}: {self.key}: {self.message}" if self.key else f"{where}: {self.message}"


class CycleFault(Fault):
    """Tasks of a document would wait for each other."""

    __slots__ = ()


class FaultyDocument(QflowdError):
    """A document has faults; all of them are in `faults`, in the order of their lines."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line)))
        super().__init__("\n".join(map(str, self.faults)))


class InvalidWorkflow(FaultyDocument):
    """A workflow file or builder does not describe a workflow."""


class InvalidConfig(FaultyDocument):
    """The configuration cannot be used."""


class InvalidExpression(QflowdError):
    """An expression `{{ … }}` is not in our language."""


class ExpressionFailed(QflowdError):
    """An expression is well formed, but has no value for these facts."""


class SkippedByPerson(QflowdError):
    """A person wants this task not to be run; the message says who and why."""


class InvalidParams(QflowdError):
    """Parameters do not fit their schema."""


class InvalidRequest(QflowdError):
    """A call of the SDK or the CLI cannot mean anything."""


class NameTaken(InvalidRequest):
    """Something of this name is there already."""


class NotFound(QflowdError):
    """The named thing does not exist."""


class AccessDenied(QflowdError):
    """The HTTP API does not know the token, or it may not do this."""


class CycleFound(QflowdError):
    """These tasks would wait for each other. `path`: in the direction of work, its first key repeated at the end."""

    def __init__(self, path: Sequence[str]) -> None:
        self.path = tuple(path)
        super().__init__(f"cycle: {' -> '.join(path)}")


class Unreadable(QflowdError):
    """What the database holds cannot be worked with here: a newer qflowd wrote it, or a part of it is gone."""


class Unwanted(QflowdError):
    """A task is not to run: its `when` does not hold."""


class BreakerIsOpen(QflowdError):
    """A task is not to run while the breaker of a limit is open: its workflow says what runs instead."""


class Unreached(QflowdError):
    """A row that is ready only to end: what it waits for has ended, and not in its favour. `row`: of `list_unmet`."""

    def __init__(self, row: Any) -> None:
        super().__init__("what it waits for did not succeed")
        self.is_failed: bool = row.bad_parents > 0


class Rejected(QflowdError):
    """The engine answered a submission or command with REJECTED."""


class StoreUnavailable(QflowdError):
    """The database cannot be reached now; worth another try."""


class RowsLocked(StoreUnavailable):
    """Somebody else's transaction has kept rows locked for longer than a session may wait; what needs others may continue."""


class QueryTooSlow(StoreUnavailable):
    """A statement ran longer than a session of its kind may run one, and was stopped by the database."""


class GrantsMissing(QflowdError):
    """The account of the database may not do this: somebody who owns the schema has to grant it."""


class StoreUnsupported(QflowdError):
    """The database server lacks something that qflowd cannot do without."""


class SchemaOutdated(QflowdError):
    """The schema is older than this qflowd; run `qflowd migrate`."""


class SchemaMissing(SchemaOutdated):
    """There is no schema at all yet, so nobody has stored anything."""


class SchemaTooNew(QflowdError):
    """The schema was made by a newer qflowd; upgrade this one."""


class LeaseLost(QflowdError):
    """This daemon no longer owns what it meant to write."""


class RefusedPath(QflowdError):
    """A plugin folder or file may not be trusted, because others can write to it."""


class OutsideCalendar(QflowdError):
    """A calendar does not know of a day: it lies before its first one, or past its horizon, the `last`."""

    def __init__(
        self,
        calendar: str,
        what: str,
        first: date,
        last: date,
        *,
        is_past: bool,
        remedy: str = "a newer release of qflowd may know more",
    ) -> None:
        self.calendar, self.first, self.last = calendar, first, last
        past = f"is known to {last}, and {what} is past that horizon; {remedy}"
        super().__init__(
            f"calendar {calendar} {past if is_past else f'begins on {first}, and {what} lies before that'}"
        )

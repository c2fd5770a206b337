"""Approvals: tasks that wait for a person to approve or reject."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from qflowd.api.access.authorization import check_tasks
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.roles import Role


class ApprovalItem(Item):
    """A task that waits. `id`: of the task; `default_answer`, approve or reject, counts if nobody answers by `deadline_at`."""

    id: int
    instance_id: int
    workflow: str
    task: str
    business_date: date | None
    subject: str
    asked_at: datetime
    deadline_at: datetime | None
    default_answer: str


class AnswerBody(Body):
    """Why; it is kept with the answer."""

    note: str | None = None


class ApprovalQuery(PageQuery):
    """A page of the list."""


@route("GET", "/approvals", Role.READ)
def list_approvals(call: Call, query: ApprovalQuery) -> ListPage[ApprovalItem]:
    """What waits for a person, that of the oldest instances first."""
    (after,) = read_cursor(query, tuple[Id]) or (0,)
    rows = find_approvals(call, after, query.limit + 1)
    return page_of(query, rows, "id", make=lambda row: ApprovalItem(**fields_of(row, ApprovalItem)))


def find_approvals(call: Call, after: int, batch: int) -> Sequence[Any]:
    """Rows of `find_open_approvals` behind an id."""
    return call.read("find_open_approvals", after=after, batch=batch)


@route("POST", "/tasks/{id}/approve", Role.OPERATE, errors=REFUSALS, does="command approve")
def approve_task(call: Call, id: int, body: AnswerBody) -> CommandResult:
    """Let a task continue that waits for an approval."""
    check_tasks(call, [id])
    return asked(call, "approve", task_id=id, reason=body.note)


@route("POST", "/tasks/{id}/reject", Role.OPERATE, errors=REFUSALS, does="command reject")
def reject_task(call: Call, id: int, body: AnswerBody) -> CommandResult:
    """Let a task fail that waits for an approval."""
    check_tasks(call, [id])
    return asked(call, "reject", task_id=id, reason=body.note)

"""Approvals: tasks that wait for a person to approve or reject."""

from datetime import date, datetime
from typing import Any

from qflowd.api.access.authorization import check_tasks
from qflowd.api.answers import Item
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import ReasonBody
from qflowd.api.inbox.outcomes import REFUSALS, CommandResult, asked
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.model.roles import Role


class ApprovalItem(Item):
    """A task that waits. `default_answer`, approve or reject, counts if nobody answers by `deadline_at`."""

    task_id: str
    instance_id: int
    workflow: str
    task: str
    business_date: date | None
    subject: str
    asked_at: datetime
    deadline_at: datetime | None
    default_answer: str


@route("GET", "/approvals", Role.READ)
def list_approvals(call: Call, query: PageQuery) -> ListPage[ApprovalItem]:
    """What waits for a person, that of the oldest instances first."""
    (after,) = read_cursor(query, tuple[Id]) or (0,)
    rows = call.read("find_open_approvals", after=after, batch=query.limit + 1)
    return page_of(query, rows, "id", make=_item)


def _item(row: Any) -> ApprovalItem:
    return ApprovalItem(**fields_of(row, ApprovalItem) | {"task_id": str(row.id)})


@route("POST", "/tasks/{id}/approve", Role.OPERATE, errors=REFUSALS, does="command approve")
def approve_task(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Let a task continue that waits for an approval; the reason is kept with the answer."""
    check_tasks(call, [id])
    return asked(call, "approve", task_id=id, reason=body.reason)


@route("POST", "/tasks/{id}/reject", Role.OPERATE, errors=REFUSALS, does="command reject")
def reject_task(call: Call, id: int, body: ReasonBody) -> CommandResult:
    """Let a task fail that waits for an approval."""
    check_tasks(call, [id])
    return asked(call, "reject", task_id=id, reason=body.reason)

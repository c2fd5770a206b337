"""Commands: rows of the SQL contract's inbox, whatever their action."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

import msgspec

from qflowd.api.answers import ApiFault
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import of_all, refuse_both
from qflowd.api.inbox.inboxes import ask_all, command_row
from qflowd.api.inbox.outcomes import REFUSALS, CommandList, CommandResult, all_asked, asked, read_command, shown
from qflowd.api.inbox.waiting import Awaited
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.api.targets import (
    ROLE_OF,
    check_instances,
    check_jobs,
    check_tasks,
    refuse_action,
    refuse_defining,
    refuse_filter,
    refuse_limit,
    refuse_unlisted,
)
from qflowd.model.roles import Role

MOST_ROWS: Final = 1000


class CommandRow(Body):
    """A command as in the SQL contract; `filter` and `args` are objects."""

    action: str
    instance_id: int | None = None
    workflow: str | None = None
    task: str | None = None
    task_id: int | str | None = None
    filter: dict[str, Any] | None = None
    args: dict[str, Any] | None = None
    reason: str | None = None


class CommandRows(Body):
    """A command; or `items`, several, which are written together."""

    action: str | None = None
    instance_id: int | None = None
    workflow: str | None = None
    task: str | None = None
    task_id: int | str | None = None
    filter: dict[str, Any] | None = None
    args: dict[str, Any] | None = None
    reason: str | None = None
    items: Annotated[list[CommandRow], msgspec.Meta(min_length=1, max_length=MOST_ROWS)] | None = None


@route("POST", "/commands", Role.SUBMIT, errors=REFUSALS, does="commands", largest_body=4_000_000)
def create_commands(call: Call, body: CommandRows) -> CommandResult | CommandList:
    """Ask for any action, or for many at once (`items`): all rows are written, or none. The role needed is the action's.

    Of many the answer says what has become of each.
    """
    if body.items is None:
        _check_targets(call, [body])
        return asked(call, ask_all(call, [_row_of(call, body)])[0])
    refuse_both(body)
    _check_targets(call, body.items)
    return all_asked(call, ask_all(call, of_all(body.items, lambda item: _row_of(call, item))))


@route("GET", "/commands/{id}", Role.READ, errors=(40401,), does="commands")
def show_command(call: Call, id: int) -> CommandResult:
    """A command; `?wait=` waits until it is answered."""
    return shown(call, Awaited.COMMAND, id, lambda: read_command(call, id))


def _check_targets(call: Call, rows: Sequence[CommandRow | CommandRows]) -> None:
    """May the caller do all this, and is there what is named? Asked for all rows together. Raises: ApiFault 403, 404."""
    for action in {row.action or "" for row in rows}:
        refuse_action(call, action)
    check_tasks(call, [_number(row.task_id) for row in rows if row.task_id is not None])
    check_instances(call, [row.instance_id for row in rows if row.task_id is None and row.instance_id is not None])
    changing = {row.workflow for row in rows if ROLE_OF.get(row.action or "", Role.DEFINE) >= Role.DEFINE}
    for workflow in changing:
        refuse_defining(call, workflow)
    for workflow in {row.workflow for row in rows if row.workflow is not None} - changing:
        refuse_unlisted(call, workflow=workflow)
        check_jobs(call, workflow, None)


def _row_of(call: Call, body: CommandRow | CommandRows) -> dict[str, Any]:
    columns = msgspec.structs.asdict(body)
    columns.pop("items", None)
    action = columns.pop("action") or ""
    if (task_id := columns["task_id"]) is not None:
        columns["task_id"] = _number(task_id)
    if body.filter is not None:
        refuse_filter(call, body.filter)
    if isinstance(limit := (body.args or {}).get("limit"), str):
        refuse_limit(call, limit)
    return command_row(call, action, **columns)


def _number(task_id: int | str) -> int:
    """Of a task; browsers cannot hold it as a number."""
    if isinstance(task_id, str) and not (task_id.isascii() and task_id.isdecimal()):
        raise ApiFault(42202, f"task_id: must be a whole number, not {task_id[:60]!r}")
    return int(task_id)

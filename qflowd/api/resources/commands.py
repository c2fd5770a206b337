"""Commands: rows of the SQL contract's inbox, whatever their action."""

from typing import Annotated, Any

import msgspec

from qflowd.api.access.authorization import bounded_filter, check_commands, check_words
from qflowd.api.answers import Awaited
from qflowd.api.call import Call
from qflowd.api.inbox.bodies import LARGEST_ROWS, MOST_ROWS, of_all, refuse_both, task_number
from qflowd.api.inbox.inboxes import ask_all, command_row
from qflowd.api.inbox.outcomes import REFUSALS, CommandList, CommandResult, all_asked, asked, read_command, shown
from qflowd.api.reading import Body
from qflowd.api.routing import route
from qflowd.model.roles import Role


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


class CommandRows(CommandRow):
    """A command; or `items`, several, which are written together."""

    action: str | None = None  # type: ignore[assignment]  # each of the items has its own
    items: Annotated[list[CommandRow], msgspec.Meta(min_length=1, max_length=MOST_ROWS)] | None = None


@route("POST", "/commands", Role.SUBMIT, errors=(*REFUSALS, 40401), largest_body=LARGEST_ROWS)
def create_commands(call: Call, body: CommandRows) -> CommandResult | CommandList:
    """Ask for any action, or for many at once (`items`): all rows are written, or none. The role needed is the action's.

    Of many the answer says what has become of each.
    """
    if body.items is not None:
        refuse_both(body)
    rows = [_columns_of(call, row) for row in ([body] if body.items is None else body.items)]
    check_commands(call, rows)
    if body.items is None:
        check_words(call, rows[0])
        return asked(call, **rows[0])
    return all_asked(call, ask_all(call, of_all(rows, lambda row: _row_of(call, row))))


@route("GET", "/commands/{id}", Role.READ)
def show_command(call: Call, id: int) -> CommandResult:
    """A command; `?wait=` waits until it is answered."""
    return shown(call, Awaited.COMMAND, id, lambda: read_command(call, id))


def _columns_of(call: Call, body: CommandRow) -> dict[str, Any]:
    columns = msgspec.structs.asdict(body) | {"action": body.action or ""}
    columns.pop("items", None)
    if columns["task_id"] is not None:
        columns["task_id"] = task_number("task_id", columns["task_id"])
    if body.filter is not None:
        columns["filter"] = bounded_filter(call, body.filter)
    return columns


def _row_of(call: Call, columns: dict[str, Any]) -> dict[str, Any]:
    check_words(call, columns)
    return command_row(call, **columns)

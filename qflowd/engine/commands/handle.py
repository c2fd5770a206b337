"""Handle: a person says of failures that they are taken care of. They leave the view `failures`; the rows stay as they are."""

from datetime import UTC, datetime
from typing import Any, Final

from qflowd.define.selection import Selection
from qflowd.engine.commands.control import Caches, CarriedOut, Command, NotPossible, one_instance, verb
from qflowd.engine.refusal import LONGEST_ERROR
from qflowd.model import jsontext
from qflowd.model.ids import key_range
from qflowd.model.names import item_name
from qflowd.store.tx import Tx

LONG_AGO: Final = datetime(1970, 1, 2, tzinfo=UTC)
NAMED: Final = 20  # failures named in an answer


@verb(
    "handle",
    needs=one_instance,
    batch=100,
    is_of_failures=True,
    takes_task=True,
    reason_is=", such as what was done about it; it is kept with the failure",
    not_possible="instance {id} is {state}, and {what} has no failure that nobody has handled",
)
def handle(tx: Tx, command: Command, target: Any, _: Caches) -> CarriedOut:
    """Mark failures of an instance (those of the task that is named, or all) as handled, by whom and why.

    A later failure of the same task is a new one.

    Raises: NotPossible if there is none.
    """
    failures = [row for row in failures_of(tx, target.id, Selection()) if _is_meant(command, row)]
    if not failures:
        what = "it" if command.task is None and command.task_id is None else f"task {command.task or command.task_id}"
        raise NotPossible(target, what=what)
    note = jsontext.clean_text(command.reason or "")[:LONGEST_ERROR]
    rows = [(row.id, row.fence) for row in failures]
    tx.run("handle_failures", rows=rows, handled_by=command.requested_by, note=note, now=tx.now)
    names = [item_name(row) for row in failures[:NAMED]]
    return CarriedOut({"instance_id": target.id, "handled": names, "failures": len(failures)})


def failures_of(tx: Tx, instance_id: int, selection: Selection) -> list[Any]:
    """Failures of an instance that nobody has handled, and that meet the conditions: rows of `list_failures`."""
    since = selection.since_at(tx.now) or LONG_AGO
    rows = tx.run("list_failures", **key_range(instance_id), since=since)
    return [row for row in rows if selection.has_failure(row)]


def _is_meant(command: Command, row: Any) -> bool:
    if command.task_ids and row.id not in command.task_ids:
        return False
    is_named = command.task is None or command.task in (row.task, item_name(row), f"{row.task}[{row.map_index}]")
    return is_named and command.task_id in (None, row.id)

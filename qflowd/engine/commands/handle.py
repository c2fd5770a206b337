"""Handle: a person says of failures that they are taken care of. They leave the view `failures`; the rows stay as they are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from qflowd.define.selection import Selection
from qflowd.engine.commands.control import Caches, Command, NotPossible, Reply, one_instance, verb
from qflowd.engine.refusal import LONGEST_ERROR, NAMED, Refused, listed
from qflowd.model import jsontext
from qflowd.model.ids import key_range
from qflowd.model.names import shown_name
from qflowd.model.near_names import did_you_mean
from qflowd.model.refusals import Refusal
from qflowd.store.tx import Tx

LONG_AGO: Final = datetime(1970, 1, 2, tzinfo=UTC)


@verb(
    "handle",
    needs=one_instance,
    batch=100,
    is_of_failures=True,
    takes_task=True,
    reason_is=", such as what was done about it; it is kept with the failure",
    not_possible="instance {id} is {state}, and {what} has no failure that nobody has handled{others}",
)
def handle(tx: Tx, command: Command, target: Any, _: Caches) -> Reply:
    """Mark failures of an instance (those of the task that is named, or all) as handled, by whom and why.

    A later failure of the same task is a new one.

    Raises: NotPossible if there is none.
    """
    unhandled = failures_of(tx, target.id, Selection())
    failures = [row for row in unhandled if _is_meant(command, row)]
    if not failures:
        _refuse_unknown(tx, command, target)
        what = f"task {command.task or command.task_id}" if command.names_task else "it"
        raise NotPossible(target, what=what, others=_others(unhandled))
    note = jsontext.clean_text(command.reason or "")[:LONGEST_ERROR]
    rows = [(row.id, row.fence) for row in failures]
    tx.run("handle_failures", rows=rows, handled_by=command.requested_by, note=note, now=tx.now)
    names = [shown_name(row) for row in failures[:NAMED]]
    return Reply({"instance_id": target.id, "handled": names, "failures": len(failures)})


def failures_of(tx: Tx, instance_id: int, selection: Selection) -> list[Any]:
    """Failures of an instance that nobody has handled, and that meet the conditions: rows of `list_failures`."""
    since = selection.since_at(tx.now) or LONG_AGO
    rows = tx.run("list_failures", **key_range(instance_id), since=since)
    return [row for row in rows if selection.has_failure(row)]


def _is_meant(command: Command, row: Any) -> bool:
    if command.task_ids and row.id not in command.task_ids:
        return False
    return command.task_id in (None, row.id) and (command.task is None or command.task in _names(row))


def _names(row: Any) -> set[str]:
    """What a row is called: by its task alone, and of an item by its label or its index as well."""
    undo = "undo " if row.kind == "compensation" else ""
    by_index = "" if row.map_index is None else f"[{row.map_index}]"
    return {undo + row.task, shown_name(row), f"{undo}{row.task}{by_index}"}


def _others(unhandled: Sequence[Any]) -> str:
    """What a refusal says of failures that were not named."""
    names = listed([shown_name(row) for row in unhandled])
    is_undone = any(row.kind == "compensation" for row in unhandled)
    return f"; {names} can be {'handled or retried' if is_undone else 'handled, retried or skipped'}" if names else ""


def _refuse_unknown(tx: Tx, command: Command, target: Any) -> None:
    """Raises: Refused if the instance has tasks, but none of the name that a command gives."""
    rows = tx.run("list_task_names", instance_id=target.id, **key_range(target.id))
    if command.task is None or not rows or any(command.task in _names(row) for row in rows):
        return
    key, bracket, label = command.task.removesuffix("]").partition("[")
    items = [row for row in rows if row.map_index is not None and key in _names(row)]
    if bracket and items:
        labels = {shown_name(row).partition("[")[2].removesuffix("]") for row in items}
        raise Refused(
            f"task {key} of instance {target.id} has no item {label!r}{did_you_mean(label, labels)}", Refusal.NOT_FOUND
        )
    keys = {shown_name(row).partition("[")[0] for row in rows}
    raise Refused(f"instance {target.id} has no task {command.task!r}{did_you_mean(key, keys)}", Refusal.NOT_FOUND)

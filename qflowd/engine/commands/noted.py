"""Noted: what commands did is in the audit, also where they came by SQL or the command line; written with their answer."""

from typing import Any, Final

from qflowd.engine.access.audit import LONGEST_OBJECT, as_text
from qflowd.engine.commands.control import Command
from qflowd.store.tx import Tx

# Actions that the audit calls by other words, as it does those of the HTTP API.
WORDS: Final = {"terminate": "cancel", "stop": "cancel", "start": "trigger"}
TARGETS: Final = (("task_id", "task"), ("instance_id", "instance"), ("workflow", "workflow"), ("task", "definition"))


def note_done(tx: Tx, number: int, command: Command | None, error: str | None = None) -> None:
    """Note a command that is being answered, unless it has its entry already; a dry run has done nothing.

    `command`: None if it cannot be read. `error`: why it was rejected.
    """
    if command is not None and command.is_dry_run:
        return
    kind, name, values = ("command", str(number), {}) if command is None else _about(command)
    if error is not None:
        values["error"] = error
    tx.run(
        "note_command_done",
        id=number,
        action=None if command is None else WORDS.get(command.action),
        object_type=kind,
        object=name[:LONGEST_OBJECT],
        changed_to=as_text(values),
        outcome="done" if error is None else "rejected",
        now=tx.now,
    )


def _about(command: Command) -> tuple[str, str, dict[str, Any]]:
    """What a command is for, and what it asks."""
    values: dict[str, Any] = {"task": command.task, "args": dict(command.args) or None, "reason": command.reason}
    values = {name: value for name, value in values.items() if value is not None}
    for column, kind in TARGETS:
        if (name := getattr(command, column)) is not None:
            return kind, str(name), values
    for kind in ("limit", "calendar", "backfill"):
        if kind in command.args:
            return kind, str(command.args[kind]), values
    return "command", str(command.id), values

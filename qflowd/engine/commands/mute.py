"""Mute: a person wants to hear nothing of a group of failures for a while. The failures stay what they are, and are still listed."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

from qflowd.define.readers import Reader, text
from qflowd.engine.commands.control import (
    Caches,
    Command,
    NotPossible,
    Reply,
    fields_of_args,
    refuse_faults,
    refuse_other_targets,
    verb,
)
from qflowd.engine.refusal import LONGEST_ERROR
from qflowd.model import jsontext
from qflowd.model.durations import parse_period
from qflowd.store.tx import Tx

LONGEST_S: Final = 400 * 86_400.0  # who never wants to hear of a failure handles it


def _period(value: object) -> float:
    seconds = parse_period(value)
    if not 0 < seconds <= LONGEST_S:
        raise ValueError("must be above 0, and at most 400d")
    return seconds


_GROUP: Final[Mapping[str, Reader[Any]]] = MappingProxyType({"task": text, "error_class": text})


def muted_group(_: Tx, command: Command) -> dict[str, Any]:
    """The group of failures that `args` name, as columns, and `for`, seconds. Raises: Refused."""
    refuse_other_targets(command)
    fields = fields_of_args(command)
    group: dict[str, Any] = {name: fields.need(name, read, "") for name, read in _GROUP.items()}
    group["workflow"] = fields.take("workflow", text, "")  # of a single job: none
    if command.action == "mute":
        group["for"] = fields.need("for", _period, 0.0)
    fields.close()
    refuse_faults(fields)
    return group


@verb(
    "mute",
    needs=muted_group,
    args=None,
    reason_is=", such as who is told already; it is kept",
    not_possible="failures of {task} cannot be muted",
)
def mute(tx: Tx, command: Command, group: Any, _: Caches) -> Reply:
    """Keep a group of failures out of what waits for a person, until a time. A second mute replaces the first."""
    where = {name: group[name] for name in ("workflow", "task", "error_class")} | {"tenant": command.tenant}
    until = tx.now + timedelta(seconds=group["for"])
    reason = jsontext.clean_text(command.reason or "")[:LONGEST_ERROR]
    tx.run("end_mutes", **where, now=tx.now)
    tx.run("insert_mute", **where, now=tx.now, until_at=until, muted_by=command.requested_by, reason=reason)
    return Reply({**_named(group), "muted_until": until.isoformat()})


@verb("unmute", needs=muted_group, args=None, not_possible="failures of {task} with {error_class} are not muted")
def unmute(tx: Tx, command: Command, group: Any, _: Caches) -> Reply:
    """End the mute of a group.

    Raises: NotPossible if there is none.
    """
    if not tx.count("end_mutes", **group, tenant=command.tenant, now=tx.now):
        raise NotPossible(**group)
    return Reply(_named(group))


def _named(group: Mapping[str, Any]) -> dict[str, Any]:
    return {"workflow": group["workflow"] or None, "task": group["task"], "error_class": group["error_class"]}

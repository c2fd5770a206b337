"""The audit: what was done, by whom, in the same transaction as what it tells. Secrets never get into it."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from qflowd.model.instants import EARLIEST, FOREVER
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.plain import plain
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

LONGEST_VALUES: Final = 16 << 10  # characters of JSON of what something was before, and after
LONGEST_OBJECT: Final = 200
MASK: Final = "•••"
SECRET: Final = re.compile(r"secret|password|passwd|token|credential|api_?key|private_?key|(^|_)code$", re.IGNORECASE)


class Actor(NamedTuple):
    """Who does something, and by which way. On the command line: `user@host`, who may do everything."""

    name: str
    tenant: str = DEFAULT_TENANT
    role: Role = Role.SYSTEM
    token: str | None = None  # its id
    session: int | None = None
    address: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """One thing that was done. `tenant`: whose object it is. `before`, `after`: as a whole; only what differs is kept."""

    tenant: str
    action: str  # in capitals: CREATE, UPDATE, LOGIN …
    object_type: str
    object: str
    principal: str | None = None
    token: str | None = None
    session: int | None = None
    address: str | None = None
    request_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    outcome: str = "done"
    command_id: int | None = None
    submission_id: int | None = None


def write_audit(tx: Tx, entry: AuditEntry) -> None:
    """Add an entry."""
    before, after = differences(entry.before, entry.after)
    tx.run(
        "insert_audit",
        now=tx.now,
        tenant=entry.tenant,
        principal=entry.principal,
        token=entry.token,
        session_id=entry.session,
        address=entry.address,
        request_id=entry.request_id,
        action=entry.action,
        object_type=entry.object_type,
        object=entry.object[:LONGEST_OBJECT],
        changed_from=as_text(before),
        changed_to=as_text(after),
        command_id=entry.command_id,
        submission_id=entry.submission_id,
        outcome=entry.outcome,
    )


def record(tx: Tx, actor: Actor, action: str, object_type: str, object: str, **about: Any) -> None:  # noqa: A002 - the column
    """Add an entry about something of the actor's tenant. `about`: further fields of it, such as `before` and `after`."""
    by = {name: getattr(actor, name) for name in ("tenant", "token", "session", "address", "request_id")}
    entry = AuditEntry(principal=actor.name, action=action, object_type=object_type, object=object, **by, **about)
    write_audit(tx, entry)


class WantedEntries(NamedTuple):
    """Which entries: from `since` to `until`, of those who did it, and of one action or (type of) object; "" is any."""

    since: datetime = EARLIEST
    until: datetime = FOREVER
    action: str = ""
    principal: str = ""
    object_type: str = ""
    object: str = ""


def list_audit(
    tx: Tx,
    tenant: str,
    wanted: WantedEntries,
    after: tuple[datetime, int] | None = None,
    limit: int = 500,
    *,
    oldest_first: bool = False,
) -> list[Any]:
    """Rows of entries, the newest first unless `oldest_first`, behind the one with this instant and id."""
    common: dict[str, Any] = {
        "tenant": tenant,
        "action": wanted.action,
        "principal": wanted.principal,
        "object_type": wanted.object_type,
        "batch": limit,
    }
    is_of_object = bool(wanted.object_type and wanted.object)
    if is_of_object:
        common["object"] = wanted.object
    if oldest_first:
        at, number = after or (wanted.since, 0)
        name = "list_audit_of_object_oldest_first" if is_of_object else "list_audit_oldest_first"
        return tx.run(name, after_at=at, after=number, until_at=wanted.until, **common)
    at, number = after or (wanted.until, 1 << 62)
    name = "list_audit_of_object" if is_of_object else "list_audit"
    return tx.run(name, since=wanted.since, before_at=at, before=number, **common)


def differences(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    """The fields that differ, as they were and as they are."""
    if before is None or after is None:
        return before, after
    changed = [key for key in {**before, **after} if before.get(key) != after.get(key)]
    return {key: before.get(key) for key in changed}, {key: after.get(key) for key in changed}


def masked(value: Any) -> Any:
    """`value` with a mask for whatever is named like a secret, at any depth."""
    if isinstance(value, Mapping):
        return {
            key: MASK if SECRET.search(str(key)) and inner is not None else masked(inner)
            for key, inner in value.items()
        }
    return [masked(inner) for inner in value] if isinstance(value, list | tuple) else value


def as_text(values: Mapping[str, Any] | None) -> str | None:
    """As JSON; of too much, the names of the fields and how large they are."""
    if values is None:
        return None
    shown = masked(plain(values))
    text = json.dumps(shown, ensure_ascii=False)
    if len(text) <= LONGEST_VALUES:
        return text
    sizes = {key: f"{len(json.dumps(value)):,} characters" for key, value in shown.items()}
    return json.dumps(dict(list(sizes.items())[:200]), ensure_ascii=False)

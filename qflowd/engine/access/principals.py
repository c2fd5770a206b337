"""Principals: people and services that call the API, each with a role in one tenant. Nobody needs one for SQL or the command line."""

from typing import Any, Final, NamedTuple

from qflowd.engine.access.audit import Actor, record
from qflowd.engine.refusal import Refused
from qflowd.model.errors import InvalidRequest, NameTaken, NotFound
from qflowd.model.names import fault_in_key, fault_in_principal
from qflowd.model.roles import Role
from qflowd.store.tx import Duplicate, Tx

KINDS: Final = ("human", "service")
MOST_SHOWN: Final = 1000


class Preferences(NamedTuple):
    """What the dashboard looks like to somebody; None: as the browser has it."""

    lang: str | None = None
    zone: str | None = None
    theme: str | None = None
    density: str | None = None


def add_principal(tx: Tx, actor: Actor, name: str, kind: str, role: Role) -> Any:
    """Make a principal in the actor's tenant; returns its row. Names are unique among all tenants: people sign in by them.

    Raises: NameTaken; InvalidRequest for a name that no principal can have, another kind, no role, or one above the actor's.
    """
    if fault := fault_in_principal(name) or fault_in_key(actor.tenant, "tenant"):
        raise InvalidRequest(fault)
    _check(actor, kind, role)
    _hold_tenant(tx, actor)
    if tx.one("find_principal", name=name) is not None:
        raise _taken(name)
    about: dict[str, Any] = {"tenant": actor.tenant, "name": name, "kind": kind, "role": int(role)}
    try:
        tx.run("insert_principal", **about, now=tx.now, created_by=actor.name)
    except Duplicate:  # somebody else was a moment earlier
        raise _taken(name) from None
    record(tx, actor, "CREATE", "principal", name, after={"kind": kind, "role": role.word})
    return tx.one("find_principal", name=name)


def find_principal(tx: Tx, actor: Actor, name: str) -> Any:
    """The row of a principal that the actor may see: of its tenant, and with no greater role.

    Raises: NotFound.
    """
    row = tx.one("find_principal", name=name)
    if row is None or row.tenant != actor.tenant or row.role > actor.role:
        raise NotFound(f"tenant {actor.tenant} has no principal {name!r}")
    return row


def find_by_name(tx: Tx, name: str) -> Any:
    """The row of a principal of whatever tenant, or None: for those who prove that they are it."""
    return tx.one("find_principal", name=name)


def show_principal(tx: Tx, actor: Actor, principal_id: int) -> Any:
    """As `find_principal`, by its id.

    Raises: NotFound.
    """
    row = tx.one("show_principal", principal_id=principal_id, tenant=actor.tenant, role=int(actor.role))
    if row is None:
        raise NotFound(f"tenant {actor.tenant} has no principal {principal_id}")
    return row


def lock_principal(tx: Tx, actor: Actor, principal_id: int) -> Any:
    """As `show_principal`; nobody else changes it until the transaction ends.

    Raises: NotFound.
    """
    tx.run("lock_principal", principal_id=principal_id, tenant=actor.tenant)
    return show_principal(tx, actor, principal_id)


def list_principals(tx: Tx, actor: Actor, after: str = "", limit: int = MOST_SHOWN) -> list[Any]:
    """Rows of the principals that the actor may see, by name, behind the one that is called `after`."""
    return tx.run("list_principals", tenant=actor.tenant, role=int(actor.role), after_name=after, batch=limit)


def change_principal(tx: Tx, actor: Actor, row: Any, *, kind: str, role: Role, is_disabled: bool) -> Any:
    """Change what a principal (its row) is and may do; returns its new row. What a disabled one has open ends at once.

    Raises: InvalidRequest for another kind, or a role above the actor's; Refused where somebody would lock themselves out.
    """
    _check(actor, kind, role)
    if row.name == actor.name and (is_disabled or role < row.role):
        raise Refused("nobody takes away their own role, or disables themselves; another administrator can")
    if row.disabled_at is not None and not is_disabled:
        _hold_tenant(tx, actor)
    disabled_at = (row.disabled_at or tx.now) if is_disabled else None
    tx.run("update_principal", principal_id=row.id, kind=kind, role=int(role), disabled_at=disabled_at)
    if is_disabled:
        tx.run("end_sessions_of_principal", principal_id=row.id, session_id=0, now=tx.now)
    before = {"kind": row.kind, "role": Role(row.role).word, "disabled": row.disabled_at is not None}
    after = {"kind": kind, "role": role.word, "disabled": is_disabled}
    record(tx, actor, "UPDATE", "principal", row.name, before=before, after=after)
    return tx.one("find_principal", name=row.name)


def delete_principal(tx: Tx, actor: Actor, row: Any) -> None:
    """Delete a principal with its tokens, sessions and links. What it has done stays in the audit, by its name.

    Raises: Refused for oneself.
    """
    if row.name == actor.name:
        raise Refused("nobody deletes themselves; another administrator can")
    tx.run("delete_tokens_of_principal", principal_id=row.id)
    tx.run("delete_sessions_of_principal", principal_id=row.id)
    tx.run("delete_codes_of_principal", principal_id=row.id)
    tx.run("delete_principal", principal_id=row.id)
    record(tx, actor, "DELETE", "principal", row.name, before={"kind": row.kind, "role": Role(row.role).word})


def set_password(tx: Tx, actor: Actor, row: Any, stored: str | None) -> None:
    """Give a principal another password, as `passwords.stored_password` made it; None: it signs in by link alone.

    Its other sessions end.
    """
    tx.run("set_password", principal_id=row.id, password=stored)
    tx.run("end_sessions_of_principal", principal_id=row.id, session_id=actor.session or 0, now=tx.now)
    record(tx, actor, "UPDATE", "principal", row.name, after={"password": "" if stored else None})


def set_preferences(tx: Tx, principal_id: int, preferences: Preferences) -> None:
    """Keep what somebody wants to see. Not told in the audit."""
    tx.run(
        "set_preferences",
        principal_id=principal_id,
        lang=preferences.lang,
        zone=preferences.zone,
        theme=preferences.theme,
        density=preferences.density,
    )


def is_any(tx: Tx) -> bool:
    """Whether there is any principal, of whatever tenant. Without one, the first link makes the administrator."""
    return tx.one("is_any_principal") is not None


def _hold_tenant(tx: Tx, actor: Actor) -> None:
    """Who deletes the tenant is either over, or waits and then sees the principal that may come in."""
    tx.run("lock_tenants", rows=[(actor.tenant,)])


def _taken(name: str) -> NameTaken:
    return NameTaken(f"there is a principal {name!r} already; choose another name")


def _check(actor: Actor, kind: str, role: Role) -> None:
    """Raises: InvalidRequest."""
    if kind not in KINDS:
        raise InvalidRequest(f"a principal is one of {', '.join(KINDS)}, not {kind!r}")
    if not Role.NONE < role <= actor.role:
        raise InvalidRequest(f"role {role.word!r} cannot be given by {actor.name}; choose up to {actor.role.word}")

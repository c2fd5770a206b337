"""Principals: people and services that call the API, each with a role in one tenant. Nobody needs one for SQL or the command line."""

from typing import Any, Final

from qflowd.engine.access.audit import Actor, record
from qflowd.model.errors import InvalidRequest, NameTaken, NotFound
from qflowd.model.names import fault_in_key
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

KINDS: Final = ("human", "service")


def add_principal(tx: Tx, actor: Actor, name: str, kind: str, role: Role) -> Any:
    """Make a principal in the actor's tenant; returns its row. Names are unique among all tenants: people sign in by them.

    Raises: NameTaken; InvalidRequest for a name that no key can have, another kind, no role, or one above the actor's.
    """
    if fault := fault_in_key(name, "the name of a principal") or fault_in_key(actor.tenant, "tenant"):
        raise InvalidRequest(fault)
    if kind not in KINDS:
        raise InvalidRequest(f"a principal is one of {', '.join(KINDS)}, not {kind!r}")
    if not Role.NONE < role <= actor.role:
        raise InvalidRequest(f"role {role.word!r} cannot be given by {actor.name}; choose up to {actor.role.word}")
    if tx.one("find_principal", name=name) is not None:
        raise NameTaken(f"there is a principal {name!r} already; choose another name")
    tx.run(
        "insert_principal",
        tenant=actor.tenant,
        name=name,
        kind=kind,
        role=int(role),
        now=tx.now,
        created_by=actor.name,
    )
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


def is_any(tx: Tx) -> bool:
    """Whether there is any principal, of whatever tenant. Without one, the first link makes the administrator."""
    return tx.one("is_any_principal") is not None

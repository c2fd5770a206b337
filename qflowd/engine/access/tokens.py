"""API tokens: `qf_<id>_<secret>`. The database keeps the id and a hash; the text is shown once, when it is made.

A token does what its principal may do, up to its own role, from its networks, for the workflows and jobs that it lists.
"""

import ipaddress
import json
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from qflowd.engine.access.audit import Actor, record
from qflowd.engine.access.callers import Caller
from qflowd.engine.access.digests import digest, is_secret_of, new_id, new_secret
from qflowd.model.durations import format_duration
from qflowd.model.errors import InvalidRequest, NotFound, QflowdError
from qflowd.model.instants import FOREVER
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

LIVES: Final = timedelta(days=90)
LONGEST_LIFE: Final = timedelta(days=400)
USE_NOTED_EVERY: Final = timedelta(minutes=10)
TEXT: Final = re.compile(r"qf_(?P<id>[a-z2-7]{10})_(?P<secret>[0-9A-Za-z]{43})")
NO_HASH: Final = digest("")  # compared where there is no such token, so that it takes as long
MOST_SHOWN: Final = 1000


class CredentialsRefused(QflowdError):
    """These credentials open nothing; the message says why."""


class Scope(NamedTuple):
    """What a token is for. `workflows`, `jobs`: globs of what it may run, empty: all. `networks`: CIDRs it is used from."""

    role: Role
    workflows: tuple[str, ...] = ()
    jobs: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()


class NewToken(NamedTuple):
    """A token that was just made. `text` is the only copy of its secret."""

    id: str
    text: str
    expires_at: datetime


def make_token(
    tx: Tx, actor: Actor, principal: Any, scope: Scope, lives: timedelta = LIVES, note: str | None = None
) -> NewToken:
    """Make a token for a principal (its row).

    Raises: InvalidRequest for a role above the actor's, a network that is none, or a life beyond 400 days.
    """
    if not Role.NONE < scope.role <= actor.role:
        raise InvalidRequest(
            f"role {scope.role.word!r} cannot be given by {actor.name}: choose up to {actor.role.word}"
        )
    if not timedelta(0) < lives <= LONGEST_LIFE:
        raise InvalidRequest(
            f"a token lives up to {LONGEST_LIFE.days} days, not {format_duration(lives.total_seconds())}"
        )
    networks = tuple(map(_network, scope.networks))
    token, secret, expires_at = new_id(), new_secret(), tx.now + lives
    tx.run(
        "insert_token",
        token=token,
        principal_id=principal.id,
        note=note,
        secret_hash=digest(secret),
        role=int(scope.role),
        workflows=_as_list(scope.workflows),
        jobs=_as_list(scope.jobs),
        networks=_as_list(networks),
        now=tx.now,
        created_by=actor.name,
        expires_at=expires_at,
    )
    told = {
        "principal": principal.name,
        "role": scope.role.word,
        "workflows": list(scope.workflows),
        "jobs": list(scope.jobs),
        "networks": list(networks),
        "expires_at": expires_at,
        "note": note,
    }
    record(tx, actor, "TOKEN_CREATE", "token", token, after=told)
    return NewToken(token, f"qf_{token}_{secret}", expires_at)


def find_caller(tx: Tx, text: str, address: str | None, now: datetime) -> Caller:
    """Who has the token that `text` is. `address`: from where it is used; None: over a socket of this host.

    Raises: CredentialsRefused: unknown, expired, revoked, of a disabled principal, or used from elsewhere.
    """
    match = TEXT.fullmatch(text)
    row = tx.one("find_token", token=match["id"]) if match else None
    is_right = is_secret_of(match["secret"] if match else "-", row.secret_hash if row else NO_HASH)
    if row is None or not is_right:
        raise CredentialsRefused("there is no such token; `qflowd token create` makes one")
    if fault := _fault_of(row, address, now):
        raise CredentialsRefused(f"token {row.id} {fault}")
    return Caller(
        principal_id=row.principal_id,
        principal=row.principal,
        tenant=row.tenant,
        role=Role(min(row.role, row.principal_role)),
        token=row.id,
        workflows=as_tuple(row.workflows),
        jobs=as_tuple(row.jobs),
        is_bound=bool(row.workflows or row.jobs or row.networks),
        used_at=row.last_used_at,
    )


def _fault_of(row: Any, address: str | None, now: datetime) -> str:
    """Why a token that is there is of no use; empty if it is."""
    if row.revoked_at is not None:
        return "was revoked; ask for another"
    if row.expires_at <= now:
        return f"expired at {row.expires_at:%Y-%m-%d %H:%M} UTC; ask for another"
    if row.disabled_at is not None:
        return f"belongs to {row.principal}, which is disabled"
    networks = as_tuple(row.networks)
    if networks and not is_within(address, networks):
        return f"may not be used from {address or 'here'}"
    return ""


def is_within(address: str | None, networks: Sequence[str]) -> bool:
    """Whether one of the networks holds this address. An IPv4 address may be written as one of IPv6."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(network) for network in networks)


def note_use(tx: Tx, token: str) -> None:
    """Note that a token is in use, at most every ten minutes."""
    tx.run("note_token_use", token=token, now=tx.now, before_at=tx.now - USE_NOTED_EVERY)


def is_use_due(used_at: datetime | None, now: datetime) -> bool:
    """Whether the use of a token is to be noted again."""
    return used_at is None or used_at < now - USE_NOTED_EVERY


def list_tokens(
    tx: Tx,
    actor: Actor,
    principal_id: int = 0,
    *,
    with_ended: bool = False,
    after: tuple[datetime, str] = (FOREVER, ""),
    limit: int = MOST_SHOWN,
) -> list[Any]:
    """Rows of the tokens that the actor may see, the newest first; of one principal, or of all of its tenant (0).

    Args:
        with_ended: those that were revoked or have expired, too.
        after: `created_at` and id of the last one of the page before.
    """
    return tx.run(
        "list_tokens",
        tenant=actor.tenant,
        role=int(actor.role),
        principal_id=principal_id,
        before_at=after[0],
        after_token=after[1],
        valid_at=tx.now,
        is_all=int(with_ended),
        batch=limit,
    )


def revoke_token(tx: Tx, actor: Actor, token: str, principal_id: int = 0) -> bool:
    """Revoke a token of the actor's tenant, or of one principal alone; returns whether that changed anything.

    Raises: NotFound.
    """
    row = tx.one("show_token", token=token, tenant=actor.tenant, role=int(actor.role))
    if row is None or principal_id not in (0, row.principal_id):
        raise NotFound(f"tenant {actor.tenant} has no token {token!r}; `qflowd token list` shows those it has")
    if not tx.count("revoke_token", token=token, now=tx.now):
        return False
    record(tx, actor, "TOKEN_REVOKE", "token", token, before={"principal": row.principal})
    return True


def _network(text: str) -> str:
    """Raises: InvalidRequest."""
    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise InvalidRequest(f"{text!r} is not a network: {error}; write it like 10.2.0.0/16") from None


def _as_list(texts: Sequence[str]) -> str | None:
    return json.dumps(list(texts)) if texts else None


def as_tuple(text: str | None) -> tuple[str, ...]:
    """The strings of a stored list."""
    return tuple(json.loads(text)) if text else ()

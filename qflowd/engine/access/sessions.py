"""Sessions of people who have signed in: a row, and a cookie that holds its secret. Idle ones end, and all do after a week."""

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from qflowd.engine.access.audit import Actor, record
from qflowd.engine.access.callers import Caller
from qflowd.engine.access.digests import digest, new_secret
from qflowd.engine.access.tokens import CredentialsRefused
from qflowd.model.errors import NotFound
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

IDLE: Final = timedelta(hours=12)
LONGEST: Final = timedelta(days=7)
USE_NOTED_EVERY: Final = timedelta(minutes=5)
LONGEST_AGENT: Final = 300  # characters
MOST_SHOWN: Final = 500


class SessionEnded(CredentialsRefused):
    """There is no such session any more."""


class NewSession(NamedTuple):
    """A session that has just begun. `secret` is the only copy of what its cookie holds."""

    id: int
    secret: str
    caller: Caller


def begin_session(tx: Tx, principal: Any, address: str | None, agent: str) -> NewSession:
    """Begin a session of a principal (its row), which has just proved who it is."""
    secret = new_secret()
    tx.run("delete_old_sessions", principal_id=principal.id, begun_at=tx.now - 4 * LONGEST)
    number = tx.one(
        "insert_session",
        principal_id=principal.id,
        secret_hash=digest(secret),
        address=address,
        agent=agent[:LONGEST_AGENT],
        now=tx.now,
    ).id
    role = Role(principal.role)
    actor = Actor(principal.name, principal.tenant, role, session=number, address=address)
    record(tx, actor, "LOGIN", "principal", principal.name)
    caller = Caller(principal.name, principal.tenant, role, principal.id, None, number, secret, used_at=tx.now)
    return NewSession(number, secret, caller)


def find_session(tx: Tx, secret: str, now: datetime) -> Caller:
    """Whose session it is.

    Raises: SessionEnded: unknown, ended, idle or old, or of a disabled principal.
    """
    row = tx.one("find_session", secret_hash=digest(secret))
    if row is None or row.ended_at is not None or row.disabled_at is not None:
        raise SessionEnded("the session has ended; sign in again")
    if now - row.seen_at > IDLE or now - row.created_at > LONGEST:
        raise SessionEnded("the session is too old; sign in again")
    role = Role(row.principal_role)
    return Caller(row.principal, row.tenant, role, row.principal_id, None, row.id, secret, used_at=row.seen_at)


def is_session_use_due(used_at: datetime | None, now: datetime) -> bool:
    """Whether the use of a session is to be noted again."""
    return used_at is None or used_at < now - USE_NOTED_EVERY


def note_session_use(tx: Tx, session: int) -> None:
    """Note that a session is in use, at most every five minutes."""
    tx.run("note_session_use", session_id=session, now=tx.now, before_at=tx.now - USE_NOTED_EVERY)


def list_sessions(
    tx: Tx, actor: Actor, principal_id: int = 0, before: int = 1 << 62, limit: int = MOST_SHOWN
) -> list[Any]:
    """Rows of the sessions under way that the actor may see; of one principal, or of all of its tenant (0).

    The newest first, behind the one with the id `before`.
    """
    return tx.run(
        "list_sessions",
        tenant=actor.tenant,
        role=int(actor.role),
        principal_id=principal_id,
        idle_at=tx.now - IDLE,
        begun_at=tx.now - LONGEST,
        before=before,
        batch=limit,
    )


def end_session(tx: Tx, actor: Actor, session: int, principal_id: int = 0) -> bool:
    """End a session of the actor's tenant, or of one principal alone; returns whether that changed anything.

    Raises: NotFound.
    """
    row = tx.one("show_session", session_id=session, tenant=actor.tenant, role=int(actor.role))
    if row is None or principal_id not in (0, row.principal_id):
        raise NotFound(f"tenant {actor.tenant} has no session {session}")
    if not tx.count("end_session", session_id=session, now=tx.now):
        return False
    record(tx, actor, "LOGOUT", "session", str(session), before={"principal": row.principal})
    return True


def end_other_sessions(tx: Tx, actor: Actor, principal_id: int) -> int:
    """End all sessions of a principal but the one by which the actor comes, if it is one; returns how many there were."""
    ended = tx.count("end_sessions_of_principal", principal_id=principal_id, session_id=actor.session or 0, now=tx.now)
    if ended:
        record(tx, actor, "LOGOUT", "principal", actor.name, after={"sessions_ended": ended})
    return ended


def end_session_of(tx: Tx, secret: str) -> None:
    """End the session of a cookie that another one takes the place of; there may be none."""
    row = tx.one("find_session", secret_hash=digest(secret))
    if row is not None:
        tx.run("end_session", session_id=row.id, now=tx.now)

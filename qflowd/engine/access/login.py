"""Signing in: by a link that works once, or by a password where a principal has one. Guessing is slow by name and address."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

from qflowd.engine.access import principals
from qflowd.engine.access.audit import Actor, AuditEntry, record, write_audit
from qflowd.engine.access.digests import digest, new_secret
from qflowd.engine.access.passwords import is_password
from qflowd.engine.access.sessions import NewSession, begin_session
from qflowd.engine.access.tokens import CredentialsRefused
from qflowd.model.errors import QflowdError
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.roles import Role
from qflowd.store.tx import Store, Tx

CODE_LIVES: Final = timedelta(minutes=15)
FAILURES_IN: Final = timedelta(minutes=15)
MOST_FAILURES: Final = 5
MOST_BAD_CODES: Final = 100  # of an address: nobody guesses a code, but each is told in the audit
OF_CODES: Final = "code "  # before the addresses that codes came from: their failures are no password's
FIRST_NAME: Final = "admin"  # of the principal that the first link makes
LONGEST_ADDRESS: Final = 200


class TooManyFailures(QflowdError):
    """A name or an address has failed to sign in too often; `wait_s`: seconds until it may try again, at most."""

    def __init__(self, what: str) -> None:
        super().__init__(f"{what} within {FAILURES_IN.seconds // 60} minutes; wait, or use `qflowd login-link NAME`")
        self.wait_s = FAILURES_IN.total_seconds()


def make_login_code(tx: Tx, actor: Actor, principal: Any | None) -> str:
    """A code that signs a principal (its row) in once within 15 minutes. Without one: makes the first administrator."""
    code = new_secret()
    tx.run("delete_old_login_codes", now=tx.now)
    tx.run(
        "insert_login_code",
        code_hash=digest(code),
        principal_id=principal.id if principal else None,
        now=tx.now,
        created_by=actor.name,
        expires_at=tx.now + CODE_LIVES,
    )
    if principal:
        record(tx, actor, "LOGIN_LINK", "principal", principal.name)
    return code


def make_first_code(tx: Tx, actor: Actor) -> str | None:
    """A code that makes the first administrator; None if there is a principal already."""
    return None if principals.is_any(tx) else make_login_code(tx, actor, None)


def sign_in_by_code(store: Store, code: str, address: str | None, agent: str) -> NewSession:
    """Begin the session that a code is good for, whatever has failed before.

    Raises: CredentialsRefused; TooManyFailures of codes from this address.
    """
    session = store.transact(partial(_use_code, code=code, address=address, agent=agent))
    if session is None:

        def tell(tx: Tx) -> None:
            if address and _count_failures(tx, "", OF_CODES + address).of_address >= MOST_BAD_CODES:
                raise TooManyFailures(f"{MOST_BAD_CODES} links that sign nobody in")
            _note_failure(tx, "", OF_CODES + (address or ""))
            _tell_failure(tx, None, address)

        store.transact(tell)
        raise CredentialsRefused("this link was used already, or is older than 15 minutes; ask for another")
    return session


def _use_code(tx: Tx, code: str, address: str | None, agent: str) -> NewSession | None:
    row = tx.one("find_login_code", code_hash=digest(code))
    if row is None or not tx.count("delete_login_code", code_hash=digest(code)) or row.expires_at <= tx.now:
        return None
    if row.principal_id is None:
        return None if principals.is_any(tx) else begin_session(tx, _first(tx), address, agent)
    now = None if row.id is None else _locked(tx, row)
    return None if now is None else begin_session(tx, now, address, agent)


def _first(tx: Tx) -> Any:
    """Make the administrator of all tenants."""
    actor = Actor(FIRST_NAME, DEFAULT_TENANT, Role.SYSTEM)
    return principals.add_principal(tx, actor, FIRST_NAME, "human", Role.SYSTEM)


def sign_in_by_password(store: Store, name: str, password: str, address: str | None, agent: str) -> NewSession:
    """Begin a session of the principal that has this name and password.

    Raises: CredentialsRefused; TooManyFailures.
    """

    def begin(tx: Tx) -> Any:
        _check_failures(tx, name, address)
        _note_failure(tx, name, address)  # before the password is looked at: many at once are no more guesses
        return tx.one("find_principal", name=name)

    def end(tx: Tx) -> NewSession | None:
        now = _locked(tx, row)
        if now is None or now.password != row.password:  # it has changed since it was looked at, and sessions ended
            return None
        tx.run("delete_login_failures", name=digest(name))
        return begin_session(tx, now, address, agent)

    row = store.transact(begin)
    is_right = is_password(password, row.password if row else None)
    session = store.transact(end) if row is not None and is_right else None
    if session is None:
        store.transact(partial(_tell_failure, principal=row, address=address))
        raise CredentialsRefused("name and password do not belong together; `qflowd login-link NAME` signs in without")
    return session


def check_password(store: Store, principal: Any, password: str, address: str | None) -> None:
    """Somebody who is signed in (their row) proves that they have the password; a failure counts as one of signing in.

    Raises: CredentialsRefused; TooManyFailures.
    """

    def begin(tx: Tx) -> None:
        _check_failures(tx, principal.name, address)
        _note_failure(tx, principal.name, address)

    store.transact(begin)
    if not is_password(password, principal.password):
        store.transact(partial(_tell_failure, principal=principal, address=address))
        raise CredentialsRefused("old_password is not the one that you have")
    store.transact(lambda tx: tx.run("delete_login_failures", name=digest(principal.name)))


def _locked(tx: Tx, row: Any) -> Any | None:
    """The row of a principal as it is now, which nobody changes until the session has begun; None if it may have none."""
    tx.run("lock_principal", principal_id=row.id, tenant=row.tenant)
    now = tx.one("find_principal", name=row.name)
    return None if now is None or now.id != row.id or now.disabled_at is not None else now


def _check_failures(tx: Tx, name: str, address: str | None) -> None:
    """Raises: TooManyFailures. A name of "" and an address that is not known are not counted."""
    found = _count_failures(tx, name, address)
    if (name and found.of_name >= MOST_FAILURES) or (address and found.of_address >= MOST_FAILURES):
        raise TooManyFailures(f"{MOST_FAILURES} failures")


def _count_failures(tx: Tx, name: str, address: str | None) -> Any:
    """A row of `count_login_failures`."""
    since = tx.now - FAILURES_IN
    return tx.one("count_login_failures", name=digest(name), address=_key(address), since=since)


def _note_failure(tx: Tx, name: str, address: str | None) -> None:
    """By the name's hash: people type passwords into the wrong field."""
    tx.run("delete_old_login_failures", since=tx.now - FAILURES_IN)
    tx.run("insert_login_failure", name=digest(name), address=_key(address), now=tx.now)


def _key(address: str | None) -> str:
    return (address or "")[:LONGEST_ADDRESS]


def _tell_failure(tx: Tx, principal: Any, address: str | None) -> None:
    """In the audit; names that nobody has are left out."""
    entry = AuditEntry(
        tenant=principal.tenant if principal else DEFAULT_TENANT,
        action="LOGIN_FAILED",
        object_type="principal",
        object=principal.name if principal else "",
        address=address,
        outcome="refused",
    )
    write_audit(tx, entry)

"""Whose request it is: a token, a name that a trusted proxy vouches for, or the cookie of a session, in this order."""

import contextlib
import time
from collections.abc import Callable
from typing import Final

from qflowd.api.access.cookies import session_of
from qflowd.api.answers import ApiFault
from qflowd.api.cache import LruCache
from qflowd.api.call import HttpRequest
from qflowd.api.routing import Endpoint
from qflowd.config.records import ApiConfig
from qflowd.engine.access.callers import NOBODY, Caller
from qflowd.engine.access.digests import digest
from qflowd.engine.access.principals import find_by_name
from qflowd.engine.access.sessions import SessionEnded, find_session, is_session_use_due, note_session_use
from qflowd.engine.access.tokens import CredentialsRefused, find_caller, is_use_due, note_use
from qflowd.model.errors import StoreUnavailable
from qflowd.model.names import DEFAULT_TENANT
from qflowd.model.roles import Role
from qflowd.store.tx import Store

KNOWN_S: Final = 10.0  # a revocation is noticed within this
MOST_KNOWN: Final = 10_000
NONE_GIVEN: Final = "no credentials; send Authorization: Bearer with a token of `qflowd token create`, or sign in"

Key = tuple[str, str, str]  # kind, hash of the secret or name, address


class Credentials:
    """Who the callers are of one server. What was found is remembered for ten seconds; nothing of a secret but its hash."""

    def __init__(self, store: Store, config: ApiConfig) -> None:
        self._store, self._config = store, config
        self._known: LruCache[Key, tuple[Caller, float]] = LruCache(MOST_KNOWN)  # and when it was asked for
        self._forgotten_at = 0.0

    def known(self, request: HttpRequest) -> Caller | None:
        """The caller of a request, if it was here a moment ago; asks nothing of the database."""
        found = self._known.find(self._key(request))
        is_known = found is not None and found[1] > max(self._forgotten_at, time.monotonic() - KNOWN_S)
        return found[0] if found is not None and is_known else None

    def was_good(self, request: HttpRequest) -> bool:
        """Whether its credentials opened something when they were last looked at, however long ago."""
        return self._known.find(self._key(request)) is not None

    def are_given(self, request: HttpRequest) -> bool:
        """Whether the request names anybody."""
        return self._key(request)[0] != ""

    def forget(self) -> None:
        """Ask again for everybody: a token, a session or a principal has changed here."""
        self._forgotten_at = time.monotonic()

    def find(self, request: HttpRequest, endpoint: Endpoint) -> Caller:
        """The caller of a request. A route that is open to everybody has nobody where credentials open nothing.

        Raises: ApiFault 40101 without credentials, 40102 for a token that opens nothing, 40103 for a session that has ended,
            40301 for a name without a role. StoreUnavailable.
        """
        if (caller := self.known(request)) is not None:
            return caller
        key, asked_at = self._key(request), time.monotonic()
        try:
            caller = self._ask(request, key[0])
        except ApiFault:
            self._known.forget([key])
            if endpoint.role > Role.NONE:
                raise
            return NOBODY
        self._known.remember([(key, (caller, asked_at))])
        return caller

    def _ask(self, request: HttpRequest, kind: str) -> Caller:
        if kind == "bearer":
            return self._by_token(_bearer(request), request.address)
        if kind == "session":
            return self._by_session(session_of(request))
        if kind == "proxy":
            return self._by_name(self._vouched_name(request))
        raise ApiFault(40101, NONE_GIVEN)

    def _key(self, request: HttpRequest) -> Key:
        if token := _bearer(request):
            return "bearer", digest(token), request.address
        if name := self._vouched_name(request):  # whoever the proxy has signed in, a cookie may be somebody else's
            return "proxy", name, ""
        secret = session_of(request)
        return ("session", digest(secret), "") if secret else ("", "", "")

    def _vouched_name(self, request: HttpRequest) -> str:
        """The name of the user in the header of a proxy that is trusted; from anybody else the header says nothing.

        Raises: ApiFault 40301 for bytes that are not UTF-8: read in another way they would be another name.
        """
        header = self._config.trusted_header
        text = request.headers.get(header.lower(), "") if header and request.is_from_proxy else ""
        try:
            return text.encode("latin-1").decode()
        except UnicodeDecodeError:
            raise ApiFault(40301, f"the name in {header} is not UTF-8; let the proxy write it so") from None

    def _by_token(self, text: str, address: str) -> Caller:
        try:
            known = self._store.read(lambda tx: find_caller(tx, text, address or None, tx.now))
        except CredentialsRefused as error:
            raise ApiFault(40102, str(error)) from None
        if known.token and is_use_due(known.used_at, self._store.clock.now()):
            self._note(note_use, known.token)
        return known

    def _by_session(self, secret: str) -> Caller:
        try:
            known = self._store.read(lambda tx: find_session(tx, secret, tx.now))
        except SessionEnded as error:
            raise ApiFault(40103, str(error)) from None
        if known.session and is_session_use_due(known.used_at, self._store.clock.now()):
            self._note(note_session_use, known.session)
        return known

    def _by_name(self, name: str) -> Caller:
        row = self._store.read(lambda tx: find_by_name(tx, name))
        if row is not None and row.disabled_at is None:
            return Caller(row.name, row.tenant, Role(row.role), row.id)
        if row is None and self._config.trusted_role is not None:
            return Caller(name, DEFAULT_TENANT, Role[self._config.trusted_role.upper()])
        why = "is disabled" if row is not None else "is not a principal; `qflowd login-link NAME --role ROLE` makes one"
        raise ApiFault(40301, f"{name[:200]} {why}")

    def _note(self, note: Callable[..., None], number: str | int) -> None:
        """A note that is lost does no harm."""
        with contextlib.suppress(StoreUnavailable):
            self._store.transact(lambda tx: note(tx, number), name=note.__name__)


def _bearer(request: HttpRequest) -> str:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""

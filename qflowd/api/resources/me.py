"""Who calls, and signing in and out. The routes that sign in are open to everybody, from this server's own pages."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Annotated, Any, Literal

import msgspec

from qflowd import __version__
from qflowd.api.access.cookies import no_session_cookie, session_cookie, session_of
from qflowd.api.answers import ApiAnswer, ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.reading import Body
from qflowd.api.resources.tenants import QuotaItem, quotas_of
from qflowd.api.routing import route
from qflowd.engine.access import login, passwords, principals, sessions, tenants
from qflowd.engine.access.audit import Actor
from qflowd.engine.access.digests import csrf_of
from qflowd.engine.access.tokens import CredentialsRefused
from qflowd.model.roles import Role
from qflowd.model.zones import zone
from qflowd.store.tx import Tx

BEHIND_PROXY = "proxy"  # any text proves what a browser must prove where a proxy names the user
LARGEST_LOGIN = 20_000  # bytes; anybody may send that
Text64 = Annotated[str, msgspec.Meta(max_length=64)]


class Me(Item):
    """The caller. `csrf`: for the header X-Qflowd-CSRF of what a browser writes; null for a token.

    `tenants`: those that a system caller may name as `?tenant=`; null for others. `quotas`: of the tenant, with their use.
    """

    principal: str
    kind: str
    tenant: str
    role: str
    tenants: list[str] | None
    csrf: str | None
    lang: str | None
    zone: str | None
    theme: str | None
    density: str | None
    has_password: bool
    read_only: bool
    version: str
    quotas: Sequence[QuotaItem]


class LoginByPassword(Body):
    """A name and a password."""

    name: Annotated[str, msgspec.Meta(max_length=200)]
    password: Annotated[str, msgspec.Meta(max_length=passwords.LONGEST)]


class LoginByCode(Body):
    """What stands behind `#code=` of a link."""

    code: Annotated[str, msgspec.Meta(max_length=200)]


class ChangedMe(Body):
    """What is given is changed; null takes away. `password` needs `old_password` where there is one."""

    lang: Literal["en", "zh"] | msgspec.UnsetType | None = msgspec.UNSET
    zone: Text64 | msgspec.UnsetType | None = msgspec.UNSET
    theme: Literal["system", "light", "dark"] | msgspec.UnsetType | None = msgspec.UNSET
    density: Text64 | msgspec.UnsetType | None = msgspec.UNSET
    password: str | msgspec.UnsetType | None = msgspec.UNSET
    old_password: str | None = None


@route("POST", "/login", Role.NONE, errors=(40102, 42901), largest_body=LARGEST_LOGIN)
def log_in(call: Call, body: LoginByPassword) -> ApiAnswer | Me:
    """Sign in by a password; the answer sets the cookie of a session."""
    return _signed_in(call, partial(login.sign_in_by_password, call.store, body.name, body.password))


@route("POST", "/login/code", Role.NONE, errors=(40102, 42901), largest_body=LARGEST_LOGIN)
def log_in_by_code(call: Call, body: LoginByCode) -> ApiAnswer | Me:
    """Sign in by a link that works once; the answer sets the cookie of a session."""
    return _signed_in(call, partial(login.sign_in_by_code, call.store, body.code))


@route("POST", "/logout", Role.READ, errors=(40901,))
def log_out(call: Call) -> ApiAnswer | None:
    """End the session that the cookie names."""
    if (number := call.caller.session) is None:
        raise ApiFault(40901, "there is no session to end: the request came with a token, which can be revoked")
    call.change(lambda tx: sessions.end_session(tx, _own(call), number))
    call.forget_callers()
    return ApiAnswer(None, cookies=[no_session_cookie(call.request)])


@route("GET", "/me", Role.READ)
def show_me(call: Call) -> Me:
    """The caller: name, tenant, role, and how they want the dashboard."""
    return _me(call, call.caller.secret)


@route("PUT", "/me", Role.READ, errors=(40901,))
def update_me(call: Call, body: ChangedMe) -> Me:
    """Change how the dashboard looks to the caller, and their password."""
    row = call.store.read(lambda tx: principals.find_by_name(tx, call.caller.principal))
    if row is None:
        raise ApiFault(40901, f"{call.caller.principal} is known by the proxy alone; nothing is kept here")
    if body.zone:
        _check_zone(body.zone)
    change_password = body.password is not msgspec.UNSET
    stored = _new_password(call, body, row) if change_password else None

    def work(tx: Tx) -> None:
        now = principals.lock_principal(tx, _own(call), row.id)
        given = {name: getattr(body, name) for name in principals.Preferences._fields}
        kept = {name: getattr(now, name) if value is msgspec.UNSET else value for name, value in given.items()}
        principals.set_preferences(tx, row.id, principals.Preferences(**kept))
        if change_password:
            if now.password != row.password:
                raise ApiFault(40102, "the password was changed a moment ago; give the new one as old_password")
            principals.set_password(tx, _own(call), row, stored)

    call.change(work)
    call.forget_callers()
    return _me(call, call.caller.secret)


def _own(call: Call) -> Actor:
    """Who changes what is theirs, whichever tenant the request looks at."""
    return call.actor._replace(tenant=call.caller.tenant, role=Role.SYSTEM)


def _check_zone(name: str) -> None:
    try:
        zone(name)
    except (KeyError, ValueError, OSError):
        raise ApiFault(42202, f"zone: there is no time zone {name!r}; use a name like Asia/Shanghai or UTC") from None


def _new_password(call: Call, body: ChangedMe, row: Any) -> str | None:
    """A token must not make itself more than it is, and whoever finds an open browser must not keep it."""
    if call.caller.session is None:
        raise ApiFault(40301, "a password is changed by who has signed in, not by a token")
    if row.password is not None:
        try:
            login.check_password(call.store, row, body.old_password or "", call.request.address)
        except login.TooManyFailures as error:
            raise _too_many(error) from None
        except CredentialsRefused as error:
            raise ApiFault(40102, str(error)) from None
    return passwords.stored_password(body.password) if isinstance(body.password, str) else None


def _signed_in(call: Call, begin: Callable[[str, str], sessions.NewSession]) -> ApiAnswer:
    """Begins anew: the session of an older cookie ends. `begin`: takes where from, and by which program."""
    try:
        session = begin(call.request.address, call.request.headers.get("user-agent", ""))
    except login.TooManyFailures as error:
        raise _too_many(error) from None
    except CredentialsRefused as error:
        raise ApiFault(40102, str(error)) from None
    if older := session_of(call.request):
        call.change(lambda tx: sessions.end_session_of(tx, older))
    call.caller = session.caller
    call.forget_callers()
    me = _me(call, session.secret)
    return ApiAnswer(me, cookies=[session_cookie(call.request, session.secret)])


def _me(call: Call, secret: str) -> Me:
    caller = call.caller
    row = call.store.read(lambda tx: principals.find_by_name(tx, caller.principal))
    csrf = csrf_of(secret) if secret else BEHIND_PROXY
    return Me(
        principal=caller.principal,
        kind=row.kind if row else "human",
        tenant=call.tenant,
        role=caller.role.word,
        tenants=call.store.read(tenants.list_names) if call.is_system else None,
        csrf=None if caller.token else csrf,
        lang=row.lang if row else None,
        zone=row.zone if row else None,
        theme=row.theme if row else None,
        density=row.density if row else None,
        has_password=bool(row and row.password),
        read_only=call.config.read_only,
        version=__version__,
        quotas=call.store.read(lambda tx: quotas_of(tx, call.tenant)),
    )


def _too_many(error: login.TooManyFailures) -> ApiFault:
    return ApiFault(42901, str(error), headers={"Retry-After": str(math.ceil(error.wait_s))})

"""Tokens and sessions: everybody sees and ends their own, administrators those of their tenant."""

from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec

from qflowd.api.access.authorization import refuse_bound
from qflowd.api.access.owner import owner_of
from qflowd.api.answers import ApiAnswer, ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.paging import Id, ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body
from qflowd.api.resources.principals import RoleWord, role_of
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.engine.access import principals, sessions, tokens
from qflowd.engine.access.audit import Actor
from qflowd.model.ids import ABOVE_ALL_IDS
from qflowd.model.instants import FOREVER
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

Globs = Annotated[tuple[Annotated[str, msgspec.Meta(min_length=1, max_length=200)], ...], msgspec.Meta(max_length=100)]


class TokenItem(Item):
    """A token; its secret is not known any more. `role`: what it may do now, at most what its principal may. `workflows`, `jobs`, `networks`: empty is all."""

    id: str
    principal: str
    note: str | None
    role: str
    workflows: list[str]
    jobs: list[str]
    networks: list[str]
    created_at: datetime
    created_by: str | None
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeToken(Item):
    """A token that was made; `token` is shown this once."""

    id: str
    token: str
    principal: str
    role: str
    expires_at: datetime


class TokenRequest(Body):
    """A token to be made. `principal`: default the caller; `role`: default the caller's, at most."""

    principal: str | None = None
    role: RoleWord | None = None
    days: Annotated[int, msgspec.Meta(ge=1, le=tokens.LONGEST_LIFE.days)] = tokens.LIVES.days
    note: Annotated[str, msgspec.Meta(max_length=1000)] | None = None
    workflows: Globs = ()
    jobs: Globs = ()
    networks: Globs = ()


class TokensQuery(PageQuery):
    """`all`: revoked and expired ones too. `mine`: the caller's alone."""

    all: bool = False
    mine: bool = False


class SessionItem(Item):
    """A session under way. `current`: the one that asks."""

    id: int
    principal: str
    address: str | None
    agent: str | None
    created_at: datetime
    seen_at: datetime
    current: bool


class SessionsQuery(PageQuery):
    """`mine`: the caller's alone."""

    mine: bool = False


class AccessEnded(Item):
    """Whether it was ended now; false: it was so already."""

    id: int | str
    ended: bool


class SessionsEnded(Item):
    """How many have been ended."""

    ended: int


@route("GET", "/tokens", Role.READ)
def list_tokens(call: Call, query: TokensQuery) -> ListPage[TokenItem]:
    """Tokens, the newest first: the caller's own, for an administrator those of the tenant."""
    key = read_cursor(query, tuple[datetime, str]) or (FOREVER, "")
    owner = owner_of(call, mine=query.mine)
    if owner is None:
        return ListPage(items=[])
    rows = call.store.read(
        lambda tx: tokens.list_tokens(
            tx, _seer(call, owner), owner, with_ended=query.all, after=key, limit=query.limit + 1
        )
    )
    return page_of(query, rows, "created_at", "id", make=_item)


@route("POST", "/tokens", Role.READ, errors=(40401,))
def make_token(call: Call, body: TokenRequest) -> ApiAnswer | MadeToken:
    """Make a token: for the caller, by an administrator for somebody else. The secret is in this answer alone."""
    scope = tokens.Scope(
        role_of(body.role) if body.role else call.caller.role,
        body.workflows,
        body.jobs,
        body.networks,
    )

    def work(tx: Tx) -> ApiAnswer:
        refuse_bound(call)
        row = _principal(tx, call, body.principal)
        actor = call.actor._replace(tenant=row.tenant)
        new = tokens.make_token(tx, actor, row, scope, timedelta(days=body.days), body.note)
        role = min(scope.role, Role(row.role)).word
        item = MadeToken(id=new.id, token=new.text, principal=row.name, role=role, expires_at=new.expires_at)
        return ApiAnswer(item, status=201)

    shown_once = "its text is shown once: revoke it (GET /tokens has it as the newest), and make another one"
    return answer_once(call, work, secret=shown_once)


@route("DELETE", "/tokens/{id}", Role.READ)
def revoke_token(call: Call, id: str) -> AccessEnded:
    """Revoke a token; every server takes notice within ten seconds."""
    owner = _number(owner_of(call))
    ended = call.change(lambda tx: tokens.revoke_token(tx, _seer(call, owner), id, owner))
    call.forget_callers()
    return AccessEnded(id=id, ended=ended)


@route("GET", "/sessions", Role.READ)
def list_sessions(call: Call, query: SessionsQuery) -> ListPage[SessionItem]:
    """Sessions under way, the newest first: the caller's own, for an administrator those of the tenant."""
    [before] = read_cursor(query, tuple[Id]) or [ABOVE_ALL_IDS]
    owner = owner_of(call, mine=query.mine)
    if owner is None:
        return ListPage(items=[])
    rows = call.store.read(lambda tx: sessions.list_sessions(tx, _seer(call, owner), owner, before, query.limit + 1))
    own = call.caller.session
    return page_of(
        query, rows, "id", make=lambda row: SessionItem(**fields_of(row, SessionItem), current=row.id == own)
    )


@route("DELETE", "/sessions/{id}", Role.READ)
def end_session(call: Call, id: int) -> AccessEnded:
    """End a session."""
    owner = _number(owner_of(call))
    ended = call.change(lambda tx: sessions.end_session(tx, _seer(call, owner), id, owner))
    call.forget_callers()
    return AccessEnded(id=id, ended=ended)


@route("DELETE", "/sessions", Role.READ, errors=(40901,))
def end_other_sessions(call: Call) -> SessionsEnded:
    """End all sessions of the caller but the one that asks."""
    if (owner := call.caller.principal_id) is None:
        raise ApiFault(40901, f"{call.caller.principal} is known by the proxy alone, and has no sessions")
    ended = call.change(lambda tx: sessions.end_other_sessions(tx, _seer(call, owner), owner))
    call.forget_callers()
    return SessionsEnded(ended=ended)


def _number(owner: int | None) -> int:
    return -1 if owner is None else owner


def _principal(tx: Tx, call: Call, name: str | None) -> Any:
    """Raises: NotFound; ApiFault 40301, 40901."""
    if name is not None and name != call.caller.principal:
        call.refuse_below(Role.ADMIN, "a token for somebody else")
        return principals.find_principal(tx, call.actor, name)
    row = principals.find_by_name(tx, call.caller.principal)
    if row is None:
        raise ApiFault(40901, f"{call.caller.principal} is known by the proxy alone; make a principal first")
    return row


def _seer(call: Call, owner: int) -> Actor:
    """Who looks. What is somebody's own, a ceiling below their role does not hide from them."""
    return call.actor._replace(role=Role.SYSTEM) if owner else call.actor


def _item(row: Any) -> TokenItem:
    lists = {name: list(tokens.as_tuple(getattr(row, name))) for name in ("workflows", "jobs", "networks")}
    return TokenItem(**fields_of(row, TokenItem) | lists | {"role": Role(row.role).word})

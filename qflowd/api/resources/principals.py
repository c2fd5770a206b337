"""People and services that call the API: administrators of a tenant make, change and delete them."""

import hashlib
from datetime import datetime
from typing import Any, Literal

import msgspec

from qflowd.api.access.authorization import refuse_bound
from qflowd.api.answers import ApiAnswer, Item, encode
from qflowd.api.call import Call
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.inbox.outcomes import location
from qflowd.api.paging import ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body, need_if_match
from qflowd.api.routing import route
from qflowd.api.row_fields import fields_of
from qflowd.engine.access import login, principals
from qflowd.engine.access.tenants import refuse_deleted
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

Kind = Literal["human", "service"]
RoleWord = Literal["read", "submit", "operate", "define", "admin", "system"]


class PrincipalItem(Item):
    """A principal. Disabled ones can do nothing, and keep what belongs to them."""

    id: int
    name: str
    tenant: str
    kind: str
    role: str
    has_password: bool
    created_at: datetime
    created_by: str | None
    disabled_at: datetime | None


class NewPrincipal(Body):
    """A principal to be made in the caller's tenant."""

    name: str
    role: RoleWord
    kind: Kind = "human"


class ChangedPrincipal(Body):
    """What is given is changed."""

    role: RoleWord | None = None
    kind: Kind | None = None
    disabled: bool | None = None


class LoginLink(Item):
    """A link that signs somebody in once; it is not shown again."""

    link: str
    code: str
    expires_at: datetime


@route("GET", "/principals", Role.ADMIN)
def list_principals(call: Call, query: PageQuery) -> ListPage[PrincipalItem]:
    """Principals of the tenant, by name; those of a role above the caller's are left out."""
    [after] = read_cursor(query, tuple[str]) or [""]
    rows = call.store.read(lambda tx: principals.list_principals(tx, call.actor, after, query.limit + 1))
    return page_of(query, rows, "name", make=_item)


@route("POST", "/principals", Role.ADMIN, errors=(40401, 40902))
def create_principal(call: Call, body: NewPrincipal) -> ApiAnswer | PrincipalItem:
    """Make a principal."""

    def work(tx: Tx) -> ApiAnswer:
        refuse_bound(call)
        refuse_deleted(tx, call.tenant)
        item = _item(principals.add_principal(tx, call.actor, body.name, body.kind, role_of(body.role)))
        return ApiAnswer(item, status=201, etag=_etag(item), headers=location(call, f"principals/{item.id}"))

    return answer_once(call, work)


@route("GET", "/principals/{id}", Role.ADMIN)
def show_principal(call: Call, id: int) -> ApiAnswer | PrincipalItem:
    """One principal."""
    item = _item(call.store.read(lambda tx: principals.show_principal(tx, call.actor, id)))
    return ApiAnswer(item, etag=_etag(item))


@route("PUT", "/principals/{id}", Role.ADMIN, errors=(40901, 41201, 42801))
def update_principal(call: Call, id: int, body: ChangedPrincipal) -> ApiAnswer | PrincipalItem:
    """Change what a principal is and may do; disabled, it can do nothing, and its sessions end."""

    def work(tx: Tx) -> Any:
        refuse_bound(call)
        row = _expected(tx, call, id)
        if body.disabled is False:
            refuse_deleted(tx, call.tenant)
        return principals.change_principal(
            tx,
            call.actor,
            row,
            kind=body.kind or row.kind,
            role=role_of(body.role) if body.role else Role(row.role),
            is_disabled=row.disabled_at is not None if body.disabled is None else body.disabled,
        )

    item = _item(call.change(work))
    call.forget_callers()
    return ApiAnswer(item, etag=_etag(item))


@route("DELETE", "/principals/{id}", Role.ADMIN, errors=(40901, 41201, 42801))
def delete_principal(call: Call, id: int) -> None:
    """Delete a principal with its tokens and sessions; what it has done stays in the audit."""

    def work(tx: Tx) -> None:
        refuse_bound(call)
        principals.delete_principal(tx, call.actor, _expected(tx, call, id))

    call.change(work)
    call.forget_callers()


@route("POST", "/principals/{id}/login-link", Role.ADMIN)
def make_login_link(call: Call, id: int) -> ApiAnswer | LoginLink:
    """A link that signs the principal in once within 15 minutes."""

    def work(tx: Tx) -> ApiAnswer:
        refuse_bound(call)
        row = principals.show_principal(tx, call.actor, id)
        code = login.make_login_code(tx, call.actor, row)
        scheme, host = "https" if call.request.is_tls else "http", call.request.headers.get("host", "")
        link = f"{scheme}://{host}{call.config.base_path}/#code={code}"
        return ApiAnswer(LoginLink(link=link, code=code, expires_at=tx.now + login.CODE_LIVES), status=201)

    return answer_once(call, work, secret="a link is shown once: make another one")  # noqa: S106


def role_of(word: str) -> Role:
    """The role that a request names."""
    return Role[word.upper()]


def _expected(tx: Tx, call: Call, id: int) -> Any:
    row = principals.lock_principal(tx, call.actor, id)
    item = _item(row)
    need_if_match(call, _etag(item), item)
    return row


def _item(row: Any) -> PrincipalItem:
    has_password = bool(row.has_password if hasattr(row, "has_password") else row.password)
    return PrincipalItem(**fields_of(row, PrincipalItem) | {"role": Role(row.role).word, "has_password": has_password})


def _etag(item: PrincipalItem) -> str:
    return hashlib.blake2b(encode(msgspec.structs.replace(item, has_password=False)), digest_size=10).hexdigest()

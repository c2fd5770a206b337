"""Tenants over HTTP: who shares the database, what each may have, and what it used.

A system caller sees and changes all; an administrator sees their own tenant.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec

from qflowd.api.access.authorization import refuse_bound
from qflowd.api.answers import ApiAnswer, ApiFault, Item
from qflowd.api.call import Call
from qflowd.api.inbox.idempotency import answer_once
from qflowd.api.paging import ListPage, PageQuery, page_of, read_cursor
from qflowd.api.reading import Body, need_if_match
from qflowd.api.routing import route
from qflowd.engine.access import tenants as verbs
from qflowd.model.errors import NotFound
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

DAYS: Final = 31  # of the usage, where no first day is given
Title = Annotated[str, msgspec.Meta(max_length=verbs.LONGEST_TITLE)]


class QuotaItem(Item):
    """A quota that is set. `value`: a number, or a list of patterns; `used`: null where nothing is counted."""

    name: str
    value: int | Sequence[str]
    used: float | None
    set_by: str | None
    updated_at: datetime


class TenantItem(Item):
    """A tenant and what it has now. `submissions`: accepted today (UTC); `log_mb`: of what has ended today."""

    name: str
    title: str
    state: str
    open_instances: int
    running_tasks: int
    submissions: int
    workflows: int
    log_mb: float
    created_at: datetime
    updated_at: datetime


class TenantDetail(TenantItem):
    """With its quotas."""

    quotas: Sequence[QuotaItem]


class UsageItem(Item):
    """What instances of a workflow (or of a single job) used that have ended on a day (UTC)."""

    day: str
    workflow: str
    instances: int
    tasks: int
    failed: int
    task_s: float
    cpu_s: float
    log_mb: float


class NewTenant(Body):
    """A tenant that is to get its row."""

    name: str
    title: Title = ""


class ChangedTenant(Body):
    """What is to change of a tenant. SUSPENDED: its submissions are rejected, what runs continues."""

    title: Title | None = None
    state: Literal["ACTIVE", "SUSPENDED"] | None = None


class QuotasRequest(Body):
    """All quotas that a tenant is to have, by name; those that are left out are taken away."""

    quotas: Mapping[str, int | Sequence[str] | None]


class UsageQuery(PageQuery):
    """`from`, `to`: days (UTC), both included; the last 31 days if not given."""

    from_: date | None = None
    to: date | None = None


@route("GET", "/tenants", Role.SYSTEM)
def list_tenants(call: Call, query: PageQuery) -> ListPage[TenantItem]:
    """Tenants that have a row; one without has no quotas and is not counted."""
    [after] = read_cursor(query, tuple[str]) or [""]
    rows = call.store.read(lambda tx: verbs.list_tenants(tx, after=after, limit=query.limit + 1))
    return page_of(query, rows, "name", make=lambda row: TenantItem(**_fields(row)))


@route("POST", "/tenants", Role.SYSTEM, errors=(40902,))
def create_tenant(call: Call, body: NewTenant) -> ApiAnswer | TenantDetail:
    """Give a tenant its row: from now on what it uses is counted, and it may get quotas."""
    refuse_bound(call)
    return answer_once(
        call, lambda tx: _answer(verbs.create_tenant(tx, call.actor, body.name, body.title), (), status=201)
    )


@route("GET", "/tenants/{id}", Role.ADMIN)
def show_tenant(call: Call, id: str) -> ApiAnswer | TenantDetail:
    """A tenant with its quotas."""
    _refuse_other(call, id)
    return _answer(*call.store.read(lambda tx: _found(tx, id)))


@route("PUT", "/tenants/{id}", Role.SYSTEM, errors=(41201, 42801))
def update_tenant(call: Call, id: str, body: ChangedTenant) -> ApiAnswer | TenantDetail:
    """Change its title, suspend it, or make it active again."""

    def change(tx: Tx) -> tuple[verbs.Tenant, list[verbs.Quota]]:
        _match(call, tx, id)
        verbs.set_tenant(tx, call.actor, id, title=body.title, state=body.state)
        return _found(tx, id)

    return _answer(*call.change(change))


@route("DELETE", "/tenants/{id}", Role.SYSTEM, errors=(40903, 41201, 42801))
def delete_tenant(call: Call, id: str) -> None:
    """Take its row and its quotas away, once nothing of it is open; what it used is kept."""

    def delete(tx: Tx) -> None:
        _match(call, tx, id)
        verbs.delete_tenant(tx, call.actor, id)

    call.change(delete)


@route("GET", "/tenants/{id}/quotas", Role.ADMIN)
def list_quotas(call: Call, id: str) -> ApiAnswer | ListPage[QuotaItem]:
    """Its quotas, with how much of each is used."""
    _refuse_other(call, id)
    tenant, quotas = call.store.read(lambda tx: _found(tx, id))
    return _quotas(tenant, quotas)


@route("PUT", "/tenants/{id}/quotas", Role.SYSTEM, errors=(41201, 42801))
def replace_quotas(call: Call, id: str, body: QuotasRequest) -> ApiAnswer | ListPage[QuotaItem]:
    """Let it have these quotas and no others; they hold for whatever is admitted from now on."""

    def replace(tx: Tx) -> tuple[verbs.Tenant, list[verbs.Quota]]:
        _match(call, tx, id)
        verbs.replace_quotas(tx, call.actor, id, body.quotas)
        return _found(tx, id)

    return _quotas(*call.change(replace))


@route("GET", "/tenants/{id}/usage", Role.ADMIN)
def list_usage(call: Call, id: str, query: UsageQuery) -> ListPage[UsageItem]:
    """What its instances used that have ended, by day and workflow."""
    _refuse_other(call, id)
    last = query.to or datetime.now(UTC).date()
    first = query.from_ or max(last, date.min + timedelta(days=DAYS)) - timedelta(days=DAYS)
    after = read_cursor(query, tuple[date, str]) or (date.min, "")

    def read(tx: Tx) -> list[Any]:
        verbs.find_tenant(tx, id)
        return verbs.list_usage(tx, id, first, last, after=after, limit=query.limit + 1)

    rows = call.store.read(read)
    return page_of(query, rows, "day", "workflow", make=lambda row: UsageItem(**row._asdict() | {"day": str(row.day)}))


def _found(tx: Tx, name: str) -> tuple[verbs.Tenant, list[verbs.Quota]]:
    tenant = verbs.find_tenant(tx, name)
    return tenant, verbs.list_quotas(tx, tenant)


def quotas_of(tx: Tx, tenant: str) -> list[QuotaItem]:
    """What is set for a tenant, which may have no row."""
    try:
        return _items(_found(tx, tenant)[1])
    except NotFound:
        return []


def _match(call: Call, tx: Tx, name: str) -> None:
    """Lock a tenant. Raises: NotFound; ApiFault where the caller means an older state, or comes by a bound token."""
    refuse_bound(call)
    tenant = verbs.lock_tenant(tx, name)
    current = TenantDetail(**_fields(tenant), quotas=_items(verbs.list_quotas(tx, tenant)))
    need_if_match(call, _etag(tenant), current)


def _refuse_other(call: Call, name: str) -> None:
    """Raises: ApiFault 40401 for another tenant than the caller's."""
    if not call.is_system and name != call.tenant:
        raise ApiFault(40401, f"there is no tenant {name!r}")


def _answer(tenant: verbs.Tenant, quotas: Sequence[verbs.Quota], status: int = 200) -> ApiAnswer:
    detail = TenantDetail(**_fields(tenant), quotas=_items(quotas))
    return ApiAnswer(detail, status=status, etag=_etag(tenant))


def _quotas(tenant: verbs.Tenant, quotas: Sequence[verbs.Quota]) -> ApiAnswer:
    return ApiAnswer(ListPage(items=_items(quotas)), etag=_etag(tenant))


def _etag(tenant: verbs.Tenant) -> str:
    return f"{tenant.name}-{tenant.revision}".encode("ascii", "xmlcharrefreplace").decode()


def _fields(tenant: verbs.Tenant) -> dict[str, Any]:
    fields = tenant._asdict()
    del fields["revision"]
    return fields


def _items(quotas: Sequence[verbs.Quota]) -> list[QuotaItem]:
    return [QuotaItem(**quota._asdict()) for quota in quotas]

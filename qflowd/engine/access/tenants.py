"""Tenants and their quotas: what administrators set, and what is there of it. Every verb runs in the caller's transaction.

A tenant that has no row here has no walls and is not counted; its first row counts what is open at that moment.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from qflowd.engine.access.audit import Actor, record
from qflowd.engine.limits.limit_settings import Size, write_sizes
from qflowd.engine.refusal import Refused, listed
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.limits import MOST_SLOTS
from qflowd.model.names import DEFAULT_TENANT, fault_in_key
from qflowd.model.quotas import LONGEST_TENANT, NAMES, Value, limit_of, load_value, read_value, write_value
from qflowd.model.refusals import Refusal
from qflowd.store.clock import to_microseconds
from qflowd.store.tx import Duplicate, Tx

STATES: Final = ("ACTIVE", "SUSPENDED")
OF_QUOTAS: Final = "quota"  # source of a limit that a quota has made
LONGEST_TITLE: Final = 200
USED: Final = ("open_instances", "running_tasks", "submissions_per_day", "workflows", "log_mb_per_day")


class Quota(NamedTuple):
    """A quota that is set. `used`: how much of it is in use now; None where nothing is counted."""

    name: str
    value: Value
    used: float | None
    set_by: str | None
    updated_at: datetime


class Tenant(NamedTuple):
    """A tenant and what it has now. `submissions`: accepted today (UTC); `log_mb`: of what has ended today."""

    name: str
    title: str
    state: str
    revision: int  # rises with every change of it or its quotas, and never returns
    created_at: datetime
    updated_at: datetime
    open_instances: int
    running_tasks: int
    submissions: int
    workflows: int
    log_mb: float

    @property
    def used(self) -> Mapping[str, float]:
        """Quota -> how much of it is in use."""
        there = self.open_instances, self.running_tasks, self.submissions, self.workflows, self.log_mb
        return dict(zip(USED, there, strict=True))


def list_tenants(tx: Tx, *, after: str = "", limit: int = 500) -> list[Tenant]:
    """Tenants in the order of their names, from behind `after`."""
    today = str(tx.now.date())
    return [_tenant(row, today) for row in tx.run("list_tenants", after=after, batch=limit, day=today)]


def list_names(tx: Tx, limit: int = 500) -> list[str]:
    """Names of tenants, in their order."""
    return [row.name for row in tx.run("list_tenant_names", batch=limit)]


def find_tenant(tx: Tx, name: str) -> Tenant:
    """Raises: NotFound."""
    today = str(tx.now.date())
    row = tx.one("show_tenant", tenant=name, day=today)
    if row is None:
        raise NotFound(f"there is no tenant {name!r}; `qflowd tenants` lists those that have a row")
    return _tenant(row, today)


def lock_tenant(tx: Tx, name: str) -> Tenant:
    """As `find_tenant`; nobody else changes it, or admits for it, until the transaction ends. Raises: NotFound."""
    tx.run("lock_tenants", rows=[(name,)])
    return find_tenant(tx, name)


def refuse_deleted(tx: Tx, name: str) -> None:
    """May somebody be let into this tenant? Nobody deletes it until the transaction ends. Raises: NotFound.

    A tenant without a row has no walls: only the default one, and one whose people can come in already, may go without.
    """
    there = tx.run("lock_tenants", rows=[(name,)]) or name == DEFAULT_TENANT
    if not there and not tx.one("count_enabled_principals", tenant=name).principals:
        raise NotFound(f"there is no tenant {name!r} any more; `qflowd tenants create {name}` makes it again")


def list_quotas(tx: Tx, tenant: Tenant) -> list[Quota]:
    """What is set for a tenant, in the order of the names."""
    return [
        Quota(row.name, load_value(row.value), tenant.used.get(row.name), row.set_by, row.updated_at)
        for row in tx.run("list_quotas", tenant=tenant.name)
    ]


def list_usage(
    tx: Tx, tenant: str, first: date, last: date, *, after: tuple[date, str] = (date.min, ""), limit: int = 500
) -> list[Any]:
    """Rows of `usage_day` from one day to another, both included, by day and workflow."""
    span: dict[str, Any] = {
        "first": str(first),
        "last": str(last),
        "after_day": str(after[0]),
        "after_workflow": after[1],
    }
    return tx.run("list_usage", tenant=tenant, batch=limit, **span)


def create_tenant(tx: Tx, actor: Actor, name: str, title: str = "") -> Tenant:
    """Give a tenant its row: from now on it is counted, and may get quotas.

    Raises: InvalidRequest if it cannot have this name; Refused if it is taken.
    """
    fault = fault_in_key(name, "tenant")
    if fault is None and len(name) > LONGEST_TENANT:
        fault = f"tenant has {len(name)} characters; at most {LONGEST_TENANT} are allowed"
    if fault:
        raise InvalidRequest(fault)
    if tx.run("load_tenants", rows=[(name,)]):
        raise _there_already(name)
    try:
        tx.run("insert_tenant", tenant=name, title=_title(title), revision=to_microseconds(tx.now), now=tx.now)
    except Duplicate:  # somebody else was a moment earlier
        raise _there_already(name) from None
    tx.run("meter_open_instances", tenant=name)
    _record(tx, actor, "CREATE", name, None, {"title": title})
    return find_tenant(tx, name)


def set_tenant(tx: Tx, actor: Actor, name: str, *, title: str | None = None, state: str | None = None) -> Tenant:
    """Change what is given. SUSPENDED: it starts nothing; what runs continues.

    Raises: NotFound; InvalidRequest.
    """
    if state is not None and state not in STATES:
        raise InvalidRequest(f"state must be {' or '.join(STATES)}, not {state!r}")
    before = find_tenant(tx, name)
    _touch(tx, name, None if title is None else _title(title), state)
    tenant = find_tenant(tx, name)
    _record(tx, actor, "UPDATE", name, _shown(before), _shown(tenant))
    return tenant


def delete_tenant(tx: Tx, actor: Actor, name: str) -> None:
    """Take the row and the quotas of a tenant away. What it used stays in the usage.

    Raises: NotFound; Refused while it has anything that could run, or anybody who could start it: without a row it would
        have no walls.
    """
    _touch(tx, name)
    tenant = find_tenant(tx, name)
    if tenant.open_instances or tenant.workflows:
        raise Refused(
            f"tenant {name} has {tenant.open_instances:,} open instances and {tenant.workflows:,} workflows that are not "
            "archived; end and archive these first, or suspend the tenant",
            Refusal.IN_USE,
        )
    if principals := tx.one("count_enabled_principals", tenant=name).principals:
        raise Refused(
            f"tenant {name} has {principals:,} principals that are not disabled, and what they start would have no quotas; "
            f"disable or delete these first (`/principals?tenant={name}` of the HTTP API, page Settings of the dashboard), "
            "or suspend the tenant",
            Refusal.IN_USE,
        )
    set_quotas(tx, actor, name, {quota.name: None for quota in list_quotas(tx, tenant)})
    tx.run("delete_tenant", tenant=name)
    _record(tx, actor, "DELETE", name, _shown(tenant), None)


def set_quotas(tx: Tx, actor: Actor, tenant: str, values: Mapping[str, Any]) -> list[Quota]:
    """Set these quotas; None takes one away. They hold for everything that is admitted after this transaction.

    Raises: NotFound; InvalidRequest with every fault.
    """
    wanted, faults = _read(values)
    if faults:
        raise InvalidRequest("; ".join(faults))
    _touch(tx, tenant)
    before = list_quotas(tx, find_tenant(tx, tenant))
    if dropped := [(tenant, name) for name, value in sorted(wanted.items()) if value is None]:
        tx.run("delete_quotas", rows=dropped)
    if saved := [(name, write_value(value)) for name, value in sorted(wanted.items()) if value is not None]:
        tx.run("save_quotas", rows=saved, tenant=tenant, set_by=actor.name, now=tx.now)
    if "running_tasks" in wanted:
        value = wanted["running_tasks"]
        slots = value if isinstance(value, int) else MOST_SLOTS  # what was admitted with it still takes slots
        write_sizes(tx, {limit_of(tenant): Size(slots, None, OF_QUOTAS)}, actor.name, "quota running_tasks")
    after = list_quotas(tx, find_tenant(tx, tenant))
    _record(tx, actor, "UPDATE", tenant, _values(before), _values(after))
    return after


def replace_quotas(tx: Tx, actor: Actor, tenant: str, values: Mapping[str, Any]) -> list[Quota]:
    """Let a tenant have these quotas and no others. Raises: NotFound; InvalidRequest."""
    there: Iterable[str] = [quota.name for quota in list_quotas(tx, find_tenant(tx, tenant))]
    return set_quotas(tx, actor, tenant, dict.fromkeys(there) | dict(values))


def _read(values: Mapping[str, Any]) -> tuple[dict[str, Value | None], list[str]]:
    wanted: dict[str, Value | None] = {}
    faults = []
    for name, value in values.items():
        try:
            if name not in NAMES:
                raise ValueError(f"there is no quota {name!r}; there are {listed(NAMES)}")
            wanted[name] = None if value is None else read_value(name, value)
        except ValueError as error:
            faults.append(str(error))
    return wanted, faults


def _touch(tx: Tx, tenant: str, title: str | None = None, state: str | None = None) -> None:
    """Lock a tenant's row and raise its revision. Raises: NotFound."""
    if not tx.count("update_tenant", tenant=tenant, title=title, state=state, now=tx.now):
        find_tenant(tx, tenant)


def _record(
    tx: Tx, actor: Actor, action: str, tenant: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> None:
    """Who did it is of another tenant than the one that it is about."""
    record(tx, actor._replace(tenant=tenant), action, "tenant", tenant, before=before, after=after)


def _shown(tenant: Tenant) -> dict[str, Any]:
    return {"title": tenant.title, "state": tenant.state}


def _values(quotas: Iterable[Quota]) -> dict[str, Any]:
    return {quota.name: quota.value for quota in quotas}


def _title(title: str) -> str:
    """Raises: InvalidRequest."""
    if len(title) > LONGEST_TITLE:
        raise InvalidRequest(f"title has {len(title)} characters; at most {LONGEST_TITLE} are allowed")
    return title


def _there_already(name: str) -> Refused:
    return Refused(f"tenant {name!r} is there already", Refusal.NAME_TAKEN)


def _tenant(row: Any, today: str) -> Tenant:
    """Of a row of `list_tenants` or `show_tenant`."""
    return Tenant(
        row.name,
        row.title,
        row.state,
        int(row.revision),
        row.created_at,
        row.updated_at,
        int(row.open_instances),
        int(row.running_tasks),
        int(row.submissions) if str(row.counted_day) == today else 0,
        int(row.workflows),
        float(row.log_mb),
    )

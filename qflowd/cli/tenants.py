"""`qflowd tenants`: who shares this database, what each may have, and what it used. No daemon and no API need to run."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, Final, TypeVar

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.exits import say
from qflowd.cli.printing import print_json, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client.requests import who
from qflowd.engine.access import tenants as verbs
from qflowd.engine.access.audit import Actor
from qflowd.model.quotas import NUMBERS, PATTERNS
from qflowd.store.tx import Tx

T = TypeVar("T")
COLUMNS: Final = (
    "name | title | state | OPEN>:open_instances | RUNNING>:running_tasks | ACCEPTED TODAY>:submissions | workflows>"
    " | LOG MB TODAY>:log_mb"
)
QUOTAS: Final = "name | value> | used> | BY:set_by | SET (UTC):updated_at"
USED: Final = "day | workflow | instances> | tasks> | failed> | TASK S>:task_s | CPU S>:cpu_s | LOG MB>:log_mb"
MOST: Final = 100_000  # rows of one answer
DAYS: Final = 31
NAME: Final = click.argument("name")
DAY: Final = click.DateTime(["%Y-%m-%d"])


@click.group(invoke_without_command=True, help=COMMANDS["tenants"])
@json_option
@click.pass_context
def tenants(context: click.Context, *, as_json: bool) -> None:
    """See `help` above."""
    if context.invoked_subcommand is None:
        rows = _do(partial(verbs.list_tenants, limit=MOST), reads=True)
        empty = "no tenants have a row, so nobody has quotas; `qflowd tenants create NAME` makes one"
        print_list([_shown(row) for row in rows], COLUMNS, empty, as_json=as_json)


@tenants.command()
@NAME
@json_option
def show(*, name: str, as_json: bool) -> None:
    """Show what NAME has, and its quotas with how much of each is used."""

    def look(tx: Tx) -> tuple[verbs.Tenant, list[verbs.Quota]]:
        tenant = verbs.find_tenant(tx, name)
        return tenant, verbs.list_quotas(tx, tenant)

    tenant, quotas = _do(look, reads=True)
    if as_json:
        print_json(_shown(tenant) | {"quotas": [quota._asdict() for quota in quotas]})
        return
    print_list([_shown(tenant)], COLUMNS)
    click.echo()
    print_list(
        [_quota(quota) for quota in quotas], QUOTAS, f"no quotas; `qflowd tenants quota {name}` lists their names"
    )


@tenants.command()
@NAME
@click.option("--title", default="", help="For people.")
def create(*, name: str, title: str) -> None:
    """Give NAME a row: from now on what it uses is counted, and it may get quotas."""
    _do(lambda tx: verbs.create_tenant(tx, _actor(), name, title))
    click.echo(f"{name}: created")


@tenants.command("set")
@NAME
@click.option("--title", help="For people.")
@click.option("--active/--suspend", "is_active", default=None, help="Whether its submissions are accepted.")
def set_(*, name: str, title: str | None, is_active: bool | None) -> None:
    """Change the title of NAME, or let it start nothing more; what runs continues."""
    if title is None and is_active is None:
        raise click.UsageError("give --title, --active or --suspend")
    state = None if is_active is None else verbs.STATES[0 if is_active else 1]
    tenant = _do(lambda tx: verbs.set_tenant(tx, _actor(), name, title=title, state=state))
    click.echo(f"{name}: {tenant.state}")


@tenants.command()
@NAME
@click.argument("settings", metavar="[QUOTA=VALUE]...", nargs=-1)
@json_option
def quota(*, name: str, settings: Sequence[str], as_json: bool) -> None:
    """Set quotas of NAME; without a value, as in `workflows=`, a quota is taken away. Without any: list what there is.

    A value of allowed_jobs or allowed_pools is a list of names and patterns, such as 'md_*,report'.
    """
    values = _values(settings)
    if not values:
        _list_names(name, as_json=as_json)
        return
    quotas = _do(lambda tx: verbs.set_quotas(tx, _actor(), name, values))
    print_list([row._asdict() if as_json else _quota(row) for row in quotas], QUOTAS, "no quotas", as_json=as_json)


@tenants.command()
@NAME
@click.option("--from", "first", type=DAY, help="A day (UTC); 31 days ago if not given.")
@click.option("--to", "last", type=DAY, help="A day (UTC); today if not given.")
@json_option
def usage(*, name: str, first: datetime | None, last: datetime | None, as_json: bool) -> None:
    """Show what instances of NAME used that have ended, by day and workflow."""
    until = last.date() if last else datetime.now(UTC).date()
    since = first.date() if first else until - timedelta(days=DAYS)

    def look(tx: Tx) -> list[Any]:
        verbs.find_tenant(tx, name)
        return verbs.list_usage(tx, name, since, until, limit=MOST)

    rows = [row._asdict() | {"day": str(row.day)} for row in _do(look, reads=True)]
    if not as_json:
        rows = [row | {key: f"{row[key]:,.1f}" for key in ("task_s", "cpu_s", "log_mb")} for row in rows]
    print_list(rows, USED, f"nothing has ended from {since} to {until}", as_json=as_json)


@tenants.command()
@NAME
def delete(*, name: str) -> None:
    """Take the row and the quotas of NAME away, once nothing of it is open; what it used is kept."""
    _do(lambda tx: verbs.delete_tenant(tx, _actor(), name))
    click.echo(f"{name}: deleted")


def _do(work: Callable[[Tx], T], *, reads: bool = False) -> T:
    with open_client() as client:
        return client.store.read(work) if reads else client.store.transact(work, name="tenants")


def _actor() -> Actor:
    return Actor(who())


def _values(settings: Sequence[str]) -> dict[str, Any]:
    values = {}
    for text in settings:
        name, equals, value = text.partition("=")
        if not equals:
            raise click.BadParameter(f"{text!r} must be written as QUOTA=VALUE, such as open_instances=100")
        values[name] = value or None
    return values


def _list_names(name: str, *, as_json: bool) -> None:
    def look(tx: Tx) -> Mapping[str, Any]:
        return {row.name: row.value for row in verbs.list_quotas(tx, verbs.find_tenant(tx, name))}

    there = _do(look, reads=True)
    about = {quota: what for quota, (_, _, what) in NUMBERS.items()} | dict(PATTERNS)
    rows = [{"name": quota, "value": _text(there.get(quota)), "limits": what} for quota, what in about.items()]
    print_list(rows, "name | value> | WHAT IT LIMITS:limits", as_json=as_json)
    if not as_json:
        say(f"`qflowd tenants quota {name} open_instances=100` sets one")


def _quota(row: verbs.Quota) -> dict[str, Any]:
    used = None if row.used is None else f"{row.used:,.0f}"
    return row._asdict() | {"value": _text(row.value), "used": used}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    return f"{value:,}" if isinstance(value, int) else ", ".join(value)


def _shown(row: verbs.Tenant) -> dict[str, Any]:
    return row._asdict() | {"log_mb": round(row.log_mb, 1)}

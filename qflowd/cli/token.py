"""`qflowd token`: tokens of the HTTP API. They are made and revoked in the database; no API needs to run."""

from datetime import timedelta
from functools import partial
from typing import Any, Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.exits import say
from qflowd.cli.printing import print_json, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client.client import Client
from qflowd.client.requests import who
from qflowd.engine.access import principals, tokens
from qflowd.engine.access.audit import Actor
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

COLUMNS: Final = (
    "id | principal | role | note | workflows | jobs | networks | EXPIRES (UTC):expires_at | USED (UTC):last_used_at"
    " | REVOKED (UTC):revoked_at"
)
ROLES: Final = click.Choice([role.word for role in Role if role])


def actor_of(client: Client) -> Actor:
    """The person at this command line, who may do everything in the tenant that is named."""
    return Actor(who(), client.tenant)


@click.group(help=COMMANDS["token"])
def token() -> None:
    """See `help` above."""


@token.command()
@click.argument("principal")
@click.option("--role", type=ROLES, help="The most it may do; default: what PRINCIPAL may do. Needed for a new one.")
@click.option("--days", type=click.IntRange(1, tokens.LONGEST_LIFE.days), default=tokens.LIVES.days, show_default=True)
@click.option("--note", help="What it is for.")
@click.option("--workflow", "workflows", multiple=True, help="May run only these, such as 'daily_*'; may be repeated.")
@click.option("--job", "jobs", multiple=True, help="May run only these jobs by themselves; may be repeated.")
@click.option("--network", "networks", multiple=True, metavar="CIDR", help="Used only from there; may be repeated.")
@json_option
def create(*, principal: str, role: str | None, days: int, as_json: bool, **scope: Any) -> None:
    """Make a token for PRINCIPAL, a service or a person, and print it. It is not shown again.

    A PRINCIPAL that does not exist is made, as a service with --role.
    """
    asked = Role[role.upper()] if role else None
    with open_client() as client:
        actor = actor_of(client)

        def make_token(tx: Tx) -> tokens.NewToken:
            row = _principal(tx, actor, principal, asked)
            limits = {name: tuple(scope[name]) for name in ("workflows", "jobs", "networks")}
            wanted = tokens.Scope(asked or Role(row.role), **limits)
            return tokens.make_token(tx, actor, row, wanted, timedelta(days=days), scope["note"])

        made = client.store.transact(make_token)
    if as_json:
        print_json({"id": made.id, "token": made.text, "expires_at": made.expires_at})
    else:
        click.echo(made.text)
        say(f"token {made.id} is valid until {made.expires_at:%Y-%m-%d}; keep it now, it is not shown again")


def _principal(tx: Tx, actor: Actor, name: str, role: Role | None) -> Any:
    """Raises: InvalidRequest; NotFound for one of another tenant."""
    try:
        return principals.find_principal(tx, actor, name)
    except NotFound:
        if role is None:
            raise InvalidRequest(f"tenant {actor.tenant} has no principal {name!r}; --role makes one") from None
        return principals.add_principal(tx, actor, name, "service", role)


@token.command("list")
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones as well.")
@json_option
def list_(*, everything: bool, as_json: bool) -> None:
    """List tokens; never their secrets."""
    with open_client() as client:
        rows = client.store.read(lambda tx: _listed(tx, actor_of(client), everything=everything))
    print_list(rows, COLUMNS, "no tokens; `qflowd token create NAME --role submit` makes one", as_json=as_json)


def _listed(tx: Tx, actor: Actor, *, everything: bool) -> list[dict[str, Any]]:
    rows = tokens.list_tokens(tx, actor, with_ended=everything)
    return [
        row._asdict()
        | {name: list(tokens.as_tuple(getattr(row, name))) for name in ("workflows", "jobs", "networks")}
        | {"role": Role(row.role).word}
        for row in rows
    ]


@token.command()
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def revoke(*, ids: tuple[str, ...]) -> None:
    """Revoke tokens. A running API takes notice within ten seconds."""
    with open_client() as client:
        for number in ids:
            changed = client.store.transact(partial(_revoke, actor_of(client), number))
            click.echo(f"{number}: {'revoked' if changed else 'was revoked already'}")


def _revoke(actor: Actor, token: str, tx: Tx) -> bool:
    return tokens.revoke_token(tx, actor, token)

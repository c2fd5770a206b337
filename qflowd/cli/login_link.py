"""`qflowd login-link`: a link that signs somebody in to the dashboard once."""

from typing import Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.exits import say
from qflowd.cli.session import configuration, open_client
from qflowd.cli.token import ROLES, actor_of
from qflowd.engine.access import login, principals
from qflowd.model.errors import InvalidRequest, NotFound
from qflowd.model.roles import Role
from qflowd.store.tx import Tx

MINUTES: Final = int(login.CODE_LIVES.total_seconds() // 60)


@click.command("login-link", help=COMMANDS["login-link"])
@click.argument("name")
@click.option("--url", help="Where the dashboard is; default: as [api] says.")
@click.option("--role", type=ROLES, help="Makes NAME, a person, if there is none of this name.")
def login_link(*, name: str, url: str | None, role: str | None) -> None:
    """See `help` above."""
    with open_client() as client:
        actor = actor_of(client)

        def make_code(tx: Tx) -> str:
            try:
                row = principals.find_principal(tx, actor, name)
            except NotFound:
                if role is None:
                    raise InvalidRequest(f"tenant {actor.tenant} has no principal {name!r}; --role makes one") from None
                row = principals.add_principal(tx, actor, name, "human", Role[role.upper()])
            if role is not None and Role(row.role).word != role:
                there = Role(row.role).word
                raise InvalidRequest(
                    f"{name} is there, with the role {there}: leave --role out, or change it in the dashboard"
                )
            return login.make_login_code(tx, actor, row)

        code = client.store.transact(make_code)
    click.echo(f"{url or _address()}#code={code}")
    say(f"this link signs in {name} once, within {MINUTES} minutes")


def _address() -> str:
    """The address of the dashboard, as far as the configuration knows it: a proxy in front has its own."""
    api = configuration().api
    host = next(iter(api.hosts), None) or ("127.0.0.1:8080" if api.bind.socket else f"{api.bind}")
    is_tls = api.tls_cert is not None or api.plaintext or bool(api.trusted_proxies)
    return f"{'https' if is_tls else 'http'}://{host}{api.base_path}/"

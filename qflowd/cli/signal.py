"""`qflowd signal`: tells all that wait for it that something is so."""

from typing import Any

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.printing import echo, print_json
from qflowd.cli.session import json_option, open_client
from qflowd.model import jsontext


def _payload(_: click.Context, __: click.Parameter, value: str | None) -> Any:
    """Raises: click.BadParameter."""
    try:
        return None if value is None else jsontext.parse(value, "payload", is_sent=True)
    except ValueError as error:
        raise click.BadParameter(f"{error}; a string stands in quotes: '\"ready\"'") from None


@click.command(help=f"{COMMANDS['signal']}\n\nPrints its id. It is kept for whoever begins to wait for NAME later.")
@click.argument("name")
@click.option("--payload", callback=_payload, metavar="JSON", help="What tasks that only wait for it return.")
@click.option("--business-date", metavar="DATE", help="Only for instances of this date: 2026-11-20.")
@click.option("--expires-at", metavar="TIME", help="Who begins to wait from then on does not see it.")
@json_option
def signal(*, name: str, payload: Any, business_date: str | None, expires_at: str | None, as_json: bool) -> None:
    """See `help` above."""
    with open_client() as client:
        number = client.signal(name, payload, business_date=business_date, expires_at=expires_at)
    print_json({"id": number}) if as_json else echo(str(number))

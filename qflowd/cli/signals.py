"""`qflowd signals`: the signals that were sent."""

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.printing import print_first
from qflowd.cli.session import json_option, open_client

COLUMNS = "ID>:id | name | DATE:business_date | SENT (UTC):created_at | BY:sent_by | state | payload | error"


@click.command(help=COMMANDS["signals"])
@click.argument("name", required=False)
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def signals(*, name: str | None, limit: int, as_json: bool) -> None:
    """See `help` above."""
    with open_client() as client:
        rows = client.signals(name, limit=limit + 1)
        empty = "no signals" if name is None else f"no signal {name}"
        print_first(rows, limit, COLUMNS, empty, as_json=as_json)

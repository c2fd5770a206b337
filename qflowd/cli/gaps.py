"""`qflowd gaps`: the sessions for which a workflow has no good run."""

from typing import Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.exits import ERROR, OK
from qflowd.cli.printing import coloured, print_list
from qflowd.cli.session import json_option, open_client

COLUMNS: Final = "BUSINESS DATE:business_date | WHAT IS THERE:there | INSTANCE>:instance_id"


@click.command(help=COMMANDS["gaps"])
@click.argument("workflow")
@click.option(
    "--from", "first", metavar="DATE", help="From this day on; if not given, from the first that it has a run for."
)
@click.option("--to", "last", metavar="DATE", help="To this day; if not given, to the last session that is due.")
@json_option
def gaps(*, workflow: str, first: str | None, last: str | None, as_json: bool) -> int:
    """See `help` above. Exit code 1 if there are gaps."""
    with open_client() as client:
        rows = client.gaps(workflow, first, last)
    words = (
        rows if as_json else [row | {"there": coloured(row["state"]) if row["state"] else "nothing"} for row in rows]
    )
    print_list(words, COLUMNS, f"workflow {workflow} has no gaps", as_json=as_json)
    return ERROR if rows else OK

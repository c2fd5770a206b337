"""`qflowd late`: the business dates that had no good run by when their workflows expect one."""

from typing import Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.exits import ERROR, OK
from qflowd.cli.printing import print_list, with_what_is_there
from qflowd.cli.session import json_option, open_client

COLUMNS: Final = (
    "workflow | BUSINESS DATE:business_date | EXPECTED (UTC):expected_at | WHAT IS THERE:there | INSTANCE>:instance_id"
)


@click.command(help=f"{COMMANDS['late']}\n\nExit code 1 if anything is late now.")
@click.option("--all", "everything", is_flag=True, help="Those as well that have had a good run since.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest ones.")
@json_option
def late(*, everything: bool, limit: int, as_json: bool) -> int:
    """See `help` above."""
    with open_client() as client:
        rows = client.late(limit, with_ended=everything)
        is_late = bool(client.late(1)) if everything else bool(rows)
    columns = f"{COLUMNS} | NOT LATE SINCE (UTC):ended_at" if everything else COLUMNS
    print_list(rows if as_json else list(map(with_what_is_there, rows)), columns, "nothing is late", as_json=as_json)
    return ERROR if is_late else OK

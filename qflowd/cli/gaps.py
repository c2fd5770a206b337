"""`qflowd gaps`: the sessions for which a workflow has no good run; with --fill, a backfill of them."""

from typing import Any, Final

import click

from qflowd.cli.backfill import how_options, make_backfill
from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import CommandOptions, command_options
from qflowd.cli.exits import ERROR, OK
from qflowd.cli.printing import print_list, with_what_is_there
from qflowd.cli.session import merged, open_client
from qflowd.client import Client
from qflowd.model.errors import InvalidRequest

COLUMNS: Final = "BUSINESS DATE:business_date | WHAT IS THERE:there | INSTANCE>:instance_id"


@click.command(help=f"{COMMANDS['gaps']}\n\nExit code 1 if there are gaps.")
@click.argument("workflow")
@click.option(
    "--from", "first", metavar="DATE", help="From this day on; if not given, from the first that it has a run for."
)
@click.option("--to", "last", metavar="DATE", help="To this day; if not given, to the last session that is due.")
@click.option("--fill", is_flag=True, help="Run it for them: a backfill of what is missing, as the options below say.")
@how_options
@command_options
def gaps(
    *,
    workflow: str,
    first: str | None,
    last: str | None,
    fill: bool,
    reason: str | None,
    no_wait: bool,
    as_json: bool,
    **how: Any,
) -> int:
    """See `help` above."""
    how["params"] = merged(how.pop("given"), how.pop("pairs"))
    if not fill and any(value is not None for value in how.values()):
        raise click.UsageError("how a backfill runs is said with --fill alone")
    with open_client() as client:
        rows = client.gaps(workflow, first, last)
        if fill and rows:
            _refuse_some_sessions(client, workflow)
    if fill and rows:
        options: CommandOptions = {"reason": reason, "no_wait": no_wait, "as_json": as_json}
        days = [str(row["business_date"]) for row in rows]
        return make_backfill(workflow, {"from": days[0], "to": days[-1], "only_missing": True} | how, **options)
    words = rows if as_json else list(map(with_what_is_there, rows))
    since = "" if first else "; they count from its first run for a date, or from --from"
    print_list(words, COLUMNS, f"workflow {workflow} has no gaps{since}", as_json=as_json)
    return ERROR if rows else OK


def _refuse_some_sessions(client: Client, workflow: str) -> None:
    """A backfill is of all sessions. Raises: InvalidRequest where the workflow is for some of them."""
    if days := {row["session_days"] for row in client.schedules() if row["workflow"] == workflow} - {""}:
        raise InvalidRequest(
            f"workflow {workflow!r} is for some sessions alone ({', '.join(sorted(days))}), and a backfill is of all; "
            f"submit it for each of its gaps with --business-date"
        )

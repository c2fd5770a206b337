"""`qflowd backfill`: a workflow is run for each date of a range."""

from typing import Any, Final, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import CommandOptions, F, carry_out, command_options
from qflowd.cli.session import merged, params_options

SHOWN: Final = 10  # dates of a dry run; --json has all


def how_options(command: F) -> F:
    """Add the options that say how a backfill runs, whatever its dates are."""
    at_once = "Runs that are open at once; 4 if not given."
    sooner = "-1000 to 1000, greater is sooner; -100 if not given: behind other runs."
    times = "Times of day at which runs begin, in the calendar's zone: 22:00-06:00."
    first = "Which date comes first; oldest if not given."
    command = params_options(command)
    command = click.option("--window", metavar="TIMES", help=times)(command)
    command = click.option("--priority", type=int, help=sooner)(command)
    command = click.option("--max-active", type=int, metavar="N", help=at_once)(command)
    return click.option("--order", type=click.Choice(["oldest", "newest"]), help=first)(command)


@click.command(
    help=f"{COMMANDS['backfill']}\n\nA daemon drives it; `qflowd backfills show ID` says how far it has come."
)
@click.argument("workflow")
@click.option("--from", "first", metavar="DATE", required=True, help="The first date: 2020-01-02.")
@click.option("--to", "last", metavar="DATE", required=True, help="The last date.")
@click.option(
    "--calendar", metavar="NAME", help="Its sessions are the dates; if not given, those of the workflow's, or all days."
)
@click.option("--only-missing", is_flag=True, help="Leave out dates with a good run, or an open one.")
@how_options
@click.option("--dry-run", is_flag=True, help="Only tell the dates.")
@command_options
def backfill(
    *,
    workflow: str,
    first: str,
    last: str,
    given: dict[str, Any] | None,
    pairs: dict[str, Any],
    reason: str | None,
    no_wait: bool,
    as_json: bool,
    **asked: Any,
) -> int:
    """See `help` above."""
    options: CommandOptions = {"reason": reason, "no_wait": no_wait, "as_json": as_json}
    return make_backfill(workflow, {"from": first, "to": last, "params": merged(given, pairs), **asked}, **options)


def make_backfill(workflow: str, asked: dict[str, Any], **options: Unpack[CommandOptions]) -> int:
    """Ask for a backfill, with args as the command has them; the exit code."""
    args = {name: value for name, value in asked.items() if value is not None and value is not False}
    rows = [(f"backfill {workflow}", {"workflow": workflow, "args": args})]
    return carry_out("backfill", rows, _outcome, is_one=True, **options)


def _outcome(result: dict[str, Any]) -> str:
    if "already" in result:
        return str(result["already"])
    what = f"{result['dates']:,} {result['of']}"
    if "list" in result:
        more = ", …" if result["dates"] > SHOWN else ""
        had = f"; {result['covered']:,} of the range have a good run, or an open one" if result["covered"] else ""
        return f"would run for {what}: {', '.join(result['list'][:SHOWN])}{more}{had}"
    return f"backfill {result['backfill']} runs for {what}; `qflowd backfills show {result['backfill']}`"

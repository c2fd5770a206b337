"""`qflowd failures`: the failed tasks that nobody has handled. `qflowd retry`, `skip` and `handle` take the same conditions."""

import itertools
from typing import Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import filter_of, filter_options
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import check_conditions

COLUMNS: Final = (
    "INSTANCE>:instance_id | workflow | TASK:name | DATE:business_date | FAILED (UTC):failed_at | ATTEMPTS>:attempts"
    " | CLASS:error_class | error"
)


@click.command(help=COMMANDS["failures"])
@filter_options
@click.option("--all", "everything", is_flag=True, help="All failures, not only the latest.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def failures(
    *, workflow: str | None, conditions: tuple[str, ...], since: str | None, everything: bool, limit: int, as_json: bool
) -> None:
    """See `help` above."""
    chosen = filter_of(workflow, conditions, since)
    with open_client() as client:
        rows = list(itertools.islice(client.failures(chosen), None if everything else limit + 1))
        if not rows:
            check_conditions(client, chosen)
    has_more = not everything and len(rows) > limit
    print_list(
        rows if everything else rows[:limit], COLUMNS, "no failures" + (" like this" if chosen else ""), as_json=as_json
    )
    if has_more and not as_json:
        click.echo("… and more; --all lists all, `qflowd retry` and `qflowd handle` take the same conditions", err=True)

"""`qflowd failures`: the failed tasks that nobody has handled, or those that somebody has.

`qflowd retry`, `skip` and `handle` take the same conditions.
"""

import itertools
from typing import Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import filter_of, filter_options
from qflowd.cli.printing import echo, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import check_conditions

COLUMNS: Final = (
    "INSTANCE>:instance_id | workflow | TASK:name | DATE:business_date | FAILED (UTC):failed_at | ATTEMPTS>:attempts"
    " | CLASS:error_class | error"
)
HANDLED: Final = COLUMNS.replace("ATTEMPTS>:attempts", "HANDLED (UTC):handled_at | BY:handled_by | note")


@click.command(help=COMMANDS["failures"])
@filter_options
@click.option("--handled", is_flag=True, help="Those that somebody has handled instead: when, who, and the note.")
@click.option("--all", "everything", is_flag=True, help="All failures, not only the latest.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def failures(
    *,
    workflow: str | None,
    conditions: tuple[str, ...],
    since: str | None,
    handled: bool,
    everything: bool,
    limit: int,
    as_json: bool,
) -> None:
    """See `help` above."""
    chosen = filter_of(workflow, conditions, since)
    with open_client() as client:
        rows = list(itertools.islice(client.failures(chosen, handled=handled), None if everything else limit + 1))
        if not rows:
            check_conditions(client, chosen)
    has_more = not everything and len(rows) > limit
    empty = ("no handled failures" if handled else "no failures") + (" like this" if chosen else "")
    print_list(rows if everything else rows[:limit], HANDLED if handled else COLUMNS, empty, as_json=as_json)
    if has_more and not as_json:
        what = "" if handled else ", `qflowd retry` and `qflowd handle` take the same conditions"
        echo(f"… and more; --all lists all{what}", err=True)

"""`qflowd datasets`: what tasks have produced."""

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.printing import echo, print_list
from qflowd.cli.session import json_option, open_client

COLUMNS = "name | V>:version | DATE:business_date | RECORDED (UTC):recorded_at | INSTANCE>:instance_id | workflow | task | metadata"


@click.command(help=f"{COMMANDS['datasets']}\n\nNAME: one, such as cn_daily@2026-11-20, or what stands before the @.")
@click.argument("name", required=False)
@click.option("--versions", is_flag=True, help="All versions, not the latest of each alone.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def datasets(*, name: str | None, versions: bool, limit: int, as_json: bool) -> None:
    """See `help` above."""
    with open_client() as client:
        rows = list(client.datasets(name, versions=versions, limit=limit + 1))
    print_list(rows[:limit], COLUMNS, "no datasets" if name is None else f"no dataset {name}", as_json=as_json)
    if len(rows) > limit and not as_json:
        echo("… and more; --limit lists more", err=True)

"""`qflowd datasets`: what tasks have produced."""

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.printing import print_first
from qflowd.cli.session import json_option, open_client

COLUMNS = "name | V>:version | DATE:business_date | RECORDED (UTC):recorded_at | INSTANCE>:instance_id | workflow | task | metadata"
USES = (
    "INSTANCE>:instance_id | workflow | task | DATE:business_date | DATASET:name | V>:version | LATEST>:latest_version"
    " | USED (UTC):used_at"
)


@click.command(help=f"{COMMANDS['datasets']}\n\nNAME: one, such as cn_daily@2026-11-20, or what stands before the @.")
@click.argument("name", required=False)
@click.option("--versions", is_flag=True, help="All versions, not the latest of each alone.")
@click.option("--uses", is_flag=True, help="Instead, tasks that waited for one, with the version that each was given.")
@click.option("--stale", is_flag=True, help="As --uses, those of which a later version has come.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def datasets(*, name: str | None, versions: bool, uses: bool, stale: bool, limit: int, as_json: bool) -> None:
    """See `help` above."""
    if versions and (uses or stale):
        raise click.UsageError(f"--versions and {'--stale' if stale else '--uses'} do not go together")
    with open_client() as client:
        if uses or stale:
            empty = "nothing is stale" if stale else f"nothing has waited for {'a dataset' if name is None else name}"
            found = client.dataset_uses(name, stale=stale, limit=limit + 1)
            print_first(found, limit, USES, empty, as_json=as_json)
        else:
            rows = client.datasets(name, versions=versions, limit=limit + 1)
            empty = "no datasets" if name is None else f"no dataset {name}"
            print_first(rows, limit, COLUMNS, empty, as_json=as_json)

"""`qflowd ps`: what runs, and what has run last."""

import itertools
from typing import Final

import click

from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client import Client, InstanceInfo

COLUMNS: Final = (
    "ID>:id | NAME:name | STATE:state | DONE>:progress | DATE:business_date | CREATED (UTC):created_at"
    " | TOOK>:duration_s | NOTE:error?wait_reason"
)


@click.command()
@click.option("--all", "everything", is_flag=True, help="All there are, not only the latest.")
@click.option("--workflow", help="Only of this workflow or single job.")
@click.option("--state", type=str.upper, help="Only in this state; OPEN: all that have not ended.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def ps(*, everything: bool, workflow: str | None, state: str | None, limit: int, as_json: bool) -> None:
    """List instances: open ones first, then those that have ended, newest first."""
    with open_client() as client:
        rows = _instances(client, workflow, state, None if everything else limit)
        waiting = client.count_new()
        empty = "no instances" + (" like this" if workflow or state else " yet")
        print_list(rows, COLUMNS, empty, as_json=as_json)
        if waiting and not as_json:
            whom = "a daemon" if client.daemons() else "a daemon, and none is running: `qflowd run`"
            click.echo(f"{waiting} submission{'s' * (waiting > 1)} waiting for {whom}", err=True)


def _instances(client: Client, workflow: str | None, state: str | None, limit: int | None) -> list[InstanceInfo]:
    if state is not None:
        return list(client.instances(workflow=workflow, state=state, limit=limit))
    opened = list(client.instances(workflow=workflow, state="OPEN", limit=limit))
    seen = {info.id for info in opened}
    rest = (info for info in client.instances(workflow=workflow, limit=limit) if info.id not in seen)
    return list(itertools.islice(itertools.chain(opened, rest), limit))

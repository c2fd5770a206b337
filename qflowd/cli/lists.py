"""`qflowd ps`, and `workflows`, `jobs`, `plugins`, `daemons`, `pools`: one table of what each list shows."""

import itertools
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click

from qflowd.cli.commands import ENTRIES
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client import Client, InstanceInfo


class Listing(NamedTuple):
    """What a command lists: where the rows come from, its columns, and what it says without rows."""

    rows: Callable[[Client], list[dict[str, Any]]]
    columns: str
    empty: str

    def show(self, *, as_json: bool) -> None:
        """Ask the database and print."""
        with open_client() as client:
            rows = self.rows(client)
        print_list(rows, self.columns, self.empty, as_json=as_json)


LISTINGS: Final = {
    "workflows": Listing(
        Client.workflows,
        "WORKFLOW:workflow | VERSION>:version | :enabled | TITLE:title | FROM:source | CHANGED (UTC):updated_at"
        " | FILE OR ERROR:error?file",
        "no workflows; a daemon stores what it finds in workflows/",
    ),
    "jobs": Listing(
        Client.jobs,
        "JOB:job | STATE:state | PARAMS:params_schema | DAEMONS:daemons | ABOUT:error?doc",
        "no jobs; a daemon stores what it finds in plugins/",
    ),
    "plugins": Listing(
        Client.plugins,
        "FILE:file | DAEMON:daemon | CHANGED (UTC):updated_at | JOBS OR ERROR:error?jobs",
        "no daemon is running, so no plugins are loaded",
    ),
    "daemons": Listing(
        Client.daemons,
        "ID>:id | NAME:name | HOST:host | PID>:pid | VERSION:version | STATE:state | POOLS:pools | MEMORY>:memory_mb"
        " | STARTED (UTC):started_at | SEEN (UTC):seen_at",
        "no daemon is running; `qflowd run` starts one",
    ),
    "pools": Listing(
        Client.pools,
        "POOL:pool | DAEMON:daemon | PROCESSES>:processes | THREADS>:threads | BUSY>:busy | WAITING>:ready_tasks",
        "no pools: no daemon is running",
    ),
    "schedules": Listing(
        Client.schedules,
        "WORKFLOW:workflow | CRON:cron | TIMEZONE:timezone | CATCH UP:catchup | :enabled | SET BY:source"
        " | LAST (UTC):last_fire_at | NEXT (UTC):next_fire_at",
        "no schedules",
    ),
}


def _command(name: str) -> click.Command:
    listing = LISTINGS[name]

    @click.command(name, help=ENTRIES[name].help)
    @json_option
    def command(*, as_json: bool) -> None:
        listing.show(as_json=as_json)

    return command


workflows, jobs, plugins, daemons, pools = map(_command, ("workflows", "jobs", "plugins", "daemons", "pools"))

INSTANCES: Final = (
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
        print_list(rows, INSTANCES, empty, as_json=as_json)
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

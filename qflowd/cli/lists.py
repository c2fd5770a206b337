"""`qflowd workflows`, `jobs`, `plugins`, `daemons`, `pools`: one table of what each list shows."""

import json
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import click

from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.client import Client


class Listing(NamedTuple):
    """What a command lists: its help, where the rows come from, its columns, and what it says without rows."""

    about: str
    rows: Callable[[Client], list[dict[str, Any]]]
    columns: str
    empty: str

    def show(self, *, as_json: bool) -> None:
        """Ask the database and print."""
        with open_client() as client:
            rows = self.rows(client)
        print_list(rows, self.columns, self.empty, as_json=as_json)


def _plugins(client: Client) -> list[dict[str, Any]]:
    return [row | {"jobs": json.loads(row["jobs"] or "[]")} for row in client.plugins()]


LISTINGS: Final = {
    "workflows": Listing(
        "List workflows with their active version, and files that could not be read.",
        lambda client: client.workflows(),
        "WORKFLOW:workflow | VERSION>:version | :enabled | TITLE:title | FROM:source | CHANGED (UTC):updated_at"
        " | FILE OR ERROR:error?file",
        "no workflows; a daemon stores what it finds in workflows/",
    ),
    "jobs": Listing(
        "List jobs: those that live daemons know (ACTIVE), and those that were withdrawn.",
        lambda client: client.jobs(),
        "JOB:job | STATE:state | PARAMS:params_schema | DAEMONS:daemons | ABOUT:error?doc",
        "no jobs; a daemon stores what it finds in plugins/",
    ),
    "plugins": Listing(
        "List plugin files as each live daemon sees them, with the error of those that could not be loaded.",
        _plugins,
        "FILE:file | DAEMON:daemon | CHANGED (UTC):updated_at | JOBS OR ERROR:error?jobs",
        "no daemon is running, so no plugins are loaded",
    ),
    "daemons": Listing(
        "List daemons that are running: ready, or stopping.",
        lambda client: client.daemons(),
        "ID>:id | NAME:name | HOST:host | PID>:pid | VERSION:version | STATE:state | POOLS:pools | MEMORY>:memory_mb"
        " | STARTED (UTC):started_at | SEEN (UTC):seen_at",
        "no daemon is running; `qflowd run` starts one",
    ),
    "pools": Listing(
        "List pools of worker slots, a row per daemon, with what is busy and what waits.",
        lambda client: client.pools(),
        "POOL:pool | DAEMON:daemon | PROCESSES>:processes | THREADS>:threads | BUSY>:busy | WAITING>:ready_tasks",
        "no pools: no daemon is running",
    ),
    "schedules": Listing(
        "List schedules and when they fire next; or enable, disable or look into that of one workflow.",
        lambda client: client.schedules(),
        "WORKFLOW:workflow | CRON:cron | TIMEZONE:timezone | CATCH UP:catchup | :enabled | SET BY:source"
        " | LAST (UTC):last_fire_at | NEXT (UTC):next_fire_at",
        "no schedules",
    ),
}


def _command(name: str) -> click.Command:
    listing = LISTINGS[name]

    @click.command(name, help=listing.about)
    @json_option
    def command(*, as_json: bool) -> None:
        listing.show(as_json=as_json)

    return command


workflows, jobs, plugins, daemons, pools = map(_command, ("workflows", "jobs", "plugins", "daemons", "pools"))

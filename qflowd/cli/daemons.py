"""`qflowd daemons` and `qflowd pools`: who is there to work."""

from operator import itemgetter
from typing import Any

import click

from qflowd.cli.printing import coloured, print_list
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def daemons(*, as_json: bool) -> None:
    """List daemons that are alive: ready, or stopping."""
    with open_client() as client:
        found = client.daemons()
    titles = ("ID>", "NAME", "HOST", "PID>", "VERSION", "STATE", "POOLS", "MEMORY>", "STARTED (UTC)", "SEEN (UTC)")
    print_list(found, titles, _daemon, "no daemon is running; `qflowd run` starts one", as_json=as_json)


def _daemon(row: dict[str, Any]) -> list[Any]:
    memory = "" if row["memory_mb"] is None else f"{row['memory_mb']:.0f} MB"
    return [
        *(row["id"], row["name"], row["host"], row["pid"], row["version"], coloured(row["state"]), row["pools"]),
        *(memory, row["started_at"], row["seen_at"]),
    ]


@click.command()
@json_option
def pools(*, as_json: bool) -> None:
    """List pools of worker slots, a row per daemon, with what is busy and what waits."""
    with open_client() as client:
        found = client.pools()
    titles = ("POOL", "DAEMON", "PROCESSES>", "THREADS>", "BUSY>", "WAITING>")
    pool = itemgetter("pool", "daemon", "processes", "threads", "busy", "ready_tasks")
    print_list(found, titles, pool, "no pools: no daemon is running", as_json=as_json)

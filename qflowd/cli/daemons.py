"""`qflowd daemons` and `qflowd pools`: who is there to work."""

import click

from qflowd.cli.printing import coloured, print_json, print_table
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def daemons(*, as_json: bool) -> None:
    """List daemons that are alive: ready, or stopping."""
    with open_client() as client:
        found = client.daemons()
    if as_json:
        print_json(found)
        return
    rows = [
        [
            *(row["id"], row["name"], row["host"], row["pid"], row["version"], coloured(row["state"]), row["pools"]),
            *(f"{row['memory_mb']:.0f} MB" if row["memory_mb"] is not None else "", row["started_at"], row["seen_at"]),
        ]
        for row in found
    ]
    titles = ("ID>", "NAME", "HOST", "PID>", "VERSION", "STATE", "POOLS", "MEMORY>", "STARTED (UTC)", "SEEN (UTC)")
    print_table(titles, rows, "no daemon is running; `qflowd run` starts one")


@click.command()
@json_option
def pools(*, as_json: bool) -> None:
    """List pools of worker slots, a row per daemon, with what is busy and what waits."""
    with open_client() as client:
        found = client.pools()
    if as_json:
        print_json(found)
        return
    columns = ("pool", "daemon", "processes", "threads", "busy", "ready_tasks")
    titles = ("POOL", "DAEMON", "PROCESSES>", "THREADS>", "BUSY>", "WAITING>")
    print_table(titles, [[row[name] for name in columns] for row in found], "no pools: no daemon is running")

"""`qflowd plugins`."""

import json

import click

from qflowd.cli.printing import coloured, print_json, print_table
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """List plugin files as each live daemon sees them, with the error of those that could not be loaded."""
    with open_client() as client:
        found = [row | {"jobs": json.loads(row["jobs"] or "[]")} for row in client.plugins()]
    if as_json:
        print_json(found)
        return
    rows = [
        [
            *(row["file"], row["daemon"], row["updated_at"]),
            coloured("FAILED", row["error"]) if row["error"] else ", ".join(map(str, row["jobs"])),
        ]
        for row in found
    ]
    print_table(
        ("FILE", "DAEMON", "CHANGED (UTC)", "JOBS OR ERROR"), rows, "no daemon is alive, so no plugins are loaded"
    )

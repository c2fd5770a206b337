"""`qflowd workflows`."""

import click

from qflowd.cli.printing import coloured, first_line, print_json, print_table
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """List workflows with their active version, and files that could not be read."""
    with open_client() as client:
        found = client.workflows()
    if as_json:
        print_json(found)
        return
    rows = [
        [
            *(row["workflow"], row["version"], "on" if row["enabled"] else "off", row["title"], row["source"]),
            *(row["updated_at"], coloured("FAILED", first_line(row["error"])) if row["error"] else row["file"]),
        ]
        for row in found
    ]
    titles = ("WORKFLOW", "VERSION>", "", "TITLE", "FROM", "CHANGED (UTC)", "FILE OR ERROR")
    print_table(titles, rows, "no workflows; a daemon stores what it finds in workflows/")

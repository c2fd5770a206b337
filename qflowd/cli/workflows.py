"""`qflowd workflows`: what is stored, in which version, and which files have faults."""

from typing import Any

import click

from qflowd.cli.printing import coloured, first_line, print_list
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """List workflows with their active version, and files that could not be read."""
    with open_client() as client:
        found = client.workflows()
    titles = ("WORKFLOW", "VERSION>", "", "TITLE", "FROM", "CHANGED (UTC)", "FILE OR ERROR")
    print_list(found, titles, _row, "no workflows; a daemon stores what it finds in workflows/", as_json=as_json)


def _row(row: dict[str, Any]) -> list[Any]:
    return [
        *(row["workflow"], row["version"], "on" if row["enabled"] else "off", row["title"], row["source"]),
        *(row["updated_at"], coloured("FAILED", first_line(row["error"])) if row["error"] else row["file"]),
    ]

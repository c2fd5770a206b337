"""`qflowd jobs`."""

from typing import Any

import click

from qflowd.cli.printing import coloured, first_line, print_json, print_table
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """List jobs: those that live daemons know (ACTIVE), and those that were withdrawn."""
    with open_client() as client:
        found = client.jobs()
    if as_json:
        print_json(found)
        return
    rows = [
        [
            *(row["job"], coloured(row["state"]), _params(row["params_schema"])),
            *(row["daemons"], coloured("FAILED", row["error"]) if row["error"] else first_line(row["doc"])),
        ]
        for row in found
    ]
    print_table(
        ("JOB", "STATE", "PARAMS", "DAEMONS", "ABOUT"), rows, "no jobs; a daemon stores what it finds in plugins/"
    )


def _params(schema: Any) -> str:
    """Names of the params; those that may be left out in brackets."""
    if not isinstance(schema, dict):
        return ""
    required = schema.get("required", [])
    return ", ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {}))

"""`qflowd jobs`: what can be submitted or named in a workflow, with what params, and who knows it."""

from typing import Any

import click

from qflowd.cli.printing import coloured, first_line, print_list
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """List jobs: those that live daemons know (ACTIVE), and those that were withdrawn."""
    with open_client() as client:
        found = client.jobs()
    titles = ("JOB", "STATE", "PARAMS", "DAEMONS", "ABOUT")
    print_list(found, titles, _row, "no jobs; a daemon stores what it finds in plugins/", as_json=as_json)


def _row(row: dict[str, Any]) -> list[Any]:
    about = coloured("FAILED", row["error"]) if row["error"] else first_line(row["doc"])
    return [row["job"], coloured(row["state"]), _params(row["params_schema"]), row["daemons"], about]


def _params(schema: Any) -> str:
    """Names of the params; those that may be left out in brackets."""
    if not isinstance(schema, dict):
        return ""
    required = schema.get("required", [])
    return ", ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {}))

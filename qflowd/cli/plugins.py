"""`qflowd plugins`: what each daemon has made of the plugin files."""

import json
from typing import Any

import click

from qflowd.cli.printing import coloured, print_list
from qflowd.cli.session import json_option, open_client


@click.command()
@json_option
def command(*, as_json: bool) -> None:
    """List plugin files as each live daemon sees them, with the error of those that could not be loaded."""
    with open_client() as client:
        found = [row | {"jobs": json.loads(row["jobs"] or "[]")} for row in client.plugins()]
    titles = ("FILE", "DAEMON", "CHANGED (UTC)", "JOBS OR ERROR")
    print_list(found, titles, _row, "no daemon is alive, so no plugins are loaded", as_json=as_json)


def _row(row: dict[str, Any]) -> list[Any]:
    jobs_or_error = coloured("FAILED", row["error"]) if row["error"] else ", ".join(map(str, row["jobs"]))
    return [row["file"], row["daemon"], row["updated_at"], jobs_or_error]

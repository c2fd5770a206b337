"""`qflowd schedules`, `qflowd schedules enable|disable|fires WORKFLOW`."""

from typing import Final

import click

from qflowd.cli.control import answer_of, command_options, tell
from qflowd.cli.lists import LISTINGS
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.model.errors import NotFound


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """List schedules and when they fire next; or enable, disable or look into that of one workflow."""
    if context.invoked_subcommand is None:
        LISTINGS["schedules"].show(as_json=as_json)


FIRES: Final = "FIRED FOR (UTC):fire_at | INSTANCE>:instance_id | STATE:state | NOTE:error"


@command.command("fires", short_help="List when the schedule of WORKFLOW fired.")
@click.argument("workflow")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def fires(*, workflow: str, limit: int, as_json: bool) -> None:
    """List when the schedule of WORKFLOW fired last, and what came of it."""
    with open_client() as client:
        rows = client.fires(workflow, limit)
        if not rows and workflow not in {row["workflow"] for row in client.schedules()}:
            raise NotFound(f"there is no schedule of {workflow!r}; `qflowd schedules` lists those there are")
    print_list(rows, FIRES, f"the schedule of {workflow} has not fired yet", as_json=as_json)


def _switch(action: str) -> click.Command:
    meaning = f"{action.title()} the schedule of WORKFLOW"

    @command.command(action, short_help=f"{meaning}.", help=f"{meaning}; exit code 1 if it is refused.")
    @click.argument("workflow")
    @command_options
    def switch(*, workflow: str, reason: str | None, no_wait: bool, as_json: bool) -> int:
        with open_client() as client:
            answer = answer_of(client, action, reason, no_wait=no_wait, workflow=workflow)
        return tell([answer], as_json=as_json)

    return switch


enable = _switch("enable")
disable = _switch("disable")

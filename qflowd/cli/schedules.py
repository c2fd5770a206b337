"""`qflowd schedules`, `qflowd schedules enable|disable|fires WORKFLOW`."""

from typing import Final

import click

from qflowd.cli.control import command_of
from qflowd.cli.lists import LISTINGS
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client
from qflowd.model.errors import NotFound

FIRES: Final = "FIRED FOR (UTC):fire_at | INSTANCE>:instance_id | STATE:state | NOTE:error"


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def command(context: click.Context, *, as_json: bool) -> None:
    """List schedules and when they fire next; or enable, disable or look into that of one workflow."""
    if context.invoked_subcommand is None:
        LISTINGS["schedules"].show(as_json=as_json)


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


WORKFLOWS: Final = click.argument("targets", metavar="WORKFLOW...", nargs=-1, required=True)
for action in ("enable", "disable"):
    command.add_command(command_of(action, "workflow", f"{action.title()} the schedule of WORKFLOW.", WORKFLOWS))

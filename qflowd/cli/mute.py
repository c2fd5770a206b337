"""`qflowd mute`: a group of failures is left out of what waits for a person, for a while."""

from typing import Any, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import CommandOptions, carry_out, command_options


@click.command(help=f"{COMMANDS['mute']}\n\nExit code 1 if it is refused, or no daemon answers.")
@click.argument("task")
@click.option("--workflow", help="Whose task it is; without it TASK is a single job.")
@click.option("--error-class", required=True, help="As `qflowd failures` shows it, such as ValueError or timeout.")
@click.option("--for", "for_", metavar="TIME", default="24h", show_default=True, help="How long, such as 2h or 3d.")
@click.option("--off", is_flag=True, help="End the mute instead.")
@command_options
def mute(
    *,
    task: str,
    workflow: str | None,
    error_class: str,
    for_: str,
    off: bool,
    **options: Unpack[CommandOptions],
) -> int:
    """See `help` above."""
    group: dict[str, Any] = {"task": task, "error_class": error_class} | ({"workflow": workflow} if workflow else {})
    action, args = ("unmute", group) if off else ("mute", group | {"for": for_})
    name = f"{workflow} › {task}" if workflow else task
    rows = [(f"{action} {name}", {"args": args})]
    return carry_out(action, rows, _outcome, is_one=True, **options)


def _outcome(result: Any) -> str:
    until = result.get("muted_until") if isinstance(result, dict) else None
    return f"muted until {until[:16].replace('T', ' ')} UTC" if until else "not muted any more"

"""`qflowd rerun` and `qflowd skip`: commands on one task of an instance."""

from typing import Any

import click

from qflowd.cli import exits
from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import command_options, send
from qflowd.cli.printing import print_json
from qflowd.cli.session import open_client, set_option


@click.command(help=f"{COMMANDS['rerun']}\n\nAn instance that has ended is open again. `retry` runs only what failed.")
@click.argument("id", type=int)
@click.option("--task", required=True, help="Key of the task to begin with.")
@set_option
@command_options
def rerun(*, id: int, task: str, pairs: dict[str, Any], **options: Any) -> int:
    """See `help` above."""
    return _send("rerun", id, task, {"set": pairs} if pairs else None, **options)


@click.command(help=f"{COMMANDS['skip']}\n\nWhat comes after it runs, as if it had succeeded without output.")
@click.argument("id", type=int)
@click.option("--task", required=True, help="Key of a task that waits or did not succeed.")
@command_options
def skip(*, id: int, task: str, **options: Any) -> int:
    """See `help` above."""
    return _send("skip", id, task, None, **options)


def _send(
    action: str,
    number: int,
    task: str,
    args: dict[str, Any] | None,
    reason: str | None,
    *,
    no_wait: bool,
    as_json: bool,
) -> int:
    target = {"instance_id": number, "task": task} | ({"args": args} if args else {})
    with open_client() as client:
        [answer] = send(client, action, [target], reason, no_wait=no_wait)
    if as_json:
        print_json(answer)
    if error := answer.get("error"):
        exits.say(f"{action} {number}: {error}")
        return exits.ERROR
    if not as_json:
        click.echo(f"{action} {number}: {'asked' if answer['state'] == 'NEW' else 'done'}")
    return exits.OK

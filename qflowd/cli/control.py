"""`qflowd terminate`, `retry`, `resume`: commands to instances, each answered by a daemon."""

from typing import Any

import click

from qflowd.cli import exits
from qflowd.cli.commands import ENTRIES
from qflowd.cli.printing import print_json
from qflowd.cli.session import F, json_option, open_client
from qflowd.client import Client
from qflowd.client.records import from_json
from qflowd.model.errors import Rejected

ANSWER_S = 15.0


def command_options(command: F) -> F:
    """Add what every command to the daemons takes."""
    command = json_option(command)
    command = click.option("--no-wait", is_flag=True, help="Ask only; do not wait for a daemon to answer.")(command)
    return click.option("--reason", help="Kept with the command.")(command)


def _command(action: str) -> click.Command:
    @click.command(
        action, help=f"{ENTRIES[action].help}\n\nExit code 1 if one of them is refused, or no daemon answers."
    )
    @click.argument("ids", metavar="ID...", type=int, nargs=-1, required=True)
    @command_options
    def command(*, ids: tuple[int, ...], reason: str | None, no_wait: bool, as_json: bool) -> int:
        with open_client() as client:
            answers = [answer_of(client, action, reason, no_wait=no_wait, instance_id=number) for number in ids]
        return tell(answers, as_json=as_json)

    return command


def answer_of(client: Client, action: str, reason: str | None, *, no_wait: bool, **target: Any) -> dict[str, Any]:
    """Send one command to an `instance_id` or a `workflow`; what came of it, as shown by --json."""
    about = {"action": action, **target}
    # Where none is running, one may be about to start, but there is no sense in waiting long.
    timeout = 0 if no_wait else ANSWER_S if client.daemons() else 0.5
    try:
        answer = client.command(action, reason=reason, timeout=timeout, **target)
    except Rejected as error:
        return about | {"state": "REJECTED", "error": str(error)}
    except TimeoutError as error:
        return about | {"state": "NEW", "error": str(error)}
    return about | {"state": answer.state, "result": from_json(answer.result)}


def tell(answers: list[dict[str, Any]], *, as_json: bool) -> int:
    """Print the answers; returns the exit code."""
    if as_json:
        print_json(answers)
    for answer in answers:
        what = f"{answer['action']} {answer.get('instance_id', answer.get('workflow'))}"
        if error := answer.get("error"):
            exits.say(f"{what}: {error}")
        elif not as_json:
            click.echo(f"{what}: {'asked' if answer['state'] == 'NEW' else 'done'}")
    return exits.ERROR if any(answer.get("error") for answer in answers) else exits.OK


terminate, retry, resume = map(_command, ("terminate", "retry", "resume"))

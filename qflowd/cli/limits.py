"""`qflowd limits`: what tasks of all daemons share; how much of it there is, and whether anything may begin that needs it."""

from collections.abc import Sequence
from typing import Any, Final

import click

from qflowd.cli import exits
from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import command_options, send
from qflowd.cli.printing import print_json, print_list
from qflowd.cli.session import json_option, open_client

COLUMNS: Final = (
    "name | slots> | USED>:used | WAITING>:waiting | rates | SET BY:source | PAUSED UNTIL (UTC):resumes_at"
    " | PAUSED BY:paused_by | WHY:pause_reason?note"
)
NAMES: Final = click.argument("names", metavar="NAME...", nargs=-1, required=True)


@click.group(invoke_without_command=True, help=COMMANDS["limits"])
@json_option
@click.pass_context
def limits(context: click.Context, *, as_json: bool) -> None:
    """See `help` above."""
    if context.invoked_subcommand is None:
        with open_client() as client:
            rows = client.limits()
        empty = "no limits; see [limits] of the configuration, and `qflowd limits set`"
        print_list(rows, COLUMNS, empty, as_json=as_json)


@limits.command("set")
@click.argument("name")
@click.argument("slots", type=int, required=False)
@click.option("--rate", "rates", multiple=True, help="Such as 200/min; may be given several times: all of them hold.")
@click.option("--no-rate", is_flag=True, help="It has no rate any more.")
@command_options
def set_(
    *,
    name: str,
    slots: int | None,
    rates: tuple[str, ...],
    no_rate: bool,
    reason: str | None,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Set the slots or rates of the limit (or pattern, such as 'bank:*') NAME, whatever the configuration says.

    What is not given stays as it is. Exit code 1 if it is refused, or no daemon answers.
    """
    if rates and no_rate:
        raise click.UsageError("give --rate or --no-rate, not both")
    asked: dict[str, Any] = {} if slots is None else {"slots": slots}
    if rates or no_rate:
        asked["rate"] = list(rates)
    return _tell("set_limit", [name], asked, reason, no_wait=no_wait, as_json=as_json)


@limits.command()
@NAMES
@command_options
def unset(*, names: tuple[str, ...], reason: str | None, no_wait: bool, as_json: bool) -> int:
    """Let NAME be what the configuration, a pattern or the default says.

    Exit code 1 if one of them is refused, or no daemon answers.
    """
    return _tell("unset_limit", names, {}, reason, no_wait=no_wait, as_json=as_json)


@limits.command()
@NAMES
@click.option("--for", "for_", metavar="TIME", help="Such as 10m; otherwise until it is resumed.")
@command_options
def pause(*, names: tuple[str, ...], for_: str | None, reason: str | None, no_wait: bool, as_json: bool) -> int:
    """Let nothing begin that needs the limit NAME; what runs continues.

    Exit code 1 if one of them is refused, or no daemon answers.
    """
    asked = {} if for_ is None else {"for": for_}
    return _tell("pause_limit", names, asked, reason, no_wait=no_wait, as_json=as_json)


@limits.command()
@NAMES
@command_options
def resume(*, names: tuple[str, ...], reason: str | None, no_wait: bool, as_json: bool) -> int:
    """End the pause of the limit NAME, by whomever.

    Exit code 1 if one of them is refused, or no daemon answers.
    """
    return _tell("resume_limit", names, {}, reason, no_wait=no_wait, as_json=as_json)


def _tell(
    action: str, names: Sequence[str], asked: dict[str, Any], reason: str | None, *, no_wait: bool, as_json: bool
) -> int:
    """Send a command for each limit, and say what came of it."""
    targets = [{"args": {"limit": name, **asked}} for name in names]
    with open_client() as client:
        answers = send(client, action, targets, reason, no_wait=no_wait)
    if as_json:
        print_json(answers)
    verb = action.removesuffix("_limit")
    for name, answer in zip(names, answers, strict=True):
        if error := answer.get("error"):
            exits.say(f"{verb} {name}: {error}")
        elif not as_json:
            click.echo(f"{verb} {name}: {'asked' if answer['state'] == 'NEW' else _outcome(answer['result'])}")
    return exits.ERROR if any(answer.get("error") for answer in answers) else exits.OK


def _outcome(result: dict[str, Any]) -> str:
    """What is so now."""
    if "slots" not in result:
        return "done"
    rates = f", {' and '.join(result['rate'])}" if result["rate"] else ""
    used, slots = result["used"], result["slots"]
    wait = f"; {used} are in use, and nothing begins until enough of them have ended" if used > slots else ""
    return f"{slots:,} slot{'s' * (slots > 1)}{rates} ({result['source']}){wait}"

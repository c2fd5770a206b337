"""`qflowd limits`: what tasks of all daemons share; how much of it there is, and whether anything may begin that needs it."""

from collections.abc import Sequence
from typing import Any, Final, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import REFUSED, CommandOptions, F, carry_out, command_options
from qflowd.cli.printing import print_list
from qflowd.cli.session import json_option, open_client

COLUMNS: Final = (
    "name | slots> | USED>:used | WAITING>:waiting | rates | SET BY:source | BREAKER:breaker_state"
    " | OPEN UNTIL (UTC):retries_at | PAUSED UNTIL (UTC):resumes_at | PAUSED BY:paused_by | WHY:pause_reason?trip_reason?note"
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
@click.option("--rate", multiple=True, help="Such as 200/min; may be given several times: all of them hold.")
@click.option("--breaker", metavar="FAILURES", help="Failures, such as 5/min, after which nothing begins for a while.")
@click.option("--open", "open_", metavar="TIME", help="How long the breaker is open; 1m if not given.")
@click.option("--on", multiple=True, help="What counts as a failure: timeout, or an exception such as ConnectionError.")
@click.option("--no-rate", is_flag=True, help="Remove its rates.")
@click.option("--no-breaker", is_flag=True, help="Remove its breaker.")
@command_options
def set_(*, name: str, reason: str | None, no_wait: bool, as_json: bool, **asked: Any) -> int:
    """Set the slots, rates or breaker of the limit (or pattern, such as 'bank:*') NAME, whatever the configuration says.

    What is not given stays as it is. Exit code 1 if it is refused, or no daemon answers.
    """
    return _tell("set_limit", [name], _settings(**asked), reason=reason, no_wait=no_wait, as_json=as_json)


def _settings(
    *,
    slots: int | None,
    rate: Sequence[str],
    no_rate: bool,
    breaker: str | None,
    open_: str | None,
    on: Sequence[str],
    no_breaker: bool,
) -> dict[str, Any]:
    """`args` of the command, as far as they are given."""
    if (rate and no_rate) or (breaker and no_breaker):
        raise click.UsageError("give --rate or --no-rate, --breaker or --no-breaker, not both")
    if (open_ or on) and not breaker:
        raise click.UsageError("--open and --on are about a breaker; give --breaker as well")
    settings: dict[str, Any] = {} if slots is None else {"slots": slots}
    if rate or no_rate:
        settings["rate"] = list(rate)
    if breaker:
        more = {"open": open_, "on": list(on) or None}
        settings["breaker"] = {"failures": breaker} | {key: value for key, value in more.items() if value}
    elif no_breaker:
        settings["breaker"] = False
    return settings


def _limit_command(action: str, summary: str, for_help: str | None = None) -> None:
    """Add the command that sends `action` for each limit; with `for_help`, it has the option `--for`."""

    def for_option(handler: F) -> F:
        return click.option("--for", "for_", metavar="TIME", help=for_help)(handler) if for_help else handler

    @limits.command(_verb(action), help=f"{summary}\n\n{REFUSED}")
    @NAMES
    @for_option
    @command_options
    def command(*, names: tuple[str, ...], for_: str | None = None, **options: Unpack[CommandOptions]) -> int:
        return _tell(action, names, {} if for_ is None else {"for": for_}, **options)


def _tell(action: str, names: Sequence[str], asked: dict[str, Any], **options: Unpack[CommandOptions]) -> int:
    """Send a command for each limit, and say what came of it."""
    rows = [(f"{_verb(action)} {name}", {"args": {"limit": name, **asked}}) for name in names]
    return carry_out(action, rows, _outcome, **options)


def _verb(action: str) -> str:
    return action.partition("_")[0]


def _outcome(result: dict[str, Any]) -> str:
    """What is so now."""
    if "slots" not in result:
        return "done"
    rates = f", {' and '.join(result['rate'])}" if result["rate"] else ""
    used, slots = result["used"], result["slots"]
    wait = f"; {used} are in use, and nothing begins until enough of them have ended" if used > slots else ""
    new = f"; {result['new']}" if "new" in result else ""
    return f"{slots:,} slot{'s' * (slots > 1)}{rates} ({result['source']}){wait}{new}"


_limit_command("unset_limit", "Let NAME be what the configuration, a pattern or the default says.")
_limit_command(
    "pause_limit",
    "Let nothing begin that needs the limit NAME; what runs continues.",
    "Such as 10m; otherwise until it is resumed.",
)
_limit_command("resume_limit", "End the pause of the limit NAME, by whomever.")
_limit_command(
    "open_breaker",
    "Open the breaker of the limit NAME; afterwards one task tries.",
    "Such as 10m; as long as the breaker says if not given.",
)
_limit_command("close_breaker", "Close the breaker of the limit NAME.")

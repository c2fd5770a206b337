"""What commands share that a daemon answers: sending a row for each target, and telling what came of it."""

import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypedDict, TypeVar, Unpack

import click

from qflowd.cli import exits
from qflowd.cli.printing import echo, print_json
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import hint_at_target
from qflowd.client import Client
from qflowd.model.errors import Rejected

REFUSED: Final = "Exit code 1 if one of them is refused, or no daemon answers."
# Seconds to wait for an answer.
NO_DAEMON_S: Final = 0.5  # no daemon is listed; one may be about to start
SILENT_S: Final = 2.0  # all that are listed have gone silent; with a long lease, one may live anyway
ALIVE_S: Final = 15.0
# Of results of commands, beside the names of tasks.
PHRASES: Final = {
    "restarted": "tasks that start anew: {}",
    "compensations": "compensations: {}",
    "waits_for_its_turn": "when its turn comes",
    "queued": "it waits for its turn",
    "state": "it becomes {}",
    "intent": "it is terminated",
}
F = TypeVar("F", bound=Callable[..., Any])


class CommandOptions(TypedDict):
    """The values of `command_options`."""

    reason: str | None
    no_wait: bool
    as_json: bool


def outcome_of(result: Any) -> str:
    """What came of a command: that it is done, or was so already; of a dry run, what would be done."""
    if not isinstance(result, dict):
        return "done"
    done = f"would be done: {in_words(result)}" if result.get("dry_run") else "done"
    return str(result.get("already", done))


def in_words(result: Mapping[str, Any]) -> str:
    """What a command comes to for one instance: `bars, news are retried; tasks that start anew: 5`."""
    named = {action: names for action, names in result.items() if isinstance(names, list)}
    parts = []
    for action, names in named.items():
        more = result.get("tasks", result.get("failures", 0)) - len(names)
        others = f" and {more} more" if more > 0 else ""
        parts.append(f"{', '.join(map(str, names))}{others} {'are' if len(names) > 1 or others else 'is'} {action}")
    phrases = PHRASES if named else PHRASES | {"tasks": "tasks that start: {}"}
    return "; ".join(parts + [phrase.format(result[name]) for name, phrase in phrases.items() if result.get(name)])


def command_of(
    action: str,
    target: str,
    summary: str,
    argument: Callable[[Any], Any],
    outcome: Callable[[Any], str] = outcome_of,
    *,
    name: str | None = None,
) -> click.Command:
    """The command that sends `action` to each `target` (a column of `commands`) that its `argument` takes.

    `outcome`: what to say of the result of one that was carried out. `name`: of the command, if it is not that of the action.
    """

    @click.command(name or action, help=f"{summary}\n\n{REFUSED}")
    @argument
    @command_options
    def command(*, targets: tuple[Any, ...], **options: Unpack[CommandOptions]) -> int:
        rows = [(f"{name or action} {value}", {target: value}) for value in targets]
        return carry_out(action, rows, outcome, **options)

    return command


def command_options(command: F) -> F:
    """Add `--reason`, `--no-wait` and `--json`."""
    command = click.option("--no-wait", is_flag=True, help="Do not wait for a daemon to answer.")(json_option(command))
    return click.option("--reason", "--note", "reason", help="Stored with the command.")(command)


def filter_options(command: F) -> F:
    """Add `--workflow`, `--where` and `--since`."""
    about = "A condition: state, business_date, trigger_type or single of the instance; task or error_class of its failures. May be repeated."
    command = click.option(
        "--since", help="Only what was created (of failures: what failed) since: 2d, or an instant."
    )(command)
    command = click.option("--where", "conditions", metavar="NAME=VALUE", multiple=True, help=about)(command)
    return click.option("--workflow", help="Of this workflow or single job; * and ? stand for characters.")(command)


def filter_of(workflow: str | None, conditions: Sequence[str], since: str | None) -> dict[str, str]:
    """The filter that the values of these options make; empty if none was given.

    Raises: click.BadParameter.
    """
    chosen: dict[str, str] = {}
    for condition in conditions:
        name, equals, value = condition.partition("=")
        if not equals or name in chosen:
            raise click.BadParameter(f"{condition!r}: write NAME=VALUE, each name once", param_hint="--where")
        chosen[name] = value
    return chosen | {name: value for name, value in (("workflow", workflow), ("since", since)) if value is not None}


def carry_out(
    action: str,
    rows: Sequence[tuple[str, dict[str, Any]]],
    outcome: Callable[[Any], str] = outcome_of,
    *,
    is_one: bool = False,
    **options: Unpack[CommandOptions],
) -> int:
    """Send a command for each of `rows`, print what came of it, and return the exit code.

    `rows`: what is asked, as a person would say it, and columns of `commands`. `outcome`: what to say of the result of one
    that was carried out. `is_one`: --json prints an object, not a list.
    """
    with open_client() as client:
        answers = send(client, action, [columns for _, columns in rows], options["reason"], no_wait=options["no_wait"])
    if options["as_json"]:
        print_json(answers[0] if is_one else answers)
    for (what, _), answer in zip(rows, answers, strict=True):
        if error := answer.get("error"):
            exits.say(f"{what}: {in_options(error)}")
        elif not options["as_json"]:
            echo(f"{what}: {'asked' if answer['state'] == 'NEW' else outcome(answer['result'])}")
    return exits.ERROR if any(answer.get("error") for answer in answers) else exits.OK


def in_options(error: str) -> str:
    """An error of a command as this one's options say it: `--from` for `args.from`, and `--set bars` for `args.set.bars`."""
    params = click.get_current_context().command.params
    written = {
        name.strip("-").replace("-", "_"): name for each in params for name in each.opts if name.startswith("--")
    }
    written |= {str(each.name): str(each.name).upper() for each in params if isinstance(each, click.Argument)}

    def option(found: re.Match[str]) -> str:
        name, key = written.get(found[1]), found[2] or ""
        return (
            found[0]
            if name is None
            else name.replace("--params", "-p" if key else "--params") + key.replace(".", " ", 1)
        )

    return re.sub(r"\bargs\.(\w+)((?:\.\w+)?)", option, error)


def send(
    client: Client,
    action: str,
    targets: Sequence[dict[str, Any]],
    reason: str | None,
    *,
    no_wait: bool,
    on_progress: Callable[[Any], None] | None = None,
) -> list[dict[str, Any]]:
    """Send a command for each target (columns of `commands`); what came of them, as shown by --json."""
    ask: dict[str, Any] = {
        "reason": reason,
        "timeout": 0 if no_wait else _patience_s(client),
        "on_progress": on_progress,
    }
    return [_ask(client, action, ask, target) for target in targets]


def _patience_s(client: Client) -> float:
    if not client.daemons():
        return NO_DAEMON_S
    return SILENT_S if _common_silence(client) else ALIVE_S


def _common_silence(client: Client) -> str:
    """The end of a sentence about a command that nobody answers; "" if a daemon seems to live, or none is listed."""
    now = client.read_one("show_clock").server_at
    silences = [_silence_of(row, (now - row["seen_at"]).total_seconds()) for row in client.daemons()]
    listed = ", ".join(silences)
    return f"; the daemons that are still listed have gone silent: {listed}" if silences and all(silences) else ""


def _silence_of(row: dict[str, Any], silent_s: float) -> str:
    """How a daemon, whose lease has not run out yet, shows that it is dead; "" if it does not."""
    who = row["name"] if row["host"] in (None, row["name"]) else f"{row['name']} on {row['host']}"
    if row["host"] == os.uname().nodename and not Path(f"/proc/{row['pid']}").exists():
        return f"{who} (process {row['pid']} is gone)"
    if silent_s <= row["lease_s"] / 3 + 2:  # two beats, and some time
        return ""
    return f"{who} (for {silent_s:.0f} s; its lease ends in {max(0.0, row['lease_s'] - silent_s):.0f} s)"


def _ask(client: Client, action: str, ask: dict[str, Any], target: dict[str, Any]) -> dict[str, Any]:
    """Send one command; what came of it, as shown by --json."""
    about = {"action": action, **target}
    try:
        answer = client.command(action, **ask, **target)
    except TimeoutError as error:
        return about | {"state": "NEW", "error": f"{error}{_common_silence(client)}"}
    except Rejected as error:
        return about | {"state": "REJECTED", "error": f"{error}{hint_at_target(client, target)}"}
    return about | {"state": answer.state, "result": answer.result}

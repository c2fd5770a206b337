"""`qflowd backfills`: how far backfills have come; pausing, resuming and stopping them."""

from typing import Any, Final, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import REFUSED, CommandOptions, carry_out, command_options
from qflowd.cli.printing import coloured, duration, echo, first_line, in_zone, instant, print_json, print_list
from qflowd.cli.session import json_option, open_client

COLUMNS: Final = (
    "id> | workflow | state | FROM:first_date | TO:last_date | calendar | DONE>:done | FAILED>:failed | ACTIVE>:active"
    " | WAITING>:waiting | LEFT>:left | CREATED (UTC):created_at | NOTE:wait_reason"
)
DATES: Final = "DATE:business_date | state | INSTANCE>:instance_id | TOOK>:duration_s | NOTE:error"
NUMBERS: Final = click.argument("numbers", metavar="ID...", type=int, nargs=-1, required=True)


@click.group(invoke_without_command=True, help=COMMANDS["backfills"])
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True)
@json_option
@click.pass_context
def backfills(context: click.Context, *, limit: int, as_json: bool) -> None:
    """See `help` above."""
    if context.invoked_subcommand is None:
        with open_client() as client:
            rows = client.backfills(limit)
        print_list(rows if as_json else list(map(_in_words, rows)), COLUMNS, "no backfills", as_json=as_json)


def _in_words(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"left": duration(row["remaining_s"])}


@backfills.command()
@click.argument("number", metavar="ID", type=int)
@click.option("--dates", is_flag=True, help="All dates, not only those that are active or failed.")
@json_option
def show(*, number: int, dates: bool, as_json: bool) -> None:
    """Show how far the backfill ID has come, and which of its dates are active or failed."""
    with open_client() as client:
        controller = client.backfill(number)
        row, listed = controller.info(), controller.dates()
    if not dates:
        listed = [each for each in listed if each["state"] in ("ACTIVE", "FAILED")]
    if as_json:
        print_json(row | {"dates": listed})
        return
    of = f"sessions of {row['calendar']}" if row["calendar"] else "days"
    echo(
        f"backfill {row['id']} of {row['workflow']}: {coloured(row['state'])}, {row['total']:,} {of}, {row['first_date']} to "
        f"{row['last_date']}, {row['date_order']} first"
    )
    words = {word: word for word in ("done", "failed", "skipped", "active", "waiting")}
    if row["state"] == "STOPPED":
        words["waiting"] = "not run"
    left = f"; about {duration(row['remaining_s'])} left" if row["remaining_s"] is not None else ""
    echo(f"{row['progress']:.0%}: {', '.join(f'{row[name]:,} {word}' for name, word in words.items())}{left}")
    window = f", in {row['day_window']} {row['timezone']}" if row["day_window"] else ""
    echo(
        f"at most {row['max_active']} at once, priority {row['priority']}{window}; asked for at {instant(row['created_at'])}"
    )
    if row["wait_reason"]:
        echo(coloured("PAUSED", in_zone(row["wait_reason"])))
    print_list([each | {"error": first_line(each["error"])} for each in listed], DATES)


def _command(action: str, summary: str) -> None:
    """Add the command that sends `action` for each backfill."""

    @backfills.command(action, help=f"{summary}\n\n{REFUSED}")
    @NUMBERS
    @command_options
    def command(*, numbers: tuple[int, ...], **options: Unpack[CommandOptions]) -> int:
        return _tell(action, numbers, {}, **options)


def _tell(action: str, numbers: tuple[int, ...], more: dict[str, Any], **options: Unpack[CommandOptions]) -> int:
    rows = [(f"{action} {number}", {"args": {"backfill": number, **more}}) for number in numbers]
    return carry_out(f"{action}_backfill", rows, _outcome, **options)


def _outcome(result: dict[str, Any]) -> str:
    active = result.get("active")
    return f"done; runs that have not ended: {active}" if active else "done"


_command("pause", "Submit nothing more of the backfill ID until it is resumed; what it has submitted runs.")
_command("resume", "End the pause of the backfill ID.")


@backfills.command()
@NUMBERS
@click.option("--terminate", is_flag=True, help="Terminate what it runs; otherwise that ends by itself.")
@command_options
def stop(*, numbers: tuple[int, ...], terminate: bool, **options: Unpack[CommandOptions]) -> int:
    """Submit nothing more of the backfill ID, for good.

    Exit code 1 if one of them is refused, or no daemon answers.
    """
    return _tell("stop", numbers, {"terminate": True} if terminate else {}, **options)

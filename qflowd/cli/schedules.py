"""`qflowd schedules`: when workflows fire by themselves, what became of that, and what a person changes of it."""

from typing import Any, Final, Unpack

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.control import REFUSED, CommandOptions, carry_out, command_options
from qflowd.cli.printing import echo, in_zone, instant, print_list
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import hint_at_workflow
from qflowd.client import Client
from qflowd.client.views import MOST_FIRES
from qflowd.model.errors import NotFound
from qflowd.model.near_names import did_you_mean

COLUMNS: Final = (
    "workflow | name | WHEN:times | calendar | timezone | CATCH UP:catchup | :enabled | SET BY:source | LAST (UTC):last_fire_at"
    " | NEXT (UTC):next_fire_at | NOTE:note"
)
NEXT_FIRES: Final = "FIRES (UTC):fire_at | FOR:business_date | schedule"
FIRES: Final = "FIRED FOR (UTC):fire_at | INSTANCE>:instance_id | state | FOR:business_date | schedule | NOTE:error"
NO_MORE: Final = (
    "… no more are known: past the horizon of its calendar a schedule holds; `qflowd calendars` lists horizons"
)
OF_ONE: Final = click.option("--schedule", metavar="NAME", help="Of several schedules of the workflow, this one.")
WORKFLOWS: Final = click.argument("targets", metavar="WORKFLOW...", nargs=-1, required=True)


@click.group(invoke_without_command=True, help=COMMANDS["schedules"])
@click.option("--all", "with_archived", is_flag=True, help="Archived workflows as well.")
@json_option
@click.pass_context
def schedules(context: click.Context, *, with_archived: bool, as_json: bool) -> None:
    """See `help` above."""
    if context.invoked_subcommand is not None:
        return
    with open_client() as client:
        rows = client.schedules(with_archived=with_archived)
    columns = COLUMNS.replace(" |", " | ARCHIVED (UTC):archived_at |", 1) if with_archived else COLUMNS
    shown = rows if as_json else [row | {"note": _note(row)} for row in rows]
    print_list(shown, columns, "no schedules", as_json=as_json)


def _note(row: dict[str, Any]) -> str:
    """Why it does not fire, and who has set it to other times than its file says."""
    why = f" ({row['set_reason']})" if row["set_reason"] else ""
    was_set = f"set by {row['set_by']} on {instant(row['set_at'])}{why}; file says {row['file_says']}"
    return "; ".join(filter(None, (in_zone(row["wait_reason"]), was_set if row["set_by"] else None)))


@schedules.command()
@click.argument("workflow")
@OF_ONE
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True)
@json_option
def fires(*, workflow: str, schedule: str | None, limit: int, as_json: bool) -> None:
    """List when the schedules of WORKFLOW fired last, what came of it, and what was MISSED: not made up for."""
    with open_client() as client:
        rows = client.fires(workflow, limit, schedule)
        if not rows:
            _named(client, workflow, schedule)
    columns = FIRES.replace(" | NOTE", " | STARTED BY:fact | NOTE") if any(row["fact"] for row in rows) else FIRES
    print_list(rows, columns, f"the schedule of {workflow} has not fired yet", as_json=as_json)


@schedules.command("next")
@click.argument("workflow")
@OF_ONE
@click.option("-n", "--limit", type=click.IntRange(1, MOST_FIRES), default=5, show_default=True)
@json_option
def next_fires(*, workflow: str, schedule: str | None, limit: int, as_json: bool) -> None:
    """List when the schedules of WORKFLOW fire next, and for which business date."""
    with open_client() as client:
        rows = client.next_fires(workflow, limit, schedule)
        named = [] if as_json and rows else _named(client, workflow, schedule)
    print_list(rows, NEXT_FIRES, as_json=as_json)
    if as_json:
        return
    if 0 < len(rows) < limit:
        echo(NO_MORE, err=True)
    for row in named:
        if not rows or row["next_fire_at"] is None:
            echo(_why_none(row, is_alone=len(named) == 1), err=True)


def _why_none(row: dict[str, Any], *, is_alone: bool) -> str:
    """Why it is not known when a schedule fires next. `is_alone`: its workflow has no other."""
    which = f"the schedule of {row['workflow']}" if is_alone else f"schedule {row['name']} of {row['workflow']}"
    if row["wait_reason"] is None and row["start_on"]:
        return f"{which} starts {row['times']}, whenever that comes"
    return f"{which} does not fire: {in_zone(row['wait_reason'])}"


def _named(client: Client, workflow: str, schedule: str | None) -> list[dict[str, Any]]:
    """The rows of the view `schedules` that are meant. Raises: NotFound, with what was likely meant, if there is none."""
    rows = {(row["workflow"], row["name"]): row for row in client.schedules()}
    if found := [row for (key, name), row in rows.items() if key == workflow and schedule in (None, name)]:
        return found
    if names := [name for key, name in rows if key == workflow]:
        raise NotFound(f"workflow {workflow!r} has no schedule {schedule!r}{did_you_mean(str(schedule), names)}")
    hint = hint_at_workflow(client, workflow) or did_you_mean(workflow, {key for key, _ in rows})
    raise NotFound(f"there is no schedule of {workflow!r}{hint}")


def _switch(action: str, summary: str) -> None:
    """Add the command that switches schedules on or off."""

    @schedules.command(action, help=f"{summary}\n\n{REFUSED}")
    @WORKFLOWS
    @OF_ONE
    @command_options
    def command(*, targets: tuple[str, ...], schedule: str | None, **options: Unpack[CommandOptions]) -> int:
        args = {} if schedule is None else {"args": {"schedule": schedule}}
        rows = [(f"{action} {workflow}", {"workflow": workflow, **args}) for workflow in targets]
        return carry_out(action, rows, **options)


@schedules.command()
@click.argument("workflow")
@OF_ONE
@click.option(
    "--business-date", metavar="DATE", help="The day it is for; without: the session of now, or the latest one."
)
@command_options
def fire(*, workflow: str, schedule: str | None, business_date: str | None, **options: Unpack[CommandOptions]) -> int:
    """Submit now what the schedule of WORKFLOW submits; its times stay as they are."""
    return _tell("fire", workflow, {"schedule": schedule, "business_date": business_date}, **options)


@schedules.command("set")
@click.argument("workflow")
@click.argument("cron", required=False)
@OF_ONE
@click.option("--at", metavar="TIME", help="A time of each session instead, such as close+30m.")
@click.option("--timezone", metavar="ZONE", help="Of the cron expression, such as Asia/Shanghai.")
@click.option("--calendar", metavar="NAME", help="Whose sessions it is for, such as XSHG.")
@click.option("--days", metavar="SESSIONS", help="Only these sessions, such as 'last session of month'.")
@click.option("--window", metavar="HOURS", help="Only what lies in these times of day, such as 20:50-02:35.")
@click.option("--catchup", metavar="RULE", help="What was missed: none, last or all(n).")
@command_options
def set_(*, workflow: str, reason: str | None, no_wait: bool, as_json: bool, **times: Any) -> int:
    """Let WORKFLOW fire at other times than its file says: by a CRON expression, or --at times of sessions.

    It holds until the schedule in the file changes, or `reset`. What is not given is as the file says; an empty value
    takes away what it says. Exit code 1 if it is refused, or no daemon answers.
    """
    return _tell("set_schedule", workflow, times, reason=reason, no_wait=no_wait, as_json=as_json)


@schedules.command()
@click.argument("workflow")
@OF_ONE
@command_options
def reset(*, workflow: str, schedule: str | None, **options: Unpack[CommandOptions]) -> int:
    """Let the schedule of WORKFLOW fire as its file says again."""
    return _tell("reset_schedule", workflow, {"schedule": schedule}, **options)


def _tell(action: str, workflow: str, args: dict[str, Any], **options: Unpack[CommandOptions]) -> int:
    """Send a command for one schedule, and say what came of it."""
    asked = {key: value for key, value in args.items() if value is not None}
    verb = action.partition("_")[0]
    return carry_out(action, [(f"{verb} {workflow}", {"workflow": workflow, "args": asked})], _outcome, **options)


def _outcome(result: dict[str, Any]) -> str:
    """What is so now."""
    if "submission_id" in result:
        return f"submitted as {result['submission_id']}, for {result['business_date']}"
    return f"schedule {result['schedule']} fires by {result['times']}"


_switch("enable", "Let the schedules of WORKFLOW fire again, from now on.")
_switch("disable", "Let the schedules of WORKFLOW not fire, until they are enabled or their file changes.")

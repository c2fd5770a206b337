"""`qflowd submit`: one row in the inbox, and with --wait what becomes of it."""

from dataclasses import replace
from datetime import date
from typing import Any

import click

from qflowd.calendars.coming import last_ended
from qflowd.cli import exits
from qflowd.cli.exits import say
from qflowd.cli.follow import follow
from qflowd.cli.printing import coloured, duration, echo, print_json
from qflowd.cli.session import json_option, merged, open_client, params_options
from qflowd.cli.unknown_names import hint_at_owner
from qflowd.client import Client
from qflowd.client.gaps import check_calendar_of
from qflowd.model.errors import InvalidRequest

CODES = {"SUCCESS": exits.OK, "FAILED": exits.ERROR, "TERMINATED": exits.TERMINATED, "REJECTED": exits.REJECTED}

WORDS = ("today", "last")  # of a business date


@click.command()
@click.argument("workflow", required=False)
@click.option("--job", metavar="NAME", help="A single job instead of a workflow.")
@params_options
@click.option("--version", type=int, help="The workflow's version; default: the active one.")
@click.option(
    "--business-date",
    metavar="DATE",
    help="The trading or data date it is for: 2026-11-20. By the workflow's calendar: today, or last, which is over.",
)
@click.option("--run-at", metavar="TIME", help="Not before: 2026-11-20T09:30:00Z; UTC unless it names an offset.")
@click.option("--priority", type=int, default=0, help="-1000 to 1000; greater is sooner.")
@click.option("--hold", is_flag=True, help="Create the instance, but start it only when it is resumed.")
@click.option("--allow-duplicates", is_flag=True, help="Run it though it has an instance for this business date.")
@click.option("--name", help="A name for people, shown in lists.")
@click.option("--key", "idempotency_key", metavar="KEY", help="Idempotency key: the same key twice is one instance.")
@click.option("--wait", is_flag=True, help="Follow it to its end; the exit code says how it ended.")
@json_option
def submit(
    *,
    workflow: str | None,
    job: str | None,
    given: dict[str, Any] | None,
    pairs: dict[str, Any],
    wait: bool,
    as_json: bool,
    **options: Any,
) -> int:
    """Submit WORKFLOW or a single job, and print the id.

    The row waits in the database until a daemon takes it. With --wait, exit codes are 0 SUCCESS, 1 FAILED,
    3 REJECTED, 4 TERMINATED.

    Values of -p are read as in a workflow file: 5 is a number, true a boolean, 000300 and 2026-11-20 are strings;
    [..], {..} and "quoted" are JSON.
    """
    if bool(workflow) == bool(job):
        raise click.UsageError("Name either a WORKFLOW or a --job" + (", not both." if job else "."))
    params = merged(given, pairs)
    with open_client() as client:
        if (day := options["business_date"]) in WORDS:
            options["business_date"] = _session(client, workflow, day)
        instance = client.submit(workflow, job=job, params=params, trigger_type="cli", **options)
        if not wait:
            print_json({"id": instance.id}) if as_json else click.echo(instance.id)
        elif not as_json:
            click.echo(instance.id)
        for remark in instance.warnings:
            say(f"warning: {remark}")
        if not wait:
            return exits.OK
        end = follow(instance, workflow or job or "")
        if end.state == "REJECTED":
            end = replace(end, error=f"{end.error}{hint_at_owner(client, workflow)}")
    if as_json:
        print_json(end)
    else:
        took = f" in {duration(end.duration_s)}" if end.duration_s is not None else ""
        error = f": {end.error}" if end.error else ""
        echo(f"{end.id} {workflow or job} {coloured(end.state)}{took}{error}", err=True)
    return CODES[end.state]


def _session(client: Client, workflow: str | None, word: str) -> date:
    """The session of a workflow's calendar that is on, or the last that is over.

    Raises: InvalidRequest where there is none now, or the workflow has no calendar; NotFound, OutsideCalendar.
    """
    if workflow is None:
        raise InvalidRequest(f"--business-date {word} goes by the calendar of a workflow; of a job write the date")
    calendar, now = client.calendar(check_calendar_of(client.read_all, workflow)), client.transport.now()
    if word == "last":
        day = last_ended(calendar, now)
        return day if calendar.is_session(day) else calendar.prev_session(day)
    if (today := calendar.trade_date(now)) is None:
        raise InvalidRequest(f"{calendar.name} has no session today; --business-date last is the last that is over")
    return today

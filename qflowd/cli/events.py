"""`qflowd events`: what has happened, newest first; -f follows it."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import click

from qflowd.cli.commands import COMMANDS
from qflowd.cli.exits import say
from qflowd.cli.follow import patient
from qflowd.cli.printing import echo, print_first, zone
from qflowd.cli.session import json_option, open_client
from qflowd.client import Client
from qflowd.client.polling import poll
from qflowd.define.selection import parse_since

COLUMNS: Final = (
    "ID>:id | AT (UTC):at | event | workflow | BUSINESS DATE:business_date | INSTANCE>:instance_id | calendar | data"
)
SHOWN: Final = ("workflow", "business_date", "instance_id", "calendar")
PAUSE_S: Final = 0.5
# An event's id is given before its transaction commits; so long, smaller ids are still looked for.
OVERLAP: Final = timedelta(seconds=30)
BATCH: Final = 1000


@click.command(help=COMMANDS["events"])
@click.option(
    "-f", "--follow", "follows", is_flag=True, help="Print what happens from now on, and with --since what has."
)
@click.option("--workflow", metavar="NAME", help="Only those of this one.")
@click.option("--since", help="Only those since: 2d, or an instant.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True, help="The latest ones.")
@json_option
def events(*, follows: bool, workflow: str | None, since: str | None, limit: int, as_json: bool) -> None:
    """See `help` above."""
    if follows and as_json:
        raise click.UsageError("--json prints one document, so it cannot follow; leave out -f.")
    since_at = None if since is None else _instant(since)
    with open_client() as client:
        if follows:
            follow(client, workflow, since_at)
            return
        rows = client.events(limit + 1, workflow=workflow, since=since_at)
        print_first(rows, limit, COLUMNS, "no events", as_json=as_json)


def _instant(text: str) -> datetime:
    """Raises: UsageError."""
    try:
        since = parse_since(text)
    except ValueError as error:
        raise click.UsageError(f"--since {error}") from None
    return since if isinstance(since, datetime) else datetime.now(UTC) - timedelta(seconds=since)


def follow(client: Client, workflow: str | None, since: datetime | None) -> None:
    """Print events as they come, through up to a minute without the database, until Ctrl-C.

    Raises: StoreUnavailable after that minute.
    """
    after, seen_at = 0, dict[int, float]()  # the ids of events after `after`, and when they were seen
    is_first = True

    def look(_wait_s: float) -> None:
        nonlocal after, seen_at, is_first
        now = time.monotonic()
        if is_first and since is None:  # what is there is not told, but nothing that comes below it later is missed
            there = client.events(BATCH, workflow=workflow)
            after = there[-1]["id"] - 1 if len(there) == BATCH else 0
            seen_at = {row["id"]: now for row in there}
            is_first = False
            say("following; Ctrl-C ends it")
        top = after
        while rows := client.events(BATCH, workflow=workflow, after=top):
            top = rows[-1]["id"]
            for row in rows:
                if since is not None and row["at"] < since - OVERLAP:
                    after = row["id"]  # nothing below it can be as late as `since`
                    continue
                if row["id"] not in seen_at and (since is None or row["at"] >= since):
                    echo(_line(row))
                seen_at.setdefault(row["id"], now)
        after = max((id for id, at in seen_at.items() if now - at > OVERLAP.total_seconds()), default=after)
        seen_at = {id: at for id, at in seen_at.items() if id > after}

    poll(patient(look), None, PAUSE_S)


def _line(row: Mapping[str, Any]) -> str:
    at = row["at"].astimezone(zone()).isoformat(timespec="seconds").replace("+00:00", "Z")
    what = " ".join(f"{name}={row[name]}" for name in SHOWN if row[name] is not None)
    more = " ".join(f"{name}={value}" for name, value in row["data"].items())
    return f"{click.style(at, dim=True)} {click.style(row['event'], bold=True)} {what} {more}"

"""`qflowd logs ID`: what its tasks wrote, from any host; -f follows to the end."""

import itertools
import time
from typing import Final

import click

from qflowd.cli.exits import say
from qflowd.cli.follow import patient
from qflowd.cli.printing import coloured, echo, print_json, zone
from qflowd.cli.session import json_option, open_client
from qflowd.cli.unknown_names import check_task, find_instance
from qflowd.client import Instance, LogLine
from qflowd.client.polling import poll
from qflowd.client.why import WITHOUT_TASKS
from qflowd.model.states import ENDED

PAUSE_S: Final = 0.25
OVERLAP_S: Final = 2.0  # a line's id is given before its transaction commits; so long, smaller ids are still looked for


@click.command()
@click.argument("id", type=int)
@click.option("-f", "--follow", "follows", is_flag=True, help="Continue until the instance has ended.")
@click.option("--task", metavar="KEY", help="Only of this task, or of this item of a map: bars[AAPL].")
@json_option
def logs(*, id: int, follows: bool, task: str | None, as_json: bool) -> None:
    """Show what the tasks of instance ID printed and logged. Times are UTC, or those of `qflowd --timezone ZONE`."""
    if follows and as_json:
        raise click.UsageError("--json prints one document, so it cannot follow; leave out -f.")
    with open_client() as client:
        instance = find_instance(client, id)
        if follows:
            follow(instance, task)
            return
        lines = iter(instance.logs(task))
        first = next(lines, None)
        if first is None and task is not None:
            check_task(instance, task)
        lines = iter(()) if first is None else itertools.chain([first], lines)
        if as_json:
            print_json(list(lines))
            return
        for line in lines:
            echo(_text(line))
        if first is None:
            whose = f" by task {task}" if task else ""
            say(f"nothing was written{whose}; instance {instance.id} is {instance.state()}")


def follow(instance: Instance, task: str | None = None) -> None:
    """Print all lines there are and will be, until the instance has ended: by then they are all there.

    Raises: StoreUnavailable after a minute without the database; NotFound, also if it has no such task.
    """
    after, seen_at = 0, dict[int, float]()  # the ids of lines after `after`, and when they were printed
    is_known = task is None

    def look(_wait_s: float) -> str | None:
        nonlocal after, seen_at, is_known
        state, now = instance.state(), time.monotonic()
        if task is not None and not is_known and state not in WITHOUT_TASKS:
            check_task(instance, task.partition("[")[0])  # items may be made later
            is_known = True
        for line in instance.logs(task, after):
            if line.id not in seen_at:
                echo(_text(line))
                seen_at[line.id] = now
        after = max((id for id, at in seen_at.items() if now - at > OVERLAP_S), default=after)
        seen_at = {id: at for id, at in seen_at.items() if id > after}
        return state if state in ENDED or state == "REJECTED" else None

    say(f"instance {instance.id} is {poll(patient(look), None, PAUSE_S)}")


def _text(line: LogLine) -> str:
    at = line.at.astimezone(zone()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    task = line.name if line.attempt <= 1 else f"{line.name}#{line.attempt}"
    level = (line.level or "") if line.stream == "log" else line.stream
    return f"{click.style(at, dim=True)} {task} {coloured(level.upper(), f'{level:<7}')} {line.message}"

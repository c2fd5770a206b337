"""`qflowd logs ID`: what its tasks wrote, from any host; -f follows to the end."""

import time
from collections import deque
from collections.abc import Iterator
from typing import Final

import click

from qflowd.cli.exits import say
from qflowd.cli.follow import looks
from qflowd.cli.printing import coloured, print_json, zone
from qflowd.cli.session import json_option, open_client
from qflowd.client import Instance, LogLine
from qflowd.client.instance import ENDED

PAUSE_S: Final = 0.25
OVERLAP_S: Final = 2.0  # a line's id is given before its transaction commits; so long, smaller ids are still looked for


@click.command()
@click.argument("id", type=int)
@click.option("-f", "--follow", "follows", is_flag=True, help="Continue until the instance has ended.")
@click.option("--task", metavar="KEY", help="Only of this task.")
@json_option
def command(*, id: int, follows: bool, task: str | None, as_json: bool) -> None:
    """Show what the tasks of the instance ID wrote: their output and what they logged, with UTC times (or `qflowd --timezone ZONE logs`)."""
    if follows and as_json:
        raise click.UsageError("--json prints one document, so it cannot follow; leave out -f.")
    with open_client() as client:
        instance = client.instance(id)
        if as_json:
            print_json(list(instance.logs(task)))
            return
        is_empty = True
        for line in follow(instance, task) if follows else instance.logs(task):
            is_empty = False
            click.echo(_text(line))
        if is_empty and not follows:
            whose = f" by task {task}" if task else ""
            say(f"nothing was written{whose}; instance {instance.id} is {instance.state()}")


def follow(instance: Instance, task: str | None = None) -> Iterator[LogLine]:
    """All lines there are and will be, until the instance has ended: by then they are all there.

    Raises: StoreUnavailable after a minute without the database; NotFound.
    """
    window = _Window()
    for state, lines in looks(lambda: (instance.state(), list(window.read(instance, task))), PAUSE_S):
        yield from lines
        if state in ENDED or state == "REJECTED":
            say(f"instance {instance.id} is {state}")
            return


class _Window:
    """Reads again what became visible in the last two seconds, and gives each line once."""

    def __init__(self) -> None:
        self._after = 0
        self._given: set[int] = set()
        self._newest: deque[tuple[float, int]] = deque()  # (when, largest id given by then)

    def read(self, instance: Instance, task: str | None) -> Iterator[LogLine]:
        after = self._after
        while lines := instance.logs_after(after, task):
            for line in lines:
                if line.id not in self._given:
                    self._given.add(line.id)
                    yield line
            after = lines[-1].id
        self._slide(max(after, self._after))

    def _slide(self, newest: int) -> None:
        now = time.monotonic()
        self._newest.append((now, newest))
        while self._newest and now - self._newest[0][0] > OVERLAP_S:
            self._after = self._newest.popleft()[1]
        self._given = {number for number in self._given if number > self._after}


def _text(line: LogLine) -> str:
    at = line.at.astimezone(zone()).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    task = line.task if line.attempt <= 1 else f"{line.task}#{line.attempt}"
    level = (line.level or "") if line.stream == "log" else line.stream
    return f"{click.style(at, dim=True)} {task} {coloured(level.upper(), f'{level:<7}')} {line.message}"

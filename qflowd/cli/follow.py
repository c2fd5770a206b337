"""Following an instance to its end, with a line that moves where a person looks on."""

import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

import click

from qflowd.cli.exits import ERASE, say
from qflowd.cli.printing import cut, duration, in_zone, is_terminal
from qflowd.client import Instance, InstanceInfo
from qflowd.client.polling import poll
from qflowd.model.errors import StoreUnavailable
from qflowd.model.states import ENDED

T = TypeVar("T")

PATIENCE_S: Final = 60.0  # how long the database may be away
NOTE_AFTER_S: Final = 3.0
BAR: Final = 20


@dataclass(frozen=True, slots=True)
class End:
    """How it ended; `state` may be REJECTED."""

    id: int
    state: str
    duration_s: float | None
    error: str | None


def patient(look: Callable[[float], T | None]) -> Callable[[float], T | None]:
    """`look` for `poll`: while the database is away there is nothing to see, for up to a minute.

    Raises: StoreUnavailable after that minute.
    """
    away_since: float | None = None

    def ask(wait_s: float) -> T | None:
        nonlocal away_since
        try:
            result = look(wait_s)
        except StoreUnavailable as error:
            if away_since is None:
                away_since = time.monotonic()
                say(f"{error}; trying again for a minute")
            if time.monotonic() - away_since > PATIENCE_S:
                raise
            return None
        away_since = None
        return result

    return ask


def follow(instance: Instance, what: str) -> End:
    """Wait for the end of an instance, through up to a minute without the database. Ctrl-C ends only the waiting.

    Raises: StoreUnavailable after that minute; NotFound.
    """
    is_live, start, has_noted = is_terminal(sys.stderr), time.monotonic(), False

    def look(wait_s: float) -> End | None:
        nonlocal has_noted
        state, error = instance.state_and_error(wait_s)
        info = None if state in ("NEW", "REJECTED") else instance.info()
        if state in ENDED or state == "REJECTED":
            return End(instance.id, state, info.duration_s if info else None, error)
        note = in_zone(info.wait_reason if info else instance.wait_reason())
        waited_s = time.monotonic() - start
        if is_live:
            # Ends where it began, so that whatever is written next takes its place.
            line = cut(_line(instance.id, what, info, note, waited_s), shutil.get_terminal_size().columns - 1)
            click.echo(f"\r{ERASE}{line}\r", err=True, nl=False, color=True)
        elif note and waited_s > NOTE_AFTER_S and not has_noted:
            say(f"{instance.id} {what}: {note}")
            has_noted = True
        return None

    try:
        return poll(patient(look), None, 0.1 if is_live else 0.5, held_s=0.5)
    except KeyboardInterrupt:
        say(f"{instance.id} continues unwatched; `qflowd terminate {instance.id}` stops it")
        raise
    finally:
        click.echo(ERASE, err=True, nl=False, color=is_live)  # also under NO_COLOR


def _line(id: int, what: str, info: InstanceInfo | None, note: str | None, waited_s: float) -> str:
    """`42 daily_bars RUNNING [######--------------]  31%  3.2s  why it waits`."""
    if info is None:
        return f"{id} {what} {note or ''}"
    full = int(BAR * info.progress)
    bar = f"[{'#' * full}{'-' * (BAR - full)}] {info.progress:4.0%}"
    return "  ".join(filter(None, [f"{id} {info.name} {info.state} {bar}", duration(waited_s), note]))

"""Following an instance to its end, with a line that moves where a person looks on."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final, TypeVar

import click

from qflowd.cli.exits import say
from qflowd.cli.printing import coloured, cut, duration, is_terminal, width
from qflowd.client import Instance
from qflowd.client.instance import ENDED
from qflowd.model.errors import NotFound, QflowdError, StoreUnavailable
from qflowd.model.states import TaskState

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


def looks(look: Callable[[], T], longest_pause_s: float) -> Iterator[T]:
    """What `look` returns, time after time, through up to a minute without the database.

    Raises: StoreUnavailable after that minute.
    """
    away_since: float | None = None
    pause_s = 0.01
    while True:
        try:
            result = look()
        except StoreUnavailable as error:
            if away_since is None:
                away_since = time.monotonic()
                say(f"{error}; trying again for a minute")
            if time.monotonic() - away_since > PATIENCE_S:
                raise
        else:
            away_since = None
            yield result
        time.sleep(pause_s)
        pause_s = min(pause_s * 1.3, longest_pause_s)


def follow(instance: Instance, what: str) -> End:
    """Wait for the end of an instance, through up to a minute without the database. Ctrl-C ends only the waiting.

    Raises: StoreUnavailable after that minute; NotFound.
    """
    line = _Line(instance, what)

    def look() -> End | None:
        try:
            end = _end(instance)
            if end is None:
                line.draw()
            return end
        except StoreUnavailable:
            line.clear()
            raise

    try:
        end = next(filter(None, looks(look, 0.1 if line.is_live else 0.5)))
    except KeyboardInterrupt:
        line.clear()
        say(f"{instance.id} continues unwatched; `qflowd terminate {instance.id}` stops it")
        raise
    line.clear()
    return end


def _end(instance: Instance) -> End | None:
    state, error = instance.state_and_error()
    if state == "REJECTED":
        return End(instance.id, state, None, error)
    if state not in ENDED:
        return None
    info = instance.info()
    return End(instance.id, state, info.duration_s, info.error)


class _Line:
    """`42 daily_bars RUNNING ######-------------- 31% 5/16 tasks, 1 failed, 3.2s`, rewritten in place."""

    def __init__(self, instance: Instance, what: str) -> None:
        self.is_live = is_terminal(sys.stderr)
        self._instance = instance
        self._what = what
        self._start = time.monotonic()
        self._has_noted = False

    def draw(self) -> None:
        waited_s = time.monotonic() - self._start
        if self.is_live:
            text = cut(self._text(waited_s), shutil.get_terminal_size().columns - 1)
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)
        elif waited_s > NOTE_AFTER_S and not self._has_noted:
            self._has_noted = True
            if note := self._instance.wait_reason():
                say(f"{self._instance.id} {self._what}: {note}")

    def clear(self) -> None:
        if self.is_live:
            click.echo("\r\x1b[K", err=True, nl=False)

    def _text(self, waited_s: float) -> str:
        try:
            info = self._instance.info()
        except NotFound:
            note = self._instance.wait_reason() if waited_s > NOTE_AFTER_S else "waits for a daemon"
            return f"{self._instance.id} {self._what} {note or ''}"
        full = int(BAR * info.progress)
        bar = f"[{'#' * full}{'-' * (BAR - full)}] {info.progress:4.0%}"
        facts = [f"{info.id} {info.name} {info.state} {bar}", *self._counts(), duration(waited_s), info.wait_reason]
        text = "  ".join(filter(None, facts))
        return text if width(text) > 200 else text.replace(info.state, coloured(info.state), 1)

    def _counts(self) -> list[str]:
        try:
            counts = self._instance.count_tasks()
        except QflowdError:
            raise
        except Exception:  # noqa: BLE001 - a login with rights on inboxes and views alone cannot count; each driver says so
            return []
        done = sum(count for state, count in counts.items() if TaskState[state].is_final)
        bad = counts.get("FAILED", 0)
        return [f"{done}/{sum(counts.values())} tasks", f"{bad} failed" if bad else ""]

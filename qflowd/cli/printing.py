"""Output for people and for programs: aligned tables, colours on a terminal, one JSON document."""

import json
import os
import re
import shutil
import sys
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
import msgspec

_COLOURS: Final = {
    "green": "SUCCESS",
    "cyan": "READY RUNNING RESERVED",
    "red": "FAILED REJECTED ERROR CRITICAL",
    "yellow": "PAUSED HELD UPSTREAM_FAILED TERMINATED CANCELLED WITHDRAWN WARNING",
}
COLOURS: Final = {word: colour for colour, words in _COLOURS.items() for word in words.split()}

NARROWEST: Final = 8  # columns of the terminal that a column of a table keeps
CONTROL: Final = re.compile("[\x00-\x1a\x1c-\x1f\x7f]")
_IN_REASON: Final = re.compile(r"\b(since|until) (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
# Colours; then what else a terminal obeys: strings such as titles and links, the rest of CSI, short sequences, controls.
_OBEYED: Final = re.compile(
    "(\x1b\\[[0-9;:]*m)|(?:\x1b[]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\\\|\x9c)?"
    "|(?:\x1b\\[|\x9b)[0-?]*[ -/]*[@-~]?|\x1b[ -/]*[0-~]?|\r(?=\n)|([\x00-\x08\x0b-\x1f\x7f-\x9f])"
)


def is_terminal(stream: Any = None) -> bool:
    """Whether a person looks at stdout (or `stream`)."""
    stream = stream or sys.stdout  # None if it is closed
    return stream is not None and bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def coloured(word: str | None, text: str | None = None) -> str:
    """`text` (default the word itself) in the colour of a state or level."""
    shown = (word or "") if text is None else text
    colour = COLOURS.get(word or "")
    return click.style(shown, fg=colour) if colour else shown


def printable(text: str) -> str:
    """`text` without what moves the cursor or tells a terminal to do anything, such as what a job wrote; colours stay.

    Single control characters become a space, so a line that a job drew again and again is one line of all of them.
    """
    return _OBEYED.sub(lambda found: found[1] or (" " if found[2] else ""), text)


def echo(text: str = "", *, err: bool = False) -> None:
    """Print a line, or several, in which there may be what a job or somebody else wrote."""
    click.echo(printable(text), err=err)


def bold(text: str) -> str:
    """`text` so that the eye finds it."""
    return click.style(text, bold=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout; instants are UTC with a Z."""
    click.echo(json.dumps(value, default=msgspec.to_builtins, ensure_ascii=False, indent=2))


def print_list(rows: Sequence[Any], columns: str, empty: str = "", *, as_json: bool = False) -> None:
    """Rows, whole as JSON, or as an aligned table. `empty` goes to stderr where there are no rows.

    Columns are written `field | TITLE:field`: `>` aligns to the right, `(UTC)` becomes the zone that was asked for,
    `error?field` shows the error where there is one, in the colour of errors (a `wait_reason` in that of pauses). On a
    terminal the widest columns are cut until all fits.
    """
    if as_json:
        print_json(rows)
        return
    if not rows:
        if empty:
            click.echo(empty, err=True)
        return
    pairs = [column.strip().rpartition(":") for column in columns.split("|")]
    titles = [title if colon else field.upper() for title, colon, field in pairs]
    cells = [[_one_line(_cell(row, field.removesuffix(">"))) for _, _, field in pairs] for row in rows]
    heads = [title.removesuffix(">").replace("UTC", zone().key) for title in titles]
    widths = [max(map(width, column)) for column in zip(heads, *cells, strict=True)]
    if is_terminal():
        left = shutil.get_terminal_size().columns - 2 * len(widths) + 2
        while sum(widths) > left and max(widths) > NARROWEST:
            widths[widths.index(max(widths))] -= 1
    is_right = [title.endswith(">") for title in titles]
    click.echo(bold(_line(heads, widths, is_right)))
    for cell in cells:
        click.echo(_line(cell, widths, is_right))


def print_first(rows: Iterable[Any], limit: int, columns: str, empty: str, *, as_json: bool) -> None:
    """The first `limit` rows, as `print_list` does; where there are more, stderr says so. Ask for one row more than `limit`."""
    rows = list(rows)
    print_list(rows[:limit], columns, empty, as_json=as_json)
    if len(rows) > limit and not as_json:
        echo("… and more; --limit lists more", err=True)


def with_what_is_there(date: Mapping[str, Any]) -> dict[str, Any]:
    """A date and `there`: the state of the instance that is there for it, or that nothing is."""
    return {**date, "there": coloured(date["state"]) if date["state"] else "nothing"}


def _cell(row: Any, field: str) -> Any:
    first, _, second = field.partition("?")
    value = row[first] if isinstance(row, dict) else getattr(row, first)
    if second:
        colour = "PAUSED" if first == "wait_reason" else "FAILED"
        return coloured(colour, first_line(SHOWN.get(first, str)(value))) if value else _cell(row, second)
    return SHOWN[first](value) if first in SHOWN else value


def _param_names(schema: Any) -> str:
    """Names of the params of a JSON Schema; those that may be left out in brackets."""
    schema = schema if isinstance(schema, dict) else {}
    required = schema.get("required", [])
    return ", ".join(name if name in required else f"[{name}]" for name in schema.get("properties", {}))


def _line(row: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    parts = []
    for text, size, right in zip(row, widths, is_right, strict=True):
        shown = text if width(text) <= size else cut(click.unstyle(text), size)
        gap = " " * (size - width(shown))
        parts.append(gap + shown if right else shown + gap)
    return "  ".join(parts).rstrip()


def width(text: str) -> int:
    """How many columns of a terminal `text` takes; wide characters take two."""
    plain = click.unstyle(text)
    if plain.isascii():
        return len(plain)
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in plain)


def cut(text: str, size: int) -> str:
    """`text` in at most `size` columns, with a mark where something is missing."""
    if width(text) <= size:
        return text
    text = text[:size]
    while text and width(text) > size - 1:
        text = text[:-1]
    return text + "…"


def zone() -> ZoneInfo:
    """The zone in which people want instants: `qflowd --timezone`, else UTC. Raises: as `asked_zone`."""
    return asked_zone() or ZoneInfo("UTC")


def asked_zone() -> ZoneInfo | None:
    """The zone of `qflowd --timezone`; None if there is none.

    Raises: click.BadParameter for a name that does not exist.
    """
    name = click.get_current_context().find_root().params.get("timezone")
    if not name:
        return None
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.BadParameter(f"there is no time zone {name!r}; use a name like Asia/Shanghai or UTC") from None


def instant(value: datetime | None) -> str:
    """An instant in the zone that was asked for, to the second."""
    return "" if value is None else value.astimezone(zone()).strftime("%Y-%m-%d %H:%M:%S")


def in_zone(reason: str | None) -> str:
    """Why something waits, with its instants as `instant` shows them, and the zone: the views say them in UTC."""
    return _IN_REASON.sub(_instant_in_zone, reason or "")


def _instant_in_zone(found: re.Match[str]) -> str:
    try:
        return f"{found[1]} {instant(datetime.fromisoformat(found[2]))} {zone().key}"
    except (ValueError, OverflowError):  # what people have written need not be an instant that there is
        return found[0]


def duration(seconds: float | None) -> str:
    """Short: 4ms, 0.35s, 12.3s, 3m12s, 1h05m, 2d03h."""
    if seconds is None:
        return ""
    if seconds < 0.1:
        return f"{max(seconds, 0) * 1000:.0f}ms"
    if seconds < 10:
        return f"{seconds:.2f}s"
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours < 24 else f"{hours // 24}d{hours % 24:02}h"


def first_line(text: str | None) -> str:
    """The first line of an error."""
    return (text or "").strip().partition("\n")[0]


def near(file: str) -> str:
    """A path, from the current folder on where it lies there."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def compact(value: Any) -> str:
    """A JSON value in one line."""
    return "" if value is None else json.dumps(value, ensure_ascii=False, default=msgspec.to_builtins)


# How some fields are shown, wherever they stand.
SHOWN: Final[Mapping[str, Callable[[Any], Any]]] = {
    "state": coloured,
    "enabled": lambda is_on: "on" if is_on else "off",
    "memory_mb": lambda megabytes: "" if megabytes is None else f"{megabytes:.0f} MB",
    "duration_s": duration,
    "progress": lambda share: f"{share:.0%}",
    "share": lambda share: f"{share * 100:.4g}%" if share else "",
    "error": first_line,
    "wait_reason": in_zone,
    "doc": first_line,
    "params_schema": _param_names,
    "params": lambda params: compact(params) if params else "",
    "metadata": compact,
    "data": compact,
    "payload": compact,
}


def _one_line(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    # What a job writes must not move the cursor; escape sequences are our own colours.
    return CONTROL.sub(" ", printable(str(value)))

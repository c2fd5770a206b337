"""Output for people and for programs: aligned tables, colours on a terminal, one JSON document."""

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import click

from qflowd.model.instants import format_instant

COLOURS: Final = {
    "SUCCESS": "green",
    "READY": "cyan",
    "RUNNING": "cyan",
    "RESERVED": "cyan",
    "FAILED": "red",
    "REJECTED": "red",
    "UPSTREAM_FAILED": "yellow",
    "TERMINATED": "yellow",
    "CANCELLED": "yellow",
    "WITHDRAWN": "yellow",
    "ERROR": "red",
    "WARNING": "yellow",
    "CRITICAL": "red",
}

CONTROL: Final = re.compile("[\x00-\x1a\x1c-\x1f\x7f]")


def is_terminal(stream: Any = None) -> bool:
    """Whether a person looks at stdout (or `stream`)."""
    return bool((stream or sys.stdout).isatty()) and os.environ.get("TERM") != "dumb"


def coloured(word: str | None, text: str | None = None) -> str:
    """`text` (default the word itself) in the colour of a state or level."""
    shown = (word or "") if text is None else text
    colour = COLOURS.get(word or "")
    return click.style(shown, fg=colour) if colour and "NO_COLOR" not in os.environ else shown


def bold(text: str) -> str:
    """`text` so that the eye finds it."""
    return text if "NO_COLOR" in os.environ else click.style(text, bold=True)


def print_json(value: Any) -> None:
    """One JSON document on stdout; instants are UTC with a Z."""
    import json

    click.echo(json.dumps(value, default=_plain, ensure_ascii=False, indent=2))


def print_list(
    found: Sequence[Any],
    titles: Sequence[str],
    row: Callable[[Any], Sequence[Any]],
    empty: str,
    *,
    as_json: bool,
) -> None:
    """What a command has found, whole as JSON, or as a table with a `row` for each; the rest as of `print_table`."""
    if as_json:
        print_json(found)
    else:
        print_table(titles, map(row, found), empty)


def print_table(titles: Sequence[str], rows: Iterable[Sequence[Any]], empty: str = "") -> None:
    """An aligned table; a title that ends in `>` is aligned to the right. `empty` is said, on stderr, without rows.

    On a terminal the last column is cut off at its edge.
    """
    cells = [[_one_line(value) for value in row] for row in rows]
    if not cells:
        if empty:
            click.echo(empty, err=True)
        return
    heads = [title.removesuffix(">") for title in titles]
    widths = [max(width(row[i]) for row in [heads, *cells]) for i in range(len(heads))]
    if is_terminal():
        import shutil

        widths[-1] = max(
            10, min(widths[-1], shutil.get_terminal_size().columns - sum(widths[:-1]) - 2 * len(widths) + 2)
        )
    is_right = [title.endswith(">") for title in titles]
    click.echo(bold(_line(heads, widths, is_right)))
    for row in cells:
        click.echo(_line(row, widths, is_right))


def _line(row: Sequence[str], widths: Sequence[int], is_right: Sequence[bool]) -> str:
    parts = []
    for text, size, right in zip(row, widths, is_right, strict=True):
        shown = text if width(text) <= size or not is_terminal() else cut(click.unstyle(text), size)
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


def instant(value: datetime | None) -> str:
    """UTC, to the second."""
    return "" if value is None else value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


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


def compact(value: Any) -> str:
    """A JSON value in one line."""
    import json

    return "" if value is None else json.dumps(value, ensure_ascii=False, default=_plain)


def _one_line(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    # Whatever a job said must not move the cursor; escape sequences are our own colours.
    return CONTROL.sub(" ", str(value))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return format_instant(value.astimezone(UTC))
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)

"""JSON and TOML with the line of every key; dates and times of TOML become the text that was written.

The grammar is Python's and tomli's; a second, simple pass finds where keys stand and how plain values are written. To
that pass an object of JSON is an inline table of TOML.
"""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date, datetime, time
from typing import Final

from qflowd.define.key_paths import KeyPath, Lines, UnreadableText, dotted
from qflowd.model.workflow import Json

_BLANK: Final = re.compile(r"(?:[\s,]|#[^\n]*)*")  # commas too: only the order of things matters here
_TEXT: Final = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|"(?:[^"\\]|\\.)*"|\'{3}.*?\'{3,5}|\'[^\']*\'''', re.DOTALL)
_BARE_KEY: Final = re.compile(r"[\w-]+")
_PLAIN_VALUE: Final = re.compile(r"[^,\]}#\n]+")
# Too many digits for Python.
_TOO_LONG: Final = (0, "", "contains a whole number of more than 64 bits; write it as text")


def read_json(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: UnreadableText.
    """
    if not text.strip():
        return None, {}
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise UnreadableText([(error.lineno, "", f"is not valid JSON: {error.msg}, column {error.colno}")]) from None
    except ValueError:
        raise UnreadableText([_TOO_LONG]) from None
    tracker = _Tracker(text, json.loads)
    tracker.value(())
    if tracker.repeated:
        raise UnreadableText(tracker.repeated)
    return value, tracker.lines


def read_toml(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: UnreadableText.
    """
    import tomli

    if not text.strip():
        return None, {}
    try:
        value = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise UnreadableText([(error.lineno, "", f"is not valid TOML: {error.msg}, column {error.colno}")]) from None
    except ValueError:
        raise UnreadableText([_TOO_LONG]) from None
    tracker = _Tracker(text.replace("\r\n", "\n"), lambda quoted: str(tomli.loads(f"key = {quoted}")["key"]))
    with suppress(_Lost):
        tracker.statements()
    return _dates_as_text(value, (), tracker.texts), tracker.lines


def _dates_as_text(value: Json, path: KeyPath, texts: dict[KeyPath, str]) -> Json:
    if isinstance(value, dict):
        return {key: _dates_as_text(item, (*path, key), texts) for key, item in value.items()}
    if isinstance(value, list):
        return [_dates_as_text(item, (*path, index), texts) for index, item in enumerate(value)]
    if isinstance(value, datetime | date | time):
        return texts.get(path) or value.isoformat()
    return value


class _Lost(Exception):
    """The tracker cannot follow the text."""


class _Tracker:
    """Walks once through a valid document. `read_key`: from a key in quotes to the key."""

    def __init__(self, text: str, read_key: Callable[[str], str]) -> None:
        self._text = text
        self._read_key = read_key
        self._at = 0
        self._counted = (0, 1)  # a position and its line
        self._sizes: dict[KeyPath, int] = {}  # path of [[tables]] -> index of the last one
        self.lines: Lines = {(): 1}
        self.texts: dict[KeyPath, str] = {}
        self.repeated: list[tuple[int, str, str]] = []  # faults of keys that were met before

    def statements(self) -> None:
        """Walk over all statements of a TOML text."""
        table: KeyPath = ()
        while self._peek():
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)

    def _header(self) -> KeyPath:
        line = self._line()
        is_array = self._text.startswith("[[", self._at)
        self._at += 1 + is_array
        keys = self._keys()
        self._at += 1 + is_array
        path: KeyPath = ()
        for number, key in enumerate(keys, 1):
            path = (*path, key)
            self.lines.setdefault(path, line)
            if is_array and number == len(keys):
                self._sizes[path] = self._sizes.get(path, -1) + 1
            if path in self._sizes:
                path = (*path, self._sizes[path])
        self.lines[path] = line
        return path

    def _pair(self, table: KeyPath) -> None:
        line, path = self._line(), table
        for key in self._keys():
            path = (*path, key)
            if path in self.lines:
                message = f"duplicate key; it is already in line {self.lines[path]}"
                self.repeated.append((line, dotted(path), message))
            self.lines.setdefault(path, line)
        self._at += 1  # the equals sign or colon
        self.value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            if self._peek() in ("'", '"'):
                keys.append(self._read_key(self._take(_TEXT)))
            else:
                keys.append(self._take(_BARE_KEY))
            if self._peek() != ".":
                return keys
            self._at += 1

    def value(self, path: KeyPath) -> None:
        """Walk over one value."""
        first = self._peek()
        self.lines.setdefault(path, self._line())
        if first in ("'", '"'):
            self._take(_TEXT)
        elif first == "[":
            self._at += 1
            index = 0
            while self._peek() != "]":
                self.value((*path, index))
                index += 1
            self._at += 1
        elif first == "{":
            self._at += 1
            while self._peek() != "}":
                self._pair(path)
            self._at += 1
        else:
            self.texts[path] = self._take(_PLAIN_VALUE).strip()

    def _peek(self) -> str:
        """The next character that is not blank; empty at the end."""
        self._take(_BLANK)
        return self._text[self._at : self._at + 1]

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self._text, self._at)
        if match is None:  # the reader of the grammar and this tracker disagree; better no line than no file
            raise _Lost
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        position, line = self._counted
        line += self._text.count("\n", position, self._at)
        self._counted = (self._at, line)
        return line

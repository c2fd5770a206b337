"""TOML with the line of every key; dates and times become the text that was written.

The grammar is tomli's. A second, simple pass over the valid text finds lines and the texts of dates.
"""

import re
from contextlib import suppress
from datetime import date, datetime, time
from typing import Final

import tomli

from qflowd.define.reading import KeyPath, Lines, Unreadable, dotted, number_fault
from qflowd.model.workflow import Json

_BLANK: Final = re.compile(r"(?:[\s,]|#[^\n]*)*")  # commas too: only the order of things matters here
_TEXT: Final = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|"(?:[^"\\]|\\.)*"|\'{3}.*?\'{3,5}|\'[^\']*\'''', re.DOTALL)
_BARE_KEY: Final = re.compile(r"[\w-]+")
_PLAIN_VALUE: Final = re.compile(r"[^,\]}#\n]+")


def read(text: str) -> tuple[Json, Lines]:
    """The value in `text` and the lines of its keys.

    Raises: Unreadable.
    """
    if not text.strip():
        return None, {}
    try:
        data = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        message = f"is not valid TOML: {error.msg}, column {error.colno}"
        raise Unreadable([(error.lineno, "", message)]) from None
    except ValueError:  # a number with too many digits for Python
        raise Unreadable([(0, "", "contains a whole number of more than 64 bits; write it as text")]) from None
    tracker = _Tracker(text.replace("\r\n", "\n"))
    with suppress(_Lost):
        tracker.walk()
    faults: list[tuple[int, str, str]] = []
    value = _plain(data, (), tracker, faults)
    if faults:
        raise Unreadable(faults)
    return value, tracker.lines


def _plain(value: Json, path: KeyPath, tracker: "_Tracker", faults: list[tuple[int, str, str]]) -> Json:
    if isinstance(value, dict):
        return {key: _plain(item, (*path, key), tracker, faults) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item, (*path, index), tracker, faults) for index, item in enumerate(value)]
    if isinstance(value, datetime | date | time):
        return tracker.texts.get(path) or value.isoformat()
    if isinstance(value, int | float) and (fault := number_fault(value)):
        faults.append((tracker.lines.get(path, 0), dotted(path), fault))
    return value


class _Tracker:
    """Follows the statements of a valid TOML text: where keys stand, and how plain values are written."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._counted = (0, 1)  # a position and its line
        self._sizes: dict[KeyPath, int] = {}  # path of [[tables]] -> index of the last one
        self.lines: Lines = {(): 1}
        self.texts: dict[KeyPath, str] = {}

    def walk(self) -> None:
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
            self.lines.setdefault(path, line)
        self._at += 1  # the equals sign
        self._value(path)

    def _keys(self) -> list[str]:
        keys = []
        while True:
            if self._peek() in ("'", '"'):
                keys.append(str(tomli.loads(f"key = {self._take(_TEXT)}")["key"]))
            else:
                keys.append(self._take(_BARE_KEY))
            if self._peek() != ".":
                return keys
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        first = self._peek()
        self.lines.setdefault(path, self._line())
        if first in ("'", '"'):
            self._take(_TEXT)
        elif first == "[":
            self._at += 1
            index = 0
            while self._peek() != "]":
                self._value((*path, index))
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
        if match is None:  # tomli and this tracker disagree; better no line than no file
            raise _Lost
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        position, line = self._counted
        line += self._text.count("\n", position, self._at)
        self._counted = (self._at, line)
        return line


class _Lost(Exception):
    """The tracker cannot follow the text."""

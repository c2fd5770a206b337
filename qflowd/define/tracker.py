"""Follows a valid TOML or JSON text: where keys stand, and how plain values are written.

The grammar is another's; this is a second, simple pass. To it an object of JSON is an inline table of TOML.
"""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime, time
from typing import Final

from qflowd.define.reading import KeyPath, Lines, UnreadableText, dotted
from qflowd.model import jsontext
from qflowd.model.workflow import Json

_BLANK: Final = re.compile(r"(?:[\s,]|#[^\n]*)*")  # commas too: only the order of things matters here
_TEXT: Final = re.compile(r'''"""(?:[^\\]|\\.)*?"{3,5}|"(?:[^"\\]|\\.)*"|\'{3}.*?\'{3,5}|\'[^\']*\'''', re.DOTALL)
_BARE_KEY: Final = re.compile(r"[\w-]+")
_PLAIN_VALUE: Final = re.compile(r"[^,\]}#\n]+")


class Lost(Exception):
    """The tracker cannot follow the text."""


class Tracker:
    """Walks once through a document."""

    def __init__(self, text: str, read_key: Callable[[str], str]) -> None:
        """`read_key`: from a key in quotes to the key."""
        self._text = text
        self._read_key = read_key
        self._at = 0
        self._counted = (0, 1)  # a position and its line
        self._sizes: dict[KeyPath, int] = {}  # path of [[tables]] -> index of the last one
        self.lines: Lines = {(): 1}
        self.texts: dict[KeyPath, str] = {}
        self.repeated: list[tuple[KeyPath, int]] = []  # keys that were met before, and the line of the repetition

    def checked(self, value: Json, faults: Iterable[tuple[int, str, str]] = ()) -> Json:
        """The value that the text stands for, with dates and times as they are written.

        Raises: UnreadableText with `faults`, and those of numbers that cannot be used.
        """
        faults = list(faults)
        value = self._plain(value, (), faults)
        if faults:
            raise UnreadableText(faults)
        return value

    def _plain(self, value: Json, path: KeyPath, faults: list[tuple[int, str, str]]) -> Json:
        if isinstance(value, dict):
            return {key: self._plain(item, (*path, key), faults) for key, item in value.items()}
        if isinstance(value, list):
            return [self._plain(item, (*path, index), faults) for index, item in enumerate(value)]
        if isinstance(value, datetime | date | time):
            return self.texts.get(path) or value.isoformat()
        try:
            jsontext.checked_number(value)
        except ValueError as problem:
            faults.append((self.lines.get(path, 0), dotted(path), str(problem)))
        return value

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
                self.repeated.append((path, line))
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
            raise Lost
        self._at = match.end()
        return match[0]

    def _line(self) -> int:
        position, line = self._counted
        line += self._text.count("\n", position, self._at)
        self._counted = (self._at, line)
        return line
